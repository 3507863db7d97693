"""What the routes of family members and companies take and answer."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal
from uuid import UUID

import msgspec

from models.identifiers import IdType
from models.proxies import Proof, ProxyKind, ProxyState

Relation = Literal["spouse", "child", "parent", "other"]


class Side(StrEnum):
    """Which one I am: who acts, or for whom."""

    ACTING = "acting"
    SPOKEN_FOR = "spoken_for"


class FamilyMember(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """For whom I want to act, and what she is to me."""

    relation: Relation
    name: Annotated[str, msgspec.Meta(min_length=1, max_length=60, examples=["林小满"])]
    id_number: Annotated[str, msgspec.Meta(min_length=5, max_length=40)]
    id_type: IdType = "resident_id"


class Company(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The company I act for, by its unified social credit code."""

    uscc: Annotated[
        str, msgspec.Meta(min_length=18, max_length=40, examples=["91350100M000100Y43"])
    ]
    name: Annotated[str, msgspec.Meta(min_length=1, max_length=100, examples=["一厅通示范公司"])]


class ConsentCode(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The six digits that were sent to the person."""

    code: Annotated[str, msgspec.Meta(pattern="^[0-9]{6}$", examples=["123456"])]


class ProxyView(msgspec.Struct, frozen=True):
    """That I act for somebody, or somebody for me.

    `relation` is what the one spoken for is to the one who acts. `name` and `number` are of the
    other side, masked but for companies; of who acts for me only the name is told.
    """

    id: UUID
    side: Side
    relation: ProxyKind
    name: str | None
    id_type: str | None
    number: str | None
    proof: Proof
    state: ProxyState
    asked_at: datetime
    active_at: datetime | None


class ProxyList(msgspec.Struct, frozen=True):
    """All of them, newest first."""

    data: list[ProxyView]
    next_cursor: None = None
