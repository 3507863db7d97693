"""One person is one citizen, however she comes in and however fast."""

import json
from asyncio import gather

import httpx
import pytest
from websockets.asyncio.client import connect

from models.database import rows
from tests.conftest import Api
from tests.identity.people import Persona, a_persona, real_name, through
from tests.people import Person, an_id_number

ROUNDS = 20
AT_ONCE = 40


async def me(who: Person) -> dict[str, object]:
    reply = await who.get("/me")
    assert reply.status_code == 200, reply.text
    found: dict[str, object] = reply.json()
    return found


async def test_the_same_number_through_a_second_channel_is_the_same_citizen(api: Api) -> None:
    persona = await a_persona(api)
    by_wechat = await through(api, "wechat", persona)
    by_alipay = await through(api, "alipay", persona)
    assert (await me(by_wechat))["id"] != (await me(by_alipay))["id"]
    first = await real_name(by_wechat, persona)
    assert first.status_code == 200, first.text
    assert first.json()["assurance_level"] == 2
    second = await real_name(by_alipay, persona)
    assert second.status_code == 200, second.text
    assert second.json()["id"] == first.json()["id"]
    for who in (by_wechat, by_alipay):
        mine = await me(who)
        assert mine["id"] == first.json()["id"]
        assert mine["channels"] == ["alipay", "wechat"]
    entries = await rows(
        "SELECT action FROM audit_entry WHERE subject_id = $1 ORDER BY seq", first.json()["id"]
    )
    assert [entry["action"] for entry in entries] == [
        "citizen.named",
        "citizen.joined",
        "citizen.named",
    ]


async def test_tickets_of_both_are_kept_and_both_sign_ins_go_on(api: Api) -> None:
    hall, persona = await api.quiet_hall(), await a_persona(api)
    by_wechat = await through(api, "wechat", persona)
    by_alipay = await through(api, "alipay", persona)
    one = (await by_wechat.take(hall, api.item(hall, "A"))).json()
    other = (await by_alipay.take(hall, api.item(hall, "E"))).json()
    await real_name(by_wechat, persona)
    await real_name(by_alipay, persona)
    for who in (by_wechat, by_alipay):
        listed = {ticket["id"] for ticket in (await who.get("/tickets")).json()["data"]}
        assert listed == {one["id"], other["id"]}
        for ticket in (one, other):
            shown = await who.get(f"/tickets/{ticket['id']}")
            assert (shown.status_code, shown.json()["number"]) == (200, ticket["number"])
        refreshed = await api.http.post(
            "/api/v1/sessions/refresh", json={"refresh_token": who.session["refresh_token"]}
        )
        assert refreshed.status_code == 200
        anew = Person(api.http, refreshed.json()["access_token"], {})
        assert (await me(anew))["id"] == (await me(by_wechat))["id"]


async def test_of_two_open_tickets_for_one_item_the_later_is_given_up(api: Api) -> None:
    hall, persona = await api.quiet_hall(), await a_persona(api)
    by_wechat = await through(api, "wechat", persona)
    by_alipay = await through(api, "alipay", persona)
    item = api.item(hall, "E")
    kept = (await by_alipay.take(hall, item)).json()
    given_up = (await by_wechat.take(hall, item)).json()
    await real_name(by_wechat, persona)
    await real_name(by_alipay, persona)
    states = {t["id"]: t["state"] for t in (await by_wechat.get("/tickets")).json()["data"]}
    assert states == {kept["id"]: "waiting", given_up["id"]: "cancelled"}
    events = await rows(
        "SELECT move, detail FROM ticket_event WHERE ticket_id = $1 ORDER BY id", given_up["id"]
    )
    assert [event["move"] for event in events] == ["issue", "merge"]
    assert events[1]["detail"] == "accounts_joined"
    assert (await by_alipay.take(hall, item)).json()["code"] == "already_in_line"


async def test_a_token_from_before_acts_for_the_joined_citizen(api: Api) -> None:
    hall, persona = await api.quiet_hall(), await a_persona(api)
    by_wechat = await through(api, "wechat", persona)
    by_alipay = await through(api, "alipay", persona)
    await real_name(by_wechat, persona)
    await real_name(by_alipay, persona)
    ticket = (await by_alipay.take(hall, api.item(hall, "E"))).json()
    assert (await by_wechat.get(f"/tickets/{ticket['id']}")).status_code == 200
    assert (await by_wechat.post(f"/tickets/{ticket['id']}/cancel")).status_code == 200


async def test_a_socket_from_before_watches_tickets_of_the_joined_citizen(api: Api) -> None:
    hall, persona = await api.quiet_hall(), await a_persona(api)
    by_wechat = await through(api, "wechat", persona)
    by_alipay = await through(api, "alipay", persona)
    ticket = (await by_wechat.take(hall, api.item(hall, "E"))).json()
    url = api.url.replace("http", "ws") + "/api/v1/live"
    async with connect(url, proxy=None) as ws:
        await ws.send(json.dumps({"op": "sign_in", "token": by_alipay.token}))
        await ws.recv()
        await real_name(by_wechat, persona)
        await real_name(by_alipay, persona)
        await ws.send(json.dumps({"op": "watch", "topic": f"ticket:{ticket['id']}"}))
        heard = json.loads(await ws.recv())
    assert (heard["type"], heard["data"]["number"]) == ("state", ticket["number"]), heard


async def test_a_process_that_has_not_heard_still_takes_a_number_for_her(api: Api) -> None:
    hall, persona = await api.quiet_hall(), await a_persona(api)
    by_wechat = await through(api, "wechat", persona)
    by_alipay = await through(api, "alipay", persona)
    await real_name(by_wechat, persona)
    await real_name(by_alipay, persona)
    api.services.tokens.joined = {}
    reply = await by_alipay.take(hall, api.item(hall, "E"))
    assert reply.status_code == 201, reply.text
    listed = (await by_wechat.get("/tickets")).json()["data"]
    assert [ticket["id"] for ticket in listed] == [reply.json()["id"]]


async def test_the_province_finds_whom_wechat_named(api: Api) -> None:
    persona = await a_persona(api)
    by_wechat = await through(api, "wechat", persona)
    await real_name(by_wechat, persona)
    by_province = await through(api, "province", persona)
    assert (await me(by_province))["id"] == (await me(by_wechat))["id"]


async def test_a_phone_that_changed_hands_joins_nobody(api: Api) -> None:
    lin, chen = await a_persona(api), await a_persona(api)
    assert lin.phone == chen.phone
    first, second = await through(api, "province", lin), await through(api, "province", chen)
    assert (await me(first))["phone"] == (await me(second))["phone"] == "138****5678"
    assert (await me(first))["id"] != (await me(second))["id"]


async def test_a_known_account_does_not_become_somebody_else(api: Api) -> None:
    lin, chen = await a_persona(api), await a_persona(api, name="陈明")
    hers = await through(api, "wechat", lin)
    await real_name(hers, lin)
    before = await me(hers)
    reply = await real_name(hers, chen)
    assert (reply.status_code, reply.json()["code"]) == (409, "identity_fixed")
    assert await me(hers) == before


@pytest.mark.parametrize(
    ("said", "status", "code"),
    [
        ({"name": "王伟"}, 422, "identity_mismatch"),
        ({"id_number": "441900199003070011"}, 422, "invalid_request"),
        ({"id_number": "11010119900230001X"}, 422, "invalid_request"),
        ({"id_type": "driving_licence"}, 422, "invalid_request"),
        ({"name": " "}, 422, "invalid_request"),
        ({"certify_id": "somebody-elses"}, 422, "face_not_passed"),
    ],
)
async def test_what_is_not_true_changes_nothing(
    api: Api, said: dict[str, str], status: int, code: str
) -> None:
    persona = await a_persona(api)
    who = await through(api, "wechat", persona)
    before = await me(who)
    reply = await real_name(who, persona, **said)
    assert (reply.status_code, reply.json()["code"]) == (status, code), reply.text
    assert persona.id_number not in reply.text
    assert await me(who) == before


async def test_forty_at_once_through_two_channels_are_always_one_citizen(api: Api) -> None:
    hall = await api.quiet_hall()
    for _ in range(ROUNDS):
        number = an_id_number()
        people = await gather(*(_a_visitor(api, number, nth) for nth in range(AT_ONCE // 20)))
        tickets = [
            (await person.take(hall, api.item(hall, "E", nth=nth))).json()["id"]
            for nth, (person, _) in enumerate(people)
        ]
        replies: list[httpx.Response] = await gather(
            *(real_name(*people[nth % len(people)]) for nth in range(AT_ONCE))
        )
        assert {reply.status_code for reply in replies} == {200}, [r.text for r in replies][:3]
        assert len({str((await me(person))["id"]) for person, _ in people}) == 1
        for person, _ in people:
            listed = {ticket["id"] for ticket in (await person.get("/tickets")).json()["data"]}
            assert listed == set(tickets)
        for person, _ in people:
            for ticket in tickets:
                await person.post(f"/tickets/{ticket}/cancel")


async def _a_visitor(api: Api, number: str, nth: int) -> tuple[Person, Persona]:
    persona = await a_persona(api, number)
    return await through(api, ("wechat", "alipay")[nth % 2], persona), persona
