"""What is known of a citizen is kept sealed, found again by number, and shown to her masked."""

from datetime import UTC, datetime
from uuid import UUID

import asyncpg
import pytest
from tortoise import Tortoise
from tortoise.fields import BinaryField
from uuid_utils.compat import uuid7

from models.database import rows, transaction
from models.identifiers import read_id
from models.joined import NoSuchCitizen
from models.knowing import (
    SEALED_COLUMNS,
    citizen_with_id,
    known,
    remember_name_and_id,
    remember_phone,
)
from models.sealing import NotOpened, Sealer
from tests.conftest import Api
from tests.people import an_id_number

NOW = datetime(2026, 11, 23, 1, 30, tzinfo=UTC)


@pytest.fixture
def sealer(api: Api) -> Sealer:
    return api.services.sealer


@pytest.fixture
async def lin(api: Api) -> UUID:
    """A citizen of whom nothing is known."""
    citizen_id: UUID = uuid7()
    async with transaction() as tx:
        await tx.run(
            "INSERT INTO citizen (id, level, created_at) VALUES ($1, 0, $2)", citizen_id, NOW
        )
    return citizen_id


async def introduce(sealer: Sealer, citizen_id: UUID, number: str, *, level: int = 2) -> None:
    document = read_id("resident_id", number)
    async with transaction() as tx:
        await remember_name_and_id(
            tx,
            sealer,
            citizen_id,
            name="林小满",
            id_type=document.id_type,
            id_number=document.number,
            level=level,
            at=NOW,
        )


async def test_nothing_is_known_of_who_just_signed_in(sealer: Sealer, lin: UUID) -> None:
    her = await known(None, sealer, lin)
    assert (her.name, her.id_type, her.id_number, her.phone, her.level) == (None,) * 4 + (0,)


async def test_what_was_remembered_is_known_and_stored_sealed(sealer: Sealer, lin: UUID) -> None:
    number = an_id_number()
    await introduce(sealer, lin, number)
    async with transaction() as tx:
        await remember_phone(tx, sealer, lin, phone="13912345678", at=NOW)
        her = await known(tx, sealer, lin)
    assert (her.name, her.id_number, her.phone, her.level) == ("林小满", number, "13912345678", 2)
    assert her.id_type == "resident_id"
    assert number not in repr(her)
    assert "林小满" not in repr(her)
    [row] = await rows("SELECT citizen::text AS said FROM citizen WHERE id = $1", lin)
    for secret in (number, "13912345678", "林小满"):
        assert secret not in row["said"]
        assert secret.encode().hex() not in row["said"]


async def test_a_citizen_is_found_by_her_document(sealer: Sealer, lin: UUID) -> None:
    number = an_id_number()
    assert await citizen_with_id(None, sealer, "resident_id", number) is None
    await introduce(sealer, lin, number)
    assert await citizen_with_id(None, sealer, "resident_id", number) == lin
    assert await citizen_with_id(None, sealer, "passport", number) is None


async def test_two_people_may_have_had_the_same_phone_but_never_the_same_document(
    sealer: Sealer, lin: UUID
) -> None:
    chen: UUID = uuid7()
    number = an_id_number()
    async with transaction() as tx:
        await tx.run("INSERT INTO citizen (id, level, created_at) VALUES ($1, 0, $2)", chen, NOW)
        for who in (lin, chen):
            await remember_phone(tx, sealer, who, phone="13955550002", at=NOW)
    await introduce(sealer, lin, number)
    with pytest.raises(asyncpg.UniqueViolationError):
        await introduce(sealer, chen, number)


async def test_a_level_never_falls(sealer: Sealer, lin: UUID) -> None:
    number = an_id_number()
    await introduce(sealer, lin, number, level=3)
    await introduce(sealer, lin, number, level=2)
    async with transaction() as tx:
        await remember_phone(tx, sealer, lin, phone="13955550003", at=NOW)
    assert (await known(None, sealer, lin)).level == 3


async def test_an_id_that_was_joined_into_hers_knows_her_too(sealer: Sealer, lin: UUID) -> None:
    former: UUID = uuid7()
    await introduce(sealer, lin, an_id_number())
    async with transaction() as tx:
        await tx.run(
            "INSERT INTO citizen_alias (id, citizen_id, joined_at) VALUES ($1, $2, $3)",
            former,
            lin,
            NOW,
        )
    assert await known(None, sealer, former) == await known(None, sealer, lin)


async def test_who_does_not_exist_is_not_known_and_nothing_is_remembered_of_her(
    sealer: Sealer, api: Api
) -> None:
    nobody: UUID = uuid7()
    with pytest.raises(NoSuchCitizen):
        await known(None, sealer, nobody)
    with pytest.raises(NoSuchCitizen):
        await introduce(sealer, nobody, an_id_number())
    with pytest.raises(NoSuchCitizen):
        async with transaction() as tx:
            await remember_phone(tx, sealer, nobody, phone="13955550004", at=NOW)


async def test_sealed_texts_swapped_between_two_citizens_do_not_open(
    sealer: Sealer, lin: UUID
) -> None:
    chen: UUID = uuid7()
    await introduce(sealer, lin, an_id_number())
    async with transaction() as tx:
        await tx.run("INSERT INTO citizen (id, level, created_at) VALUES ($1, 0, $2)", chen, NOW)
        await tx.run(
            "UPDATE citizen SET name = (SELECT name FROM citizen WHERE id = $1) WHERE id = $2",
            lin,
            chen,
        )
    with pytest.raises(NotOpened):
        await known(None, sealer, chen)


async def test_me_is_masked_once_known(api: Api) -> None:
    citizen = await api.citizen()
    citizen_id = UUID(citizen.session["citizen"]["id"])
    assert citizen.session["citizen"]["name"] is None
    number = an_id_number()
    await introduce(api.services.sealer, citizen_id, number)
    async with transaction() as tx:
        await remember_phone(tx, api.services.sealer, citizen_id, phone="13912345678", at=NOW)
        await tx.run("UPDATE channel_link SET level = 2 WHERE citizen_id = $1", citizen_id)
    me = (await citizen.get("/me")).json()
    assert me["name"] == "林**"
    assert me["id_number"] == f"{number[:4]}**********{number[-4:]}"
    assert me["phone"] == "139****5678"
    assert (me["assurance_level"], me["channels"]) == (2, ["wechat"])


async def test_every_binary_column_is_sealed_or_known_not_to_be(api: Api) -> None:
    """A sealed column that nobody lists would be lost when the key that sealed it is dropped."""
    # What is foreseen of waits is learned from moments and counts, and names nobody.
    foreseen = {"wait_state.state", "wait_lessons.lessons", "wait_trees.trees"}
    not_sealed = {"answer.body"} | foreseen
    binary = {
        f"{model._meta.db_table}.{name}"
        for model in Tortoise.apps["models"].values()
        for name, field in model._meta.fields_map.items()
        if isinstance(field, BinaryField)
    }
    assert binary - not_sealed == {column.field for column in SEALED_COLUMNS}
