"""Three doors into the city: WeChat, Alipay, the province. Each knows its own again."""

import pytest

from models.database import rows
from tests.conftest import Api
from tests.identity.people import a_persona, knock, sandbox, through

DOORS = ("wechat", "alipay", "province")


async def accounts() -> int:
    [row] = await rows("SELECT count(*) AS n FROM citizen")
    number: int = row["n"]
    return number


@pytest.mark.parametrize("door", DOORS)
async def test_each_door_lets_in_and_knows_its_own_again(api: Api, door: str) -> None:
    persona = await a_persona(api)
    first = await through(api, door, persona)
    me = (await first.get("/me")).json()
    assert me["channels"] == [door]
    again = await through(api, door, await a_persona(api, persona.id_number))
    assert (await again.get("/me")).json()["id"] == me["id"]


@pytest.mark.parametrize("door", DOORS)
async def test_a_code_is_good_once(api: Api, door: str) -> None:
    persona = await a_persona(api)
    await through(api, door, persona)
    before = await accounts()
    reply = await knock(api, door, persona)
    assert (reply.status_code, reply.json()["code"]) == (401, "sign_in_refused")
    assert await accounts() == before


@pytest.mark.parametrize("door", DOORS)
async def test_a_made_up_code_is_refused(api: Api, door: str) -> None:
    persona = await a_persona(api)
    persona.codes |= {f"{each}_code": "made-up-code" for each in DOORS}
    before = await accounts()
    reply = await knock(api, door, persona)
    assert (reply.status_code, reply.json()["code"]) == (401, "sign_in_refused")
    assert await accounts() == before


@pytest.mark.parametrize(
    ("door", "endpoint"),
    [
        ("wechat", "wechat.jscode2session"),
        ("alipay", "alipay.system.oauth.token"),
        ("province", "province.guangdong_access_token"),
    ],
)
@pytest.mark.parametrize("kind", ["http_500", "rubbish"])
async def test_a_platform_that_fails_is_503_and_keeps_nothing(
    api: Api, door: str, endpoint: str, kind: str
) -> None:
    persona = await a_persona(api)
    before = await accounts()
    await sandbox(api, "PUT", "/faults", {"endpoint": endpoint, "kind": kind, "times": 9})
    try:
        reply = await knock(api, door, persona)
    finally:
        await sandbox(api, "DELETE", f"/faults?endpoint={endpoint}")
    assert (reply.status_code, reply.json()["code"]) == (503, "unavailable")
    assert int(reply.headers["retry-after"]) >= 1
    assert await accounts() == before


async def test_a_state_that_was_not_ours_is_refused(api: Api) -> None:
    persona = await a_persona(api)
    body = {"code": persona.codes["province_code"], "state": "not-ours"}
    reply = await api.http.post("/api/v1/sessions/province", json=body)
    assert (reply.status_code, reply.json()["code"]) == (401, "sign_in_refused")


async def test_a_state_comes_back_once(api: Api) -> None:
    state = (await api.http.get("/api/v1/sessions/province/authorize")).json()["state"]
    statuses = []
    for _ in range(2):
        code = (await a_persona(api)).codes["province_code"]
        reply = await api.http.post(
            "/api/v1/sessions/province", json={"code": code, "state": state}
        )
        statuses.append(reply.status_code)
    assert statuses == [200, 401]


async def test_whom_the_province_vouches_for_is_known_by_name_at_once(api: Api) -> None:
    persona = await a_persona(api, level=3)
    me = (await (await through(api, "province", persona)).get("/me")).json()
    assert me["assurance_level"] == 3
    assert (me["name"], me["phone"]) == ("林**", "138****5678")
    assert me["id_number"] == f"{persona.id_number[:4]}**********{persona.id_number[-4:]}"


async def test_whom_the_province_hardly_knows_stays_unnamed(api: Api) -> None:
    persona = await a_persona(api, level=0)
    me = (await (await through(api, "province", persona)).get("/me")).json()
    assert (me["assurance_level"], me["name"], me["id_number"]) == (0, None, None)


async def test_alipays_older_id_finds_the_account_that_its_newer_id_brings(api: Api) -> None:
    persona = await a_persona(api)
    lin = await through(api, "alipay", persona)
    mine = (await lin.get("/me")).json()["id"]
    # As it was before Alipay gave out open ids: she was known by her user id.
    await rows(
        "UPDATE channel_link SET subject = $1, legacy_subject = NULL WHERE citizen_id = $2",
        persona.codes["alipay_user_id"],
        mine,
    )
    for _ in range(2):
        again = await through(api, "alipay", await a_persona(api, persona.id_number))
        assert (await again.get("/me")).json()["id"] == mine
    [link] = await rows(
        "SELECT subject, legacy_subject FROM channel_link WHERE citizen_id = $1", mine
    )
    assert link["subject"] == persona.codes["alipay_open_id"]
    assert link["legacy_subject"] == persona.codes["alipay_user_id"]
