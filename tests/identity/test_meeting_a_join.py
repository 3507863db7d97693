"""Whatever somebody asks while her accounts are being joined is done for whom she is then."""

from asyncio import gather, sleep
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

import httpx
import pytest

from models.database import rows
from tests.conftest import Api
from tests.identity.people import Persona, a_persona, real_name, sandbox, through
from tests.people import Person

ROUNDS = 12  # one for each delay
HERE = timedelta(hours=8)
Ask = Callable[[Person], Awaitable[httpx.Response]]


async def one_person(api: Api, **more: str) -> tuple[Person, Person, Persona]:
    """Somebody known through WeChat, and her other account, about to be joined into that."""
    persona = await a_persona(api, **more)
    by_wechat = await through(api, "wechat", persona)
    by_alipay = await through(api, "alipay", persona)
    await real_name(by_wechat, persona)
    return by_wechat, by_alipay, persona


async def meeting(by_alipay: Person, persona: Persona, ask: Ask, nth: int) -> httpx.Response:
    """The answer to what her other account asks while it is joined, each time a bit later."""

    async def asked() -> httpx.Response:
        await sleep(nth % 12 / 1000)
        return await ask(by_alipay)

    joined, reply = await gather(real_name(by_alipay, persona), asked())
    assert joined.status_code in {200, 401}, joined.text
    return reply


@pytest.mark.parametrize("channel", ["wechat", "alipay"])
async def test_a_proof_of_the_phone_is_not_lost_in_a_join(api: Api, channel: str) -> None:
    for nth in range(ROUNDS):
        # A number of her own: Alipay's payloads of one number are the same.
        by_wechat, by_alipay, persona = await one_person(api, phone=f"1391234{nth:04d}")
        proof = {"channel": channel, "code": persona.codes["phone_code"]}
        if channel == "alipay":
            made = await sandbox(api, "POST", "/alipay/phone", {"id_number": persona.id_number})
            proof = {"channel": channel, "encrypted": made["alipay_phone_payload"]}

        async def prove(who: Person, proof: dict[str, str] = proof) -> httpx.Response:
            return await who.post("/me/phone", proof)

        reply = await meeting(by_alipay, persona, prove, nth)
        assert reply.status_code == 200, (nth, reply.text)
        assert (await by_wechat.get("/me")).json()["phone"] == f"139****{nth:04d}"


async def test_who_erases_herself_during_a_join_is_erased(api: Api) -> None:
    for nth in range(ROUNDS):
        by_wechat, by_alipay, persona = await one_person(api)
        first = (await by_wechat.get("/me")).json()["id"]
        second = (await by_alipay.get("/me")).json()["id"]
        reply = await meeting(by_alipay, persona, lambda who: who.delete("/me"), nth)
        assert reply.status_code == 204, (nth, reply.text)
        assert (await by_alipay.get("/me")).status_code == 401
        joined = await rows("SELECT 1 FROM citizen_alias WHERE id = $1", second)
        erased = first if joined else second
        [kept] = await rows("SELECT name, id_index FROM citizen WHERE id = $1", erased)
        assert tuple(kept) == (None, None), nth
        assert await rows("SELECT 1 FROM channel_link WHERE citizen_id = $1", erased) == []
        assert (await by_wechat.get("/me")).status_code == (401 if joined else 200)


async def test_a_channel_unlinked_during_a_join_is_unlinked_or_was_the_last(api: Api) -> None:
    for nth in range(ROUNDS):
        by_wechat, by_alipay, persona = await one_person(api)

        async def unlink(who: Person) -> httpx.Response:
            return await who.delete("/me/channels/alipay")

        reply = await meeting(by_alipay, persona, unlink, nth)
        assert reply.status_code in {200, 409}, (nth, reply.text)
        left = ["wechat"] if reply.status_code == 200 else ["alipay", "wechat"]
        assert (await by_wechat.get("/me")).json()["channels"] == left


async def test_an_export_during_a_join_tells_of_one_account_or_of_both(api: Api) -> None:
    hall = await api.quiet_hall()
    for nth in range(ROUNDS):
        by_wechat, by_alipay, persona = await one_person(api)
        first = (await by_wechat.get("/me")).json()["id"]
        ticket = (await by_alipay.take(hall, api.item(hall, "E"))).json()
        reply = await meeting(by_alipay, persona, lambda who: who.get("/me/export"), nth)
        assert reply.status_code == 200, (nth, reply.text)
        told = reply.json()
        both = ["wechat", "alipay"] if told["id"] == first else ["alipay"]
        assert [channel["platform"] for channel in told["channels"]] == both, nth
        assert [channel["channel"] for channel in told["sign_ins"]] == both, nth
        assert [each["id"] for each in told["tickets"]] == [ticket["id"]], nth
        await by_wechat.post(f"/tickets/{ticket['id']}/cancel")


@pytest.mark.parametrize("path", ["/me", "/me/devices", "/me/family"])
async def test_what_she_looks_at_during_a_join_is_hers(api: Api, path: str) -> None:
    for nth in range(ROUNDS):
        _, by_alipay, persona = await one_person(api)
        reply = await meeting(by_alipay, persona, lambda who: who.get(path), nth)
        assert reply.status_code == 200, (nth, reply.text)


async def test_a_number_given_up_during_a_join_is_given_up(api: Api) -> None:
    hall = await api.quiet_hall()
    for nth in range(ROUNDS):
        _, by_alipay, persona = await one_person(api)
        ticket = (await by_alipay.take(hall, api.item(hall, "E"))).json()["id"]

        async def cancel(who: Person, ticket: str = ticket) -> httpx.Response:
            return await who.post(f"/tickets/{ticket}/cancel")

        reply = await meeting(by_alipay, persona, cancel, nth)
        assert (reply.status_code, reply.json()["state"]) == (200, "cancelled"), nth


async def test_a_device_signed_out_during_a_join_is_signed_out(api: Api) -> None:
    for nth in range(ROUNDS):
        _, by_alipay, persona = await one_person(api)
        device = (await by_alipay.get("/me/devices")).json()["data"][0]["id"]

        async def sign_out(who: Person, device: str = device) -> httpx.Response:
            return await who.delete(f"/me/devices/{device}")

        reply = await meeting(by_alipay, persona, sign_out, nth)
        assert reply.status_code == 204, (nth, reply.text)
        assert (await by_alipay.get("/me")).status_code == 401


async def test_a_process_that_has_not_heard_follows_her_on_every_route(api: Api) -> None:
    by_wechat, by_alipay, persona = await one_person(api)
    await real_name(by_alipay, persona)
    me = (await by_wechat.get("/me")).json()
    proof = {"channel": "wechat", "code": persona.codes["phone_code"]}
    for method, path, body in (
        ("POST", "/me/phone", proof),
        ("GET", "/me", None),
        ("DELETE", "/me/channels/wechat", None),
        ("GET", "/me/export", None),
    ):
        api.services.tokens.joined = {}
        reply = await api.http.request(
            method, f"/api/v1{path}", json=body, headers=by_alipay.headers
        )
        assert (reply.status_code, reply.json()["id"]) == (200, me["id"]), reply.text
    api.services.tokens.joined = {}
    assert len((await by_alipay.get("/me/devices")).json()["data"]) == 1
    assert (await by_alipay.post("/me/devices/end-others")).json() == {"ended": 0}
    assert (await by_alipay.delete("/me")).status_code == 204


async def test_a_process_that_has_not_heard_knows_how_surely_she_is_known(api: Api) -> None:
    hall = await api.quiet_hall()
    directory = api.services.directory
    offers = directory.hall(hall).offers
    item = next(code for code in offers if directory.item(code).level_required == 2)
    _, by_alipay, persona = await one_person(api)
    assert (await by_alipay.take(hall, item)).json()["code"] == "level_too_low"
    await real_name(by_alipay, persona)
    api.services.tokens.joined = {}
    reply = await by_alipay.take(hall, item)
    assert reply.status_code == 201, reply.text


async def test_a_process_that_has_not_heard_does_with_her_number_whatever_she_asks(
    api: Api,
) -> None:
    hall, other = await api.quiet_hall(), await api.quiet_hall()
    _, by_alipay, persona = await one_person(api)
    ticket = (await by_alipay.take(hall, api.item(hall, "E"))).json()["id"]
    await (await api.citizen()).take(hall, api.item(hall, "E"))
    await real_name(by_alipay, persona)
    for method, action, body in (
        ("GET", "order", None),
        ("POST", "let-pass", {"people": 1}),
        ("POST", "move", {"hall": other}),
        ("POST", "cancel", None),
    ):
        api.services.tokens.joined = {}
        reply = await api.http.request(
            method, f"/api/v1/tickets/{ticket}/{action}", json=body, headers=by_alipay.headers
        )
        assert reply.status_code == 200, (action, reply.text)


async def test_nothing_is_written_of_somebody_who_was_just_erased(api: Api) -> None:
    persona = await a_persona(api)
    lin = await through(api, "wechat", persona)
    her_id = (await lin.get("/me")).json()["id"]
    assert (await lin.delete("/me")).status_code == 204
    # A process that has not heard yet goes on believing her token.
    api.services.tokens.ended = set()
    named = await real_name(lin, persona)
    proven = await lin.post("/me/phone", {"channel": "wechat", "code": persona.codes["phone_code"]})
    for reply in (named, proven, await lin.get("/me/export"), await lin.delete("/me")):
        assert (reply.status_code, reply.json()["code"]) == (401, "not_signed_in")
    [kept] = await rows("SELECT name, phone, level FROM citizen WHERE id = $1", her_id)
    assert tuple(kept) == (None, None, 0)


async def test_times_in_an_export_are_local(api: Api) -> None:
    hall = await api.quiet_hall()
    lin = await through(api, "wechat", await a_persona(api))
    await lin.take(hall, api.item(hall, "E"))
    told = (await lin.get("/me/export")).json()
    moments = [told["channels"][0]["created_at"], told["sign_ins"][0]["started_at"]]
    for moment in (*moments, told["tickets"][0]["issued_at"]):
        assert datetime.fromisoformat(moment).utcoffset() == HERE
