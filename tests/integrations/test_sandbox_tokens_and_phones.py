"""The sandbox's stable_token and getuserphonenumber, asked over a real socket."""

import time
from asyncio import gather

import pytest

from integrations.sandbox.limits import PerWindow
from integrations.sandbox.wechat_tokens import StableTokens
from tests.integrations.sandbox_running import RunningSandbox, running


async def test_asked_again_the_token_is_the_same_and_older(sandbox: RunningSandbox) -> None:
    first = await sandbox.token()
    sandbox.clock.move(100)
    second = await sandbox.token()
    assert first["access_token"] == second["access_token"]
    assert (first["expires_in"], second["expires_in"]) == (7200, 7100)


async def test_a_token_is_renewed_five_minutes_before_its_end_and_both_work_meanwhile(
    sandbox: RunningSandbox,
) -> None:
    old = await sandbox.token()
    sandbox.clock.move(6900)
    same = await sandbox.token()
    assert same == old | {"expires_in": 300}
    sandbox.clock.move(1)
    new = await sandbox.token()
    assert new["access_token"] != old["access_token"]
    assert new["expires_in"] == 7200

    sandbox.clock.move(298)
    for token in (old, new):
        code = (await sandbox.persona())["phone_code"]
        assert (await sandbox.phone(token["access_token"], code))["errcode"] == 0
    sandbox.clock.move(1)
    code = (await sandbox.persona())["phone_code"]
    assert (await sandbox.phone(old["access_token"], code))["errcode"] == 42001
    assert (await sandbox.phone(new["access_token"], code))["errcode"] == 0


async def test_a_token_nobody_renewed_expires(sandbox: RunningSandbox) -> None:
    token = (await sandbox.token())["access_token"]
    sandbox.clock.move(7200)
    code = (await sandbox.persona())["phone_code"]
    assert (await sandbox.phone(token, code))["errcode"] == 42001


async def test_a_forced_refresh_voids_the_old_token(sandbox: RunningSandbox) -> None:
    old = (await sandbox.token())["access_token"]
    new = (await sandbox.token(force_refresh=True))["access_token"]
    code = (await sandbox.persona())["phone_code"]
    assert (await sandbox.phone(old, code))["errcode"] == 40001
    assert (await sandbox.phone(new, code))["errcode"] == 0


async def test_forced_again_within_thirty_seconds_nothing_is_refreshed(
    sandbox: RunningSandbox,
) -> None:
    first = await sandbox.token(force_refresh=True)
    sandbox.clock.move(29)
    assert (await sandbox.token(force_refresh=True))["access_token"] == first["access_token"]
    sandbox.clock.move(1)
    assert (await sandbox.token(force_refresh=True))["access_token"] != first["access_token"]


async def test_a_refresh_is_forced_twenty_times_a_day(sandbox: RunningSandbox) -> None:
    for _ in range(20):
        assert "access_token" in await sandbox.token(force_refresh=True)
        sandbox.clock.move(30)
    assert (await sandbox.token(force_refresh=True))["errcode"] == 45009
    assert "access_token" in await sandbox.token()
    sandbox.clock.move(86_400)
    assert "access_token" in await sandbox.token(force_refresh=True)


@pytest.mark.parametrize(("ending", "errcode"), [("expired", 42001), ("void", 40001)])
async def test_on_demand_a_token_ends_before_its_time_and_a_new_one_is_given(
    sandbox: RunningSandbox, ending: str, errcode: int
) -> None:
    old = (await sandbox.token())["access_token"]
    await sandbox.end_token(ending)
    code = (await sandbox.persona())["phone_code"]
    assert (await sandbox.phone(old, code))["errcode"] == errcode
    new = await sandbox.token()
    assert new["expires_in"] == 7200
    assert (await sandbox.phone(old, code))["errcode"] == errcode
    assert (await sandbox.phone(new["access_token"], code))["errcode"] == 0


async def test_on_demand_a_token_is_refused_though_given_until_a_refresh_is_forced(
    sandbox: RunningSandbox,
) -> None:
    await sandbox.end_token("refused")
    old = (await sandbox.token())["access_token"]
    assert (await sandbox.token())["access_token"] == old
    code = (await sandbox.persona())["phone_code"]
    assert (await sandbox.phone(old, code))["errcode"] == 40001
    new = (await sandbox.token(force_refresh=True))["access_token"]
    assert (await sandbox.phone(new, code))["errcode"] == 0


async def test_tokens_end_in_no_other_way(sandbox: RunningSandbox) -> None:
    for body in (b'{"ending": "lost"}', b'{"when": 1}', b"{"):
        reply = await sandbox.http.post("/_sandbox/wechat/end-token", content=body)
        assert reply.status_code == 400


@pytest.mark.parametrize(
    ("wrong", "errcode"),
    [
        ({"appid": "wx-somebody-else"}, 40013),
        ({"appid": ""}, 41002),
        ({"secret": "not-it"}, 40125),
        ({"secret": ""}, 41004),
        ({"grant_type": "authorization_code"}, 40002),
        ({"force_refresh": "yes"}, 47001),
        ({"appid": 7}, 47001),
    ],
)
async def test_a_wrong_question_gets_no_token(
    sandbox: RunningSandbox, wrong: dict[str, object], errcode: int
) -> None:
    assert (await sandbox.token(**wrong))["errcode"] == errcode


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe", b'{"appid":"\xff"}', b"[" * 100_000])
async def test_a_body_that_is_no_json_is_a_format_error(
    sandbox: RunningSandbox, body: bytes
) -> None:
    reply = await sandbox.http.post("/cgi-bin/stable_token", content=body)
    assert (reply.status_code, reply.json()["errcode"]) == (200, 47001)


def test_ten_thousand_calls_a_minute_and_no_more() -> None:
    window = PerWindow(10_000, 60.0)
    assert all(window.allows("all", 0.0) for _ in range(10_000))
    assert not window.allows("all", 59.9)
    assert window.allows("all", 60.0)


async def test_past_ten_thousand_calls_a_minute_there_is_no_token(
    sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("integrations.sandbox.wechat.PerWindow", lambda _, s: PerWindow(3, s))
    async with running() as small:
        replies = [await small.token() for _ in range(4)]
        assert [r.get("errcode", 0) for r in replies] == [0, 0, 0, 45009]


def test_a_normal_token_always_has_five_minutes_left_and_at_most_two_hours() -> None:
    tokens = StableTokens(7200, 300)
    now = 0.1
    while now < 50_000:
        assert 300 <= int(tokens.normal(now).dies_at - now) <= 7200
        now += 17.3


async def test_a_phone_code_tells_the_number_with_our_watermark(sandbox: RunningSandbox) -> None:
    persona = await sandbox.persona(phone="13800138000")
    token = (await sandbox.token())["access_token"]
    reply = await sandbox.phone(token, persona["phone_code"])
    mark = reply["phone_info"].pop("watermark")
    assert reply == {
        "errcode": 0,
        "errmsg": "ok",
        "phone_info": {
            "phoneNumber": "13800138000",
            "purePhoneNumber": "13800138000",
            "countryCode": "86",
        },
    }
    assert mark["appid"] == sandbox.settings.wechat_app_id
    assert abs(mark["timestamp"] - time.time()) < 5


@pytest.mark.parametrize(
    ("phone", "told"),
    [
        ("+8613800138000", ("13800138000", "13800138000", "86")),
        ("+86 13800138000", ("13800138000", "13800138000", "86")),
        ("+852 91234567", ("+85291234567", "91234567", "852")),
        ("+853-61234567", ("+85361234567", "61234567", "853")),
    ],
)
async def test_a_foreign_number_carries_its_country(
    sandbox: RunningSandbox, phone: str, told: tuple[str, str, str]
) -> None:
    persona = await sandbox.persona(phone=phone)
    token = (await sandbox.token())["access_token"]
    info = (await sandbox.phone(token, persona["phone_code"]))["phone_info"]
    assert (info["phoneNumber"], info["purePhoneNumber"], info["countryCode"]) == told


async def test_a_phone_code_works_once_also_for_twenty_at_once(sandbox: RunningSandbox) -> None:
    code = (await sandbox.persona())["phone_code"]
    token = (await sandbox.token())["access_token"]
    replies = await gather(*(sandbox.phone(token, code) for _ in range(20)))
    assert sorted(r["errcode"] for r in replies) == [0] + [40029] * 19


async def test_a_bad_phone_code_is_refused(sandbox: RunningSandbox) -> None:
    persona = await sandbox.persona()
    token = (await sandbox.token())["access_token"]
    for code in ("", "nobody-has-it", persona["wechat_code"]):
        assert (await sandbox.phone(token, code))["errcode"] == 40029
    sandbox.clock.move(300)
    assert (await sandbox.phone(token, persona["phone_code"]))["errcode"] == 40029


async def test_without_a_good_token_a_phone_code_stays_unspent(sandbox: RunningSandbox) -> None:
    code = (await sandbox.persona())["phone_code"]
    assert (await sandbox.phone("", code))["errcode"] == 41001
    assert (await sandbox.phone("made-up", code))["errcode"] == 40001
    token = (await sandbox.token())["access_token"]
    assert (await sandbox.phone(token, code))["errcode"] == 0


async def test_a_phone_body_that_is_no_json_is_a_format_error(sandbox: RunningSandbox) -> None:
    token = (await sandbox.token())["access_token"]
    path = f"/wxa/business/getuserphonenumber?access_token={token}"
    for body in (b"", b"[]", b"\xff", b'{"code": 7}'):
        assert (await sandbox.http.post(path, content=body)).json()["errcode"] == 47001
