"""Signing in with WeChat when servers and logs are worse than the sandbox can play."""

import logging
import socket
import time
import traceback

import httpx
import pytest
from structlog.testing import capture_logs

from integrations.ports import PlatformRefused, PlatformUnavailable, Visitor
from integrations.wechat import WeChatSignIn
from tests.integrations.raw_server import a_server_that_answers, ok

APP_ID, SECRET, CODE = "wx-tests", "do-not-tell-this-secret", "do-not-tell-this-code"


async def test_the_pause_before_the_second_try_counts_against_the_budget(
    http: httpx.AsyncClient,
) -> None:
    async with a_server_that_answers(ok(b'{"errcode":-1}')) as (url, heard):
        door = WeChatSignIn(http, url, APP_ID, SECRET, budget_s=0.1)
        began = time.monotonic()
        with pytest.raises(PlatformUnavailable):
            await door.who_is(CODE)
    assert time.monotonic() - began < 2
    assert len(heard) == 1


async def test_a_closed_door_is_unavailable(http: httpx.AsyncClient) -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    with capture_logs() as logs, pytest.raises(PlatformUnavailable):
        await WeChatSignIn(http, f"http://127.0.0.1:{port}", APP_ID, SECRET).who_is(CODE)
    assert [entry["why"] for entry in logs] == ["unreachable"]


async def test_a_lost_answer_is_not_asked_again_because_the_code_may_be_spent(
    http: httpx.AsyncClient,
) -> None:
    async with a_server_that_answers(b"") as (url, heard):
        with pytest.raises(PlatformUnavailable):
            await WeChatSignIn(http, url, APP_ID, SECRET).who_is(CODE)
    assert len(heard) == 1


async def test_a_redirect_is_not_followed_with_our_secret(http: httpx.AsyncClient) -> None:
    async with a_server_that_answers(ok(b"{}")) as (elsewhere, heard_elsewhere):
        moved = f"HTTP/1.1 302 Found\r\nLocation: {elsewhere}/\r\nContent-Length: 0\r\n\r\n"
        async with a_server_that_answers(moved.encode()) as (url, _):
            with pytest.raises(PlatformUnavailable):
                await WeChatSignIn(http, url, APP_ID, SECRET).who_is(CODE)
    assert heard_elsewhere == []


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"[]",
        b"null",
        b'{"openid": 7}',
        b'{"openid": ""}',
        b'{"openid": "o\xff"}',
        b'{"openid": null, "errcode": 0}',
        b'{"errcode": "40029"}',
        b'{"openid": "o1", "unionid": []}',
        b'{"z":' + b"[" * 100_000,
        b'{"openid": "' + b"o" * 200 + b'"}',
        b'{"errcode": 99999999999999999999999999}',
    ],
)
async def test_rubbish_of_any_shape_is_unavailable(http: httpx.AsyncClient, body: bytes) -> None:
    async with a_server_that_answers(ok(body)) as (url, _):
        with pytest.raises(PlatformUnavailable):
            await WeChatSignIn(http, url, APP_ID, SECRET).who_is(CODE)


async def test_an_explicit_zero_and_unknown_fields_are_fine(http: httpx.AsyncClient) -> None:
    body = b'{"errcode": 0, "errmsg": "ok", "openid": "o1", "session_key": "k", "new": [1]}'
    async with a_server_that_answers(ok(body)) as (url, _):
        visitor = await WeChatSignIn(http, url, APP_ID, SECRET).who_is(CODE)
    assert visitor == Visitor("wechat", APP_ID, "o1", None)


@pytest.mark.parametrize(
    "raw",
    [ok(b'{"errcode": 40029}'), ok(b'{"errcode": 40125}'), ok(b"<html>"), b"", b"rubbish\r\n\r\n"],
)
async def test_neither_errors_nor_logs_tell_the_secret_or_the_code(
    http: httpx.AsyncClient, caplog: pytest.LogCaptureFixture, raw: bytes
) -> None:
    caplog.set_level(logging.DEBUG)
    async with a_server_that_answers(raw) as (url, _):
        door = WeChatSignIn(http, url, APP_ID, SECRET)
        with capture_logs() as logs, pytest.raises((PlatformRefused, PlatformUnavailable)) as no:
            await door.who_is(CODE)
    told = "\n".join(
        [repr(door), repr(no.value), caplog.text, repr(logs), *traceback.format_exception(no.value)]
    )
    assert "do-not-tell" not in told
