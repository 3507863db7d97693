"""What is logged names routes and halls, never a person, a code or a token."""

import logging
import re

import httpx
import pytest
import structlog
from structlog.testing import capture_logs

from integrations.sandbox import SandboxSettings
from models.database import rows
from server.running.logs import configure_logs
from tests.conftest import Api, City
from tests.people import PASSWORD, Person, an_id_number


async def a_persona(sandbox_url: str) -> dict[str, str]:
    async with httpx.AsyncClient(trust_env=False) as http:
        asked = {"id_number": an_id_number(), "name": "林小满", "phone": "13912345678"}
        reply = await http.post(f"{sandbox_url}/_sandbox/personas", json=asked)
        found: dict[str, str] = reply.json()
        return found


async def a_visit(http: httpx.AsyncClient, persona: dict[str, str], item: str) -> list[str]:
    """Sign in, take a number, make mistakes, refresh, sign out; what no log may hold."""
    code = persona["wechat_code"]
    signed_in = await http.post("/api/v1/sessions/wechat", json={"code": code})
    assert signed_in.status_code == 200
    session = signed_in.json()
    lin = Person(http, session["access_token"], session)
    taken = await lin.post("/tickets", {"hall": "dg-33", "item": item}, Idempotency_Key="my-key")
    assert taken.status_code == 201
    await lin.get(f"/tickets/{taken.json()['id']}")
    await http.post("/api/v1/sessions/wechat", json={"code": code})
    await http.get(f"/api/v1/halls?lat=22.8&lng=113.673061&rank=x&token={lin.token}")
    await http.get("/api/v1/me", headers={"Authorization": f"Bearer {lin.token}x"})
    refresh_token = session["refresh_token"]
    pair = await http.post("/api/v1/sessions/refresh", json={"refresh_token": refresh_token})
    await http.post("/api/v1/sessions/refresh", json={"refresh_token": refresh_token})
    await http.post(
        "/api/v1/staff/sessions", json={"username": "clerk.dg-33.01", "password": PASSWORD}
    )
    return [
        code,
        persona["openid"],
        persona["unionid"],
        persona["id_number"],
        persona["name"],
        persona["phone"],
        refresh_token,
        pair.json()["refresh_token"],
        *lin.token.split("."),
        session["citizen"]["id"],
        "my-key",
        PASSWORD,
        "113.673061",
    ]


def assert_discreet(text: str, secrets: list[str]) -> None:
    for secret in secrets:
        assert secret not in text, f"the log holds {secret[:6]}…"


async def test_a_visit_leaves_no_trace_of_who_it_was(
    api: Api, caplog: pytest.LogCaptureFixture
) -> None:
    with capture_logs() as events, caplog.at_level(logging.INFO):
        secrets = await a_visit(api.http, await a_persona(api.sandbox_url), api.item("dg-33", "E"))
    logged = [event for event in events if event["event"] == "request"]
    assert len(logged) >= 7
    assert {"method", "route", "status", "took_ms", "id"} <= set(logged[0])
    assert_discreet(f"{events} {caplog.text}", [*secrets, SandboxSettings().wechat_app_id])


async def test_a_failing_platform_is_logged_without_the_code(
    api: Api, caplog: pytest.LogCaptureFixture
) -> None:
    persona = await a_persona(api.sandbox_url)
    fault = {"endpoint": "wechat.jscode2session", "kind": "http_500", "times": 1}
    async with httpx.AsyncClient(trust_env=False) as http:
        await http.put(f"{api.sandbox_url}/_sandbox/faults", json=fault)
    with capture_logs() as events, caplog.at_level(logging.DEBUG, logger="httpx"):
        reply = await api.http.post(
            "/api/v1/sessions/wechat", json={"code": persona["wechat_code"]}
        )
    assert reply.status_code == 503
    assert "wechat_sign_in_unavailable" in str(events)
    text = f"{events} {caplog.text}"
    secret = SandboxSettings().wechat_secret
    assert_discreet(text, [persona["wechat_code"], persona["openid"], secret])


async def test_a_fault_of_ours_is_logged_once_without_what_was_said(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    lin = await api.citizen()

    async def broken(*_: object, **__: object) -> None:
        secret_thing = "what she said"
        raise RuntimeError(f"broken {len(secret_thing)}")

    monkeypatch.setattr("server.tickets.routes.rows", broken)
    with capture_logs() as events:
        reply = await lin.get("/tickets?cursor=0190c0de-0000-7000-8000-000000000000")
    assert (reply.status_code, reply.json()["code"]) == (500, "internal_error")
    assert "broken" not in reply.text
    assert [event["event"] for event in events] == ["internal_error", "request"]


async def test_reads_that_succeed_are_not_logged(api: Api) -> None:
    with capture_logs() as events:
        await api.http.get("/api/v1/halls")
        await api.http.get("/api/v1/halls/dg-01/board")
    assert [event for event in events if event["event"] == "request"] == []


def test_tracebacks_are_logged_without_local_variables(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("info")
    try:
        id_number = "441900199003072345"
        try:
            raise ValueError(len(id_number))
        except ValueError:
            structlog.get_logger("test").error("fault", exc_info=True)
            logging.getLogger("library").exception("fault")
        text = capsys.readouterr().err
        assert text.count("Traceback") == 2
        assert id_number not in text
        assert all(line.startswith("{") for line in text.splitlines())
    finally:
        configure_logs("info")


async def test_what_a_city_writes_to_its_files_is_discreet_too(city: City) -> None:
    async with httpx.AsyncClient(base_url=city.url, trust_env=False) as http:
        found = await http.get("/api/v1/items", params={"hall": "dg-33", "limit": 100})
        [item, *_] = [
            entry["code"] for entry in found.json()["data"] if entry["level_required"] == 0
        ]
        secrets = await a_visit(http, await a_persona(city.sandbox_url), item)
    text = "".join(path.read_text() for path in (city.data_dir / "logs").glob("*.log"))
    assert '"event":"request"' in text
    assert_discreet(text, secrets)
    assert re.search(r"eyJ[\w-]+\.eyJ", text) is None


async def test_secrets_are_not_stored_as_they_are(api: Api) -> None:
    lin = await api.citizen()
    token = lin.session["refresh_token"]
    assert not await rows("SELECT 1 FROM refresh_token WHERE digest = $1", token)
    hashes = await rows("SELECT password_hash FROM staff")
    assert all(row["password_hash"].startswith("$argon2id$") for row in hashes)
