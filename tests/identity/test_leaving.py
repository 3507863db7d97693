"""Leaving: a channel, or altogether."""

import json

from models.database import rows
from tests.conftest import Api, until
from tests.identity.people import a_persona, real_name, sandbox, through


async def test_a_channel_is_unlinked_and_its_sign_ins_end(api: Api) -> None:
    persona = await a_persona(api)
    by_wechat = await through(api, "wechat", persona)
    by_alipay = await through(api, "alipay", persona)
    await real_name(by_wechat, persona)
    await real_name(by_alipay, persona)
    reply = await by_wechat.delete("/me/channels/alipay")
    assert (reply.status_code, reply.json()["channels"]) == (200, ["wechat"])
    assert (await by_alipay.get("/me")).status_code == 401
    assert (await by_wechat.get("/me")).status_code == 200
    # Who comes through it again is nobody we know, until she proves who she is.
    again = await through(api, "alipay", await a_persona(api, persona.id_number))
    assert (await again.get("/me")).json()["assurance_level"] == 0


async def test_the_last_way_in_stays(api: Api) -> None:
    lin = await through(api, "wechat", await a_persona(api))
    reply = await lin.delete("/me/channels/wechat")
    assert (reply.status_code, reply.json()["code"]) == (409, "last_channel")
    assert (await lin.delete("/me/channels/alipay")).status_code == 404
    assert (await lin.get("/me")).json()["channels"] == ["wechat"]


async def test_an_export_tells_everything_in_clear(api: Api) -> None:
    hall, persona = await api.quiet_hall(), await a_persona(api)
    lin = await through(api, "province", persona)
    ticket = (await lin.take(hall, api.item(hall, "E"))).json()
    told = (await lin.get("/me/export")).json()
    assert (told["name"], told["id_number"]) == (persona.name, persona.id_number)
    assert told["phone"] == persona.phone
    assert [channel["platform"] for channel in told["channels"]] == ["province"]
    assert [each["number"] for each in told["tickets"]] == [ticket["number"]]
    assert len(told["sign_ins"]) == 1


async def test_who_is_erased_is_known_to_nobody(api: Api) -> None:
    hall, persona = await api.quiet_hall(), await a_persona(api)
    lin = await through(api, "province", persona)
    mine = (await lin.get("/me")).json()["id"]
    ticket = (await lin.take(hall, api.item(hall, "E"))).json()
    await until(lambda: api.services.feed.memory.halls[hall].waiting == 1)
    assert (await lin.delete("/me")).status_code == 204
    assert (await lin.get("/me")).status_code == 401
    await until(lambda: api.services.feed.memory.halls[hall].waiting == 0)
    [kept] = await rows("SELECT * FROM citizen WHERE id = $1", mine)
    left = {name: value for name, value in dict(kept).items() if value is not None}
    assert set(left) == {"id", "level", "created_at"}
    [past] = await rows("SELECT state FROM ticket WHERE id = $1", ticket["id"])
    assert past["state"] == "cancelled"
    again = await through(api, "province", await a_persona(api, persona.id_number))
    assert (await again.get("/me")).json()["id"] != mine
    assert (await again.get("/tickets")).json()["data"] == []


async def test_nobody_is_erased_while_she_is_being_served(api: Api) -> None:
    hall = await api.quiet_hall()
    lin, clerk = await through(api, "wechat", await a_persona(api)), await api.clerk(hall)
    await lin.take(hall, api.item(hall, "E"))
    counters = (await clerk.get(f"/halls/{hall}/counters")).json()["data"]
    counter = next(one["code"] for one in counters if "E" in one["skills"])
    for action in ("open", "call-next", "start"):
        assert (await clerk.at(hall, counter, action)).status_code == 200
    reply = await lin.delete("/me")
    assert (reply.status_code, reply.json()["code"]) == (409, "wrong_state")
    await clerk.at(hall, counter, "finish")
    assert (await lin.delete("/me")).status_code == 204


async def test_a_face_that_fits_the_name_is_level_three(api: Api) -> None:
    persona = await a_persona(api)
    lin = await through(api, "alipay", persona)
    said = {"name": persona.name, "id_number": persona.id_number}
    started = await lin.post("/me/face-checks", said)
    assert started.status_code == 201, started.text
    check = started.json()["certify_id"]
    before = await real_name(lin, persona, certify_id=check)
    assert (before.status_code, before.json()["code"]) == (422, "face_not_passed")
    await sandbox(api, "POST", "/alipay/faces", {"certify_id": check, "outcome": "pass"})
    thief = await through(api, "alipay", await a_persona(api))
    stolen = await real_name(thief, persona, certify_id=check)
    assert (stolen.status_code, stolen.json()["code"]) == (422, "face_not_passed")
    reply = await real_name(lin, persona, certify_id=check)
    assert (reply.status_code, reply.json()["assurance_level"]) == (200, 3), reply.text


async def test_no_refusal_repeats_what_was_said(api: Api) -> None:
    persona = await a_persona(api)
    lin = await through(api, "wechat", persona)
    reply = await real_name(lin, persona, name="不是她")
    assert reply.status_code == 422
    assert persona.id_number not in json.dumps(reply.json(), ensure_ascii=False)
    assert "不是她" not in json.dumps(reply.json(), ensure_ascii=False)
