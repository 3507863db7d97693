"""Whoever comes to a hall, or telephones, as a clerk or a kiosk's reader says who she is."""

from datetime import date
from typing import Annotated

import msgspec

from models.identifiers import IdType, NotAnIdentifier, read_id, read_mobile, read_name
from models.tickets import Priority
from server.errors import FieldFault, InvalidRequest
from server.identity.refusals import EMPTY, NOT_A_NUMBER
from server.numbers.at_hall import Comer

_TYPE_OF_NOTHING = ("没有证件号码时请不要填写。", "leave it out where there is no id number")


class SaysWho(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What somebody says of herself; `id_type` is `resident_id` where it is not said."""

    id_number: Annotated[str, msgspec.Meta(min_length=1, max_length=32)] | None = None
    id_type: IdType | None = None
    name: Annotated[str, msgspec.Meta(min_length=1, max_length=60)] | None = None
    phone: Annotated[str, msgspec.Meta(min_length=1, max_length=24)] | None = None


def read_comer(body: SaysWho, *, priority: Priority | None = None, today: date) -> Comer:
    """Whoever stands there, in the forms that we keep. Raises InvalidRequest with every fault."""
    faults: list[FieldFault] = []
    document, name, phone = None, None, None
    if body.id_number is not None:
        try:
            document = read_id(body.id_type or "resident_id", body.id_number, today=today)
        except NotAnIdentifier as wrong:
            faults.append(FieldFault("/id_number", NOT_A_NUMBER[wrong.fault]))
    elif body.id_type is not None:
        faults.append(FieldFault("/id_type", _TYPE_OF_NOTHING))
    if body.name is not None and not (name := read_name(body.name)):
        faults.append(FieldFault("/name", EMPTY))
    if body.phone is not None:
        try:
            phone = read_mobile(body.phone)
        except NotAnIdentifier as wrong:
            faults.append(FieldFault("/phone", NOT_A_NUMBER[wrong.fault]))
    if faults:
        raise InvalidRequest(errors=faults)
    return Comer(document, name, phone, priority)
