"""Whoever knows a name and a number has them, and no more of her than that."""

from uuid import UUID

import pytest

from models.database import rows
from server.settings import Settings
from tests.conftest import Api
from tests.identity.families import CHILD_BORN, a_child_of, add, family
from tests.identity.people import Persona, a_persona, real_name, sandbox, through
from tests.people import Person, an_id_number


async def show_face(who: Person, api: Api, persona: Persona) -> str:
    """Pass a face check; its id."""
    said = {"name": persona.name, "id_number": persona.id_number}
    started = await who.post("/me/face-checks", said)
    assert started.status_code == 201, started.text
    check: str = started.json()["certify_id"]
    await sandbox(api, "POST", "/alipay/faces", {"certify_id": check, "outcome": "pass"})
    return check


async def by_face(api: Api, who: Person, persona: Persona) -> None:
    reply = await real_name(who, persona, certify_id=await show_face(who, api, persona))
    assert (reply.status_code, reply.json()["assurance_level"]) == (200, 3), reply.text


async def level(who: Person) -> int:
    counts: int = (await who.get("/me")).json()["assurance_level"]
    return counts


@pytest.fixture
async def lin(api: Api) -> tuple[Person, Persona]:
    """Somebody known by her face, through Alipay."""
    persona = await a_persona(api)
    who = await through(api, "alipay", persona)
    await by_face(api, who, persona)
    return who, persona


@pytest.fixture
async def thief(api: Api, lin: tuple[Person, Persona]) -> Person:
    """Somebody who came through WeChat and typed Lin's name and number."""
    who = await through(api, "wechat", await a_persona(api))
    assert (await real_name(who, lin[1])).status_code == 200
    return who


@pytest.fixture
def _strict(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    said = api.services.settings.model_copy(update={"joining_needs_face": True})
    monkeypatch.setattr(api.services, "settings", said)


async def test_a_channel_counts_for_what_was_proven_through_it(
    lin: tuple[Person, Persona], thief: Person
) -> None:
    mine, theirs = [(await who.get("/me")).json() for who in (lin[0], thief)]
    assert mine["id"] == theirs["id"]
    assert (mine["assurance_level"], theirs["assurance_level"]) == (3, 2)
    # Proving less again takes nothing away.
    assert (await real_name(*lin)).json()["assurance_level"] == 3


async def test_a_number_is_taken_for_what_her_own_channel_has_proven(
    api: Api, lin: tuple[Person, Persona], thief: Person
) -> None:
    directory = api.services.directory
    item = next(
        code for code in directory.hall("dg-00").offers if directory.item(code).level_required == 3
    )
    for headers in ({}, {"Idempotency_Key": "again"}):
        wish = {"hall": "dg-00", "item": item}
        refused = await thief.post("/tickets", wish, **headers)
        assert (refused.status_code, refused.json()["code"]) == (403, "level_too_low")
    child = await a_child_of(lin[0])
    refused = await thief.take("dg-00", item, **{"for": child["id"]})
    assert (refused.status_code, refused.json()["code"]) == (403, "level_too_low")
    # What has just been proven counts at once.
    await by_face(api, thief, lin[1])
    taken = await thief.take("dg-00", item)
    assert taken.status_code == 201, taken.text
    assert (await lin[0].post(f"/tickets/{taken.json()['id']}/cancel")).status_code == 200


async def test_what_would_hurt_her_is_refused_to_a_channel_that_proved_less(
    api: Api, lin: tuple[Person, Persona], thief: Person
) -> None:
    child = await a_child_of(lin[0])
    [hers] = [one for one in (await lin[0].get("/me/devices")).json()["data"] if one["current"]]
    code = (await a_persona(api, phone="13987650001")).codes["phone_code"]
    before = (await lin[0].get("/me")).json()
    replies = [
        await thief.get("/me/export"),
        await thief.delete("/me"),
        await thief.delete("/me/channels/alipay"),
        await thief.delete(f"/me/devices/{hers['id']}"),
        await thief.post("/me/devices/end-others"),
        await thief.post("/me/phone", {"channel": "wechat", "code": code}),
        await add(thief, an_id_number(CHILD_BORN)),
        await thief.delete(f"/me/family/{child['id']}"),
    ]
    told = {(reply.status_code, reply.json()["code"]) for reply in replies}
    assert told == {(403, "level_too_low")}, [reply.text for reply in replies]
    assert all("人脸核验" in reply.json()["detail"] for reply in replies)
    assert (await lin[0].get("/me")).json() == before
    assert [each["id"] for each in await family(lin[0])] == [child["id"]]
    # She herself may, and so may the other channel once her face has been seen there.
    assert (await lin[0].get("/me/export")).status_code == 200
    await by_face(api, thief, lin[1])
    assert (await thief.get("/me/export")).json()["phone"] is None
    assert (await thief.delete(f"/me/devices/{hers['id']}")).status_code == 204


async def test_who_proved_less_does_not_bring_a_phone_into_the_account(
    api: Api, lin: tuple[Person, Persona]
) -> None:
    code = lin[1].codes["phone_code"]
    assert (await lin[0].post("/me/phone", {"channel": "wechat", "code": code})).status_code == 200
    another = await a_persona(api, phone="13987650002")
    thief = await through(api, "wechat", another)
    proof = {"channel": "wechat", "code": another.codes["phone_code"]}
    assert (await thief.post("/me/phone", proof)).json()["phone"] == "139****0002"
    assert (await real_name(thief, lin[1])).status_code == 200
    assert (await lin[0].get("/me")).json()["phone"] == "138****5678"


async def test_a_stranger_of_the_same_platform_is_thrown_out(
    api: Api, lin: tuple[Person, Persona], thief: Person
) -> None:
    mine = await through(api, "wechat", await a_persona(api, lin[1].id_number))
    await by_face(api, mine, lin[1])
    assert (await lin[0].delete("/me/channels/alipay")).status_code == 200
    assert (await thief.get("/me")).status_code == 200
    # Only WeChat is left, and it is hers and the stranger's.
    reply = await mine.delete("/me/channels/wechat")
    assert (reply.status_code, reply.json()["channels"]) == (200, ["wechat"]), reply.text
    assert [(await who.get("/me")).status_code for who in (mine, thief)] == [200, 401]
    assert (await mine.delete("/me/channels/wechat")).json()["code"] == "last_channel"


async def test_who_proved_less_signs_herself_out(thief: Person) -> None:
    [mine] = [one for one in (await thief.get("/me/devices")).json()["data"] if one["current"]]
    assert (await thief.delete(f"/me/devices/{mine['id']}")).status_code == 204


async def test_a_phone_of_the_account_counts_for_every_channel(api: Api) -> None:
    persona = await a_persona(api)
    who = await through(api, "wechat", persona)
    assert await level(who) == 0
    code = persona.codes["phone_code"]
    assert (await who.post("/me/phone", {"channel": "wechat", "code": code})).status_code == 200
    assert await level(who) == 1
    again = await through(api, "wechat", await a_persona(api, persona.id_number))
    assert await level(again) == 1


async def test_a_later_sign_in_counts_for_what_its_channel_proved(
    api: Api, lin: tuple[Person, Persona], thief: Person
) -> None:
    for door, proven in (("alipay", 3), ("wechat", 0)):
        again = await through(api, door, await a_persona(api, lin[1].id_number))
        assert await level(again) == proven
    # Hers through WeChat is another account than the thief's, until she proves who she is.
    assert (await real_name(again, lin[1])).json()["assurance_level"] == 2
    assert await level(thief) == 2


@pytest.mark.usefixtures("_strict")
async def test_a_city_may_want_a_face_before_accounts_are_joined(
    api: Api, lin: tuple[Person, Persona]
) -> None:
    first, persona = lin
    thief = await through(api, "wechat", await a_persona(api))
    before = (await thief.get("/me")).json()
    refused = await real_name(thief, persona)
    assert (refused.status_code, refused.json()["code"]) == (403, "face_check_needed")
    assert persona.id_number not in refused.text
    assert (await thief.get("/me")).json() == before
    assert (await first.get("/me")).json()["channels"] == ["alipay"]
    # With her face, or the province's word, she comes to her account.
    second = await through(api, "wechat", await a_persona(api, persona.id_number))
    await by_face(api, second, persona)
    third = await through(api, "province", await a_persona(api, persona.id_number))
    ids = {(await who.get("/me")).json()["id"] for who in (first, second, third)}
    assert len(ids) == 1


@pytest.mark.usefixtures("_strict")
async def test_whose_number_nobody_has_needs_no_face(api: Api) -> None:
    persona = await a_persona(api)
    who = await through(api, "wechat", persona)
    for _ in range(2):
        assert (await real_name(who, persona)).json()["assurance_level"] == 2


def test_a_real_city_wants_a_face_unless_it_says_otherwise() -> None:
    assert Settings(mode="production").face_to_join
    assert not Settings(mode="demo").face_to_join
    assert not Settings(mode="production", joining_needs_face=False).face_to_join


async def test_a_sign_in_knows_its_channel_also_after_a_join(
    lin: tuple[Person, Persona], thief: Person
) -> None:
    hers = UUID((await lin[0].get("/me")).json()["id"])
    found = await rows(
        "SELECT s.channel, l.platform, l.level FROM sign_in s"
        " JOIN channel_link l ON l.id = s.link_id AND l.citizen_id = s.person_id"
        " WHERE s.person_id = $1 ORDER BY l.level",
        hers,
    )
    assert [tuple(row) for row in found] == [("wechat", "wechat", 2), ("alipay", "alipay", 3)]
