"""Signing in with WeChat, against the sandbox."""

import logging
import pickle
import time

import httpx
import pytest
from structlog.testing import capture_logs

from integrations.ports import PlatformRefused, PlatformUnavailable, SignIn, Visitor
from integrations.wechat import WeChatSignIn
from tests.integrations.sandbox_running import RunningSandbox


async def test_a_code_becomes_a_visitor(sandbox: RunningSandbox, door: SignIn) -> None:
    persona = await sandbox.persona()
    assert await door.who_is(persona["wechat_code"]) == Visitor(
        platform="wechat",
        app_id=sandbox.settings.wechat_app_id,
        subject=persona["openid"],
        union_subject=persona["unionid"],
    )


async def test_a_used_code_is_refused(sandbox: RunningSandbox, door: SignIn) -> None:
    code = (await sandbox.persona())["wechat_code"]
    await door.who_is(code)
    with pytest.raises(PlatformRefused) as refused:
        await door.who_is(code)
    assert (refused.value.reason, refused.value.platform_code) == ("code_used", "40163")


async def test_an_expired_code_is_refused(sandbox: RunningSandbox, door: SignIn) -> None:
    code = (await sandbox.persona())["wechat_code"]
    sandbox.clock.move(300)
    with pytest.raises(PlatformRefused) as refused:
        await door.who_is(code)
    assert (refused.value.reason, refused.value.platform_code) == ("code_invalid", "40029")


async def test_a_blocked_user_is_refused(sandbox: RunningSandbox, door: SignIn) -> None:
    code = (await sandbox.persona(blocked=True))["wechat_code"]
    with pytest.raises(PlatformRefused) as refused:
        await door.who_is(code)
    assert (refused.value.reason, refused.value.platform_code) == ("user_blocked", "40226")


async def test_too_many_sign_ins_are_refused(sandbox: RunningSandbox, door: SignIn) -> None:
    await sandbox.break_login("error", errcode=45011, times=1)
    with pytest.raises(PlatformRefused) as refused:
        await door.who_is("any")
    assert (refused.value.reason, refused.value.platform_code) == ("too_often", "45011")


@pytest.mark.parametrize("code", ["", "x" * 513, "a\nb", "码", "\ud800", "a\x00"])
async def test_what_cannot_be_a_code_is_refused_without_asking(
    sandbox: RunningSandbox, door: SignIn, code: str
) -> None:
    with pytest.raises(PlatformRefused) as refused:
        await door.who_is(code)
    assert (refused.value.reason, refused.value.platform_code) == ("code_invalid", None)
    assert await sandbox.logins_asked() == 0


@pytest.mark.parametrize("code", ["a&appid=other", "a#b", "a%00b", "a+b c", "../../x?y=z"])
async def test_a_crooked_code_stays_one_parameter(
    sandbox: RunningSandbox, door: SignIn, code: str
) -> None:
    with pytest.raises(PlatformRefused) as refused:
        await door.who_is(code)
    assert refused.value.platform_code == "40029"


@pytest.mark.parametrize(("app_id", "secret"), [("wx-other", None), (None, "wrong"), ("", None)])
async def test_our_own_wrong_account_is_logged_as_our_fault_and_never_the_callers(
    sandbox: RunningSandbox, http: httpx.AsyncClient, app_id: str | None, secret: str | None
) -> None:
    account = sandbox.settings
    door = WeChatSignIn(
        http,
        sandbox.url,
        account.wechat_app_id if app_id is None else app_id,
        account.wechat_secret if secret is None else secret,
    )
    code = (await sandbox.persona())["wechat_code"]
    with capture_logs() as logs, pytest.raises(PlatformUnavailable) as unavailable:
        await door.who_is(code)
    assert unavailable.value.retry_after_s == 60
    assert [(entry["event"], entry["log_level"]) for entry in logs] == [
        ("wechat_sign_in_misconfigured", "error")
    ]
    assert await sandbox.logins_asked() == 1


async def test_busy_is_asked_once_more(sandbox: RunningSandbox, door: SignIn) -> None:
    await sandbox.break_login("error", errcode=-1, times=1)
    persona = await sandbox.persona()
    assert (await door.who_is(persona["wechat_code"])).subject == persona["openid"]
    assert await sandbox.logins_asked() == 2


async def test_busy_twice_is_unavailable(sandbox: RunningSandbox, door: SignIn) -> None:
    await sandbox.break_login("error", errcode=-1)
    with pytest.raises(PlatformUnavailable) as unavailable:
        await door.who_is("any")
    assert unavailable.value.retry_after_s == 1
    assert await sandbox.logins_asked() == 2


@pytest.mark.parametrize("kind", ["http_500", "rubbish"])
async def test_an_answer_we_cannot_use_is_unavailable_and_not_asked_again(
    sandbox: RunningSandbox, door: SignIn, kind: str
) -> None:
    await sandbox.break_login(kind)
    with pytest.raises(PlatformUnavailable):
        await door.who_is("any")
    assert await sandbox.logins_asked() == 1


async def test_an_unknown_errcode_is_unavailable(sandbox: RunningSandbox, door: SignIn) -> None:
    await sandbox.break_login("error", errcode=61024)
    with capture_logs() as logs, pytest.raises(PlatformUnavailable):
        await door.who_is("any")
    assert logs[0]["errcode"] == 61024


async def test_a_hanging_platform_costs_no_more_than_the_budget(
    sandbox: RunningSandbox, http: httpx.AsyncClient
) -> None:
    account = sandbox.settings
    door = WeChatSignIn(
        http, sandbox.url, account.wechat_app_id, account.wechat_secret, budget_s=0.4
    )
    await sandbox.break_login("hang")
    began = time.monotonic()
    with pytest.raises(PlatformUnavailable):
        await door.who_is("any")
    assert 0.3 < time.monotonic() - began < 5
    assert await sandbox.logins_asked() == 1


class _FirstConnectionFails(httpx.AsyncHTTPTransport):
    tries = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.tries += 1
        if self.tries == 1:
            raise httpx.ConnectError("no route", request=request)
        return await super().handle_async_request(request)


async def test_a_failed_connection_is_tried_once_more(sandbox: RunningSandbox) -> None:
    account = sandbox.settings
    persona = await sandbox.persona()
    async with httpx.AsyncClient(transport=_FirstConnectionFails()) as http:
        door = WeChatSignIn(http, sandbox.url, account.wechat_app_id, account.wechat_secret)
        assert (await door.who_is(persona["wechat_code"])).subject == persona["openid"]


async def test_httpx_still_logs_where_it_went(
    sandbox: RunningSandbox, door: SignIn, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="httpx")
    persona = await sandbox.persona()
    await door.who_is(persona["wechat_code"])
    assert f"GET {sandbox.url}/sns/jscode2session " in caplog.text
    assert "secret" not in caplog.text


def test_refusals_survive_a_journey_between_processes() -> None:
    refused = pickle.loads(pickle.dumps(PlatformRefused("code_used", "40163")))
    assert (refused.reason, refused.platform_code) == ("code_used", "40163")
    assert pickle.loads(pickle.dumps(PlatformUnavailable(5))).retry_after_s == 5
