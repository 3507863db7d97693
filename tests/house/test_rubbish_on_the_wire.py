"""Rubbish on the wire: each gets a 4xx or a closed door, and the log stays calm."""

import asyncio
import logging
from asyncio import gather
from urllib.parse import urlsplit

import pytest
from structlog.testing import capture_logs

from tests.conftest import Api
from tests.house.wire import send

SIGN_IN = b"POST /api/v1/sessions/wechat HTTP/1.1\r\nHost: x\r\n"
RUBBISH = {
    "open-bracket": (b"GET http://[::1 HTTP/1.1\r\n\r\n", 400),
    "bad-port": (b"GET http://x:99999999/ HTTP/1.1\r\n\r\n", 400),
    "sanics-own-mark": (b"NONE http://[ HTTP/1.1\r\n\r\n", None),
    "connect": (b"CONNECT x:443 HTTP/1.1\r\n\r\n", 400),
    "no-path": (b"GET ?a=1 HTTP/1.1\r\n\r\n", 400),
    "star": (b"OPTIONS * HTTP/1.1\r\n\r\n", 405),
    "not-ascii": (b"GET /caf\xc3\xa9 HTTP/1.1\r\n\r\n", 400),
    "garbage": (b"\x00\xff\x13\x37 garbage\r\n\r\n", 400),
    "tls": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
    "empty-lines": (b"\r\n\r\n", 400),
    "http-9": (b"GET / HTTP/9.9\r\n\r\n", 400),
    "http-2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
    "four-words": (b"GET / x HTTP/1.1\r\n\r\n", 400),
    "no-colon": (b"GET / HTTP/1.1\r\nHost\r\n\r\n", 400),
    "long-url": (b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\n\r\n", 414),
    "huge-header": (b"GET / HTTP/1.1\r\nX: " + b"y" * 20_000 + b"\r\n\r\n", 431),
    "many-headers": (b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 5000 + b"\r\n", 431),
    "negative-length": (SIGN_IN + b"Content-Length: -5\r\n\r\n", 400),
    "two-lengths": (SIGN_IN + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}", 400),
    "length-and-chunks": (
        SIGN_IN + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        400,
    ),
    "huge-length": (SIGN_IN + b"Content-Length: 99999999999\r\n\r\n{}", 413),
    "bad-chunk": (SIGN_IN + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
    "negative-chunk": (SIGN_IN + b"Transfer-Encoding: chunked\r\n\r\n-1\r\n", 400),
    "huge-chunk": (SIGN_IN + b"Transfer-Encoding: chunked\r\n\r\nfffffff\r\n{}", 413),
    "odd-expectation": (SIGN_IN + b"Expect: magic\r\nContent-Length: 2\r\n\r\n", 400),
    "no-upgrade": (b"GET /api/v1/live HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    "bad-upgrade": (
        b"GET /api/v1/live HTTP/1.1\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n",
        400,
    ),
    "bytes-as-token": (b"GET /api/v1/me HTTP/1.1\r\nAuthorization: Bearer \xff\r\n\r\n", 401),
    "bytes-in-query": (b"GET /api/v1/halls?lat=\xff HTTP/1.1\r\n\r\n", 400),
    "nul-in-path": (b"GET /api/v1/halls/%00 HTTP/1.1\r\n\r\n", 404),
    "dots-in-path": (b"GET /assets/../../app.py HTTP/1.1\r\n\r\n", 404),
    "hidden-dots": (b"GET /assets/..%2f..%2f..%2fapp.py HTTP/1.1\r\n\r\n", 404),
}


def assert_calm(caplog: pytest.LogCaptureFixture, events: list[object]) -> None:
    assert [record for record in caplog.records if record.exc_info] == []
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []
    assert "internal_error" not in str(events)
    assert "Traceback" not in str(events) + caplog.text


@pytest.mark.parametrize("name", RUBBISH)
async def test_rubbish_is_refused_politely(
    api: Api, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    data, status = RUBBISH[name]
    with capture_logs() as events:
        answer = await send(api.url, data)
    assert_calm(caplog, list(events))
    if status is None:
        assert answer.status is not None
        assert 400 <= answer.status < 500
    else:
        assert answer.status == status
    assert answer.problem["status"] == answer.status
    assert (await api.http.get("/healthz")).status_code == 200


async def test_half_a_request_and_then_nothing_holds_nobody_up(
    api: Api, caplog: pytest.LogCaptureFixture
) -> None:
    where = urlsplit(api.url)
    halves = [
        b"",
        b"GET / HT",
        b"GET / HTTP/1.1\r\nHost: x\r\n",
        SIGN_IN + b"Content-Length: 100\r\n\r\n{",
        SIGN_IN + b"Transfer-Encoding: chunked\r\n\r\n5\r\n{",
    ]
    waiting = []
    with capture_logs() as events:
        for data in halves * 10:
            _, writer = await asyncio.open_connection(where.hostname, where.port)
            writer.write(data)
            waiting.append(writer)
        reply = await api.http.get("/healthz", timeout=2)
        assert reply.status_code == 200
        for writer in waiting:
            writer.close()
        await asyncio.sleep(0.05)
    assert_calm(caplog, list(events))


async def test_half_a_request_and_goodbye_is_no_fault(
    api: Api, caplog: pytest.LogCaptureFixture
) -> None:
    with capture_logs() as events:
        for data in (b"GET / HT", SIGN_IN + b"Content-Length: 100\r\n\r\n{"):
            await send(api.url, data, wait_s=0.3, end=True)
        await asyncio.sleep(0.05)
    assert_calm(caplog, list(events))


async def test_a_silent_connection_is_closed_with_a_word(
    api: Api, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(api.app.config, "REQUEST_TIMEOUT", 0.2)
    monkeypatch.setitem(api.app.config, "KEEP_ALIVE_TIMEOUT", 0.2)
    with capture_logs() as events:
        answer = await send(api.url, b"GET / HTTP/1.1\r\nHost: ", wait_s=5)
    assert_calm(caplog, list(events))
    assert answer.raw == b"" or answer.status in (400, 408)


async def test_a_hundred_rubbish_requests_at_once_leave_the_server_well(
    api: Api, caplog: pytest.LogCaptureFixture
) -> None:
    bad = RUBBISH["open-bracket"][0]
    answers = await gather(*(send(api.url, bad) for _ in range(100)))
    assert {answer.status for answer in answers} == {400}
    assert answers[0].problem["instance"] == "*"
    assert_calm(caplog, [])
    assert (await api.http.get("/api/v1/halls")).status_code == 200


async def test_two_requests_in_one_piece_get_two_answers_in_order(api: Api) -> None:
    one = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
    last = b"GET /nowhere HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    where = urlsplit(api.url)
    reader, writer = await asyncio.open_connection(where.hostname, where.port)
    writer.write(one + last)
    both = await asyncio.wait_for(reader.read(), 3)
    writer.close()
    assert both.startswith(b"HTTP/1.1 200")
    assert b"HTTP/1.1 404" in both
