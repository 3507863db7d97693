"""The province as the sandbox plays it: its page, its errors, its own doors."""

from typing import Any

import httpx
import pytest

from integrations.sandbox import SandboxSettings
from tests.integrations.province_walks import (
    ID_NUMBER,
    REDIRECT,
    Walk,
    break_endpoint,
    challenge_of,
    guangdong_door,
    oidc_door,
)
from tests.integrations.sandbox_running import RunningSandbox, running

VERIFIER = "v" * 43
PATHS = ["/province/authorize", "/tif/sso/connect/page/oauth2/authorize"]


def asked(**other: str) -> dict[str, str]:
    return {
        "response_type": "code",
        "client_id": "yiting-demo",
        "redirect_uri": REDIRECT,
        "state": "s",
        "nonce": "n",
        "code_challenge": challenge_of(VERIFIER),
        "code_challenge_method": "S256",
    } | other


@pytest.mark.parametrize("path", PATHS)
async def test_the_page_lists_everybody_and_trusts_no_name(
    sandbox: RunningSandbox, path: str
) -> None:
    await sandbox.persona(name="<script>张三</script>")
    reply = await sandbox.http.get(path, params=asked(state='"><b>'))
    assert (reply.status_code, reply.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "&lt;script&gt;张三" in reply.text
    assert "<script>" not in reply.text
    assert "<b>" not in reply.text
    assert f"persona={ID_NUMBER}" in reply.text


async def test_the_page_finds_people_by_name_or_number_and_keeps_what_was_asked(
    sandbox: RunningSandbox,
) -> None:
    await sandbox.persona(name="<b>林</b>", id_number="441900199003070016")
    await sandbox.persona(name="陈静", id_number="441900198805050014")
    for words, found, other in (("陈", "陈静", "林"), ("9900307", "&lt;b&gt;林", "陈静")):
        reply = await sandbox.http.get(PATHS[0], params=asked(find=words))
        assert found in reply.text
        assert other not in reply.text
        assert f'name="state" value="{asked()["state"]}"' in reply.text
        assert "<b>" not in reply.text
    reply = await sandbox.http.get(PATHS[0], params=asked(find='"><script>'))
    assert "没有这样的人" in reply.text
    assert "<script>" not in reply.text


async def test_a_page_for_nobody_says_how_to_make_somebody(sandbox: RunningSandbox) -> None:
    assert "/_sandbox/personas" in (await sandbox.http.get(PATHS[0], params=asked())).text


@pytest.mark.parametrize("path", PATHS)
async def test_somebody_who_has_chosen_is_sent_back_with_a_code(
    sandbox: RunningSandbox, http: httpx.AsyncClient, path: str
) -> None:
    reply = await sandbox.http.get(path, params=asked(persona=ID_NUMBER))
    assert reply.status_code == 302
    back = httpx.URL(reply.headers["location"])
    assert str(back).startswith(f"{REDIRECT}?")
    assert back.params["state"] == "s"
    walk = Walk(sandbox, guangdong_door(sandbox, http), verifier=VERIFIER)
    assert (await walk.finish(back.params["code"])).id_number == ID_NUMBER


async def test_a_link_of_the_page_leads_back_with_a_code(sandbox: RunningSandbox) -> None:
    await sandbox.persona()
    page = await sandbox.http.get(PATHS[0], params=asked(state="a&b"))
    link = page.text.split('<a href="')[1].split('"')[0].replace("&amp;", "&")
    reply = await sandbox.http.get(PATHS[0] + link)
    assert httpx.URL(reply.headers["location"]).params["state"] == "a&b"


@pytest.mark.parametrize(
    ("other", "error"),
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"code_challenge": ""}, "invalid_request"),
        ({"code_challenge": "short"}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
    ],
)
async def test_what_the_client_asked_wrongly_goes_back_to_the_client(
    sandbox: RunningSandbox, other: dict[str, str], error: str
) -> None:
    reply = await sandbox.http.get(PATHS[0], params=asked(**other))
    back = httpx.URL(reply.headers["location"])
    assert (back.params["error"], back.params["state"]) == (error, "s")
    body = {"id_number": ID_NUMBER, "authorize_url": str(reply.request.url)}
    told = (await sandbox.http.post("/_sandbox/province/authorize", json=body)).json()
    assert (told["error"], told["state"]) == (error, "s")


@pytest.mark.parametrize(
    "other",
    [
        {"client_id": "somebody"},
        {"redirect_uri": ""},
        {"redirect_uri": "javascript:alert(1)"},
        {"redirect_uri": "https://city.example/#x"},
        {"redirect_uri": "http://[::1"},
    ],
)
async def test_a_client_or_address_in_doubt_is_told_to_nobody_else(
    sandbox: RunningSandbox, other: dict[str, str]
) -> None:
    reply = await sandbox.http.get(PATHS[0], params=asked(**other))
    assert (reply.status_code, "location" in reply.headers) == (400, False)
    body = {"id_number": ID_NUMBER, "authorize_url": str(reply.request.url)}
    told = await sandbox.http.post("/_sandbox/province/authorize", json=body)
    assert told.status_code == 400


async def test_a_province_may_know_its_redirect_addresses() -> None:
    async with running(SandboxSettings(province_redirects=(REDIRECT,))) as sandbox:
        good = await sandbox.http.get(PATHS[0], params=asked(persona=ID_NUMBER))
        other = asked(persona=ID_NUMBER, redirect_uri="https://evil.example/")
        bad = await sandbox.http.get(PATHS[0], params=other)
    assert (good.status_code, bad.status_code) == (302, 400)


async def test_a_persona_that_cannot_be_is_refused(sandbox: RunningSandbox) -> None:
    assert (await sandbox.http.get(PATHS[0], params=asked(persona="张"))).status_code == 400
    locked = await sandbox.persona(blocked=True)
    reply = await sandbox.http.get(PATHS[0], params=asked(persona=locked["id_number"]))
    assert "error=access_denied" in reply.headers["location"]


@pytest.mark.parametrize("level", [-1, 4, "2", 1.5])
async def test_a_level_is_0_to_3(sandbox: RunningSandbox, level: Any) -> None:
    body = {"id_number": ID_NUMBER, "level": level}
    assert (await sandbox.http.post("/_sandbox/personas", json=body)).status_code == 400


async def test_a_persona_has_level_2_until_told_otherwise(sandbox: RunningSandbox) -> None:
    assert (await sandbox.persona())["level"] == 2
    assert (await sandbox.persona(level=3))["level"] == 3
    assert (await sandbox.persona())["level"] == 3


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b'{"id_number": "A1234567"}',
        b'{"id_number": "A1234567", "authorize_url": "http://[::1?x"}',
        b'{"id_number": "A1234567", "authorize_url": "x", "tamper": "everything"}',
    ],
)
async def test_a_walk_that_cannot_be_is_refused(sandbox: RunningSandbox, body: bytes) -> None:
    reply = await sandbox.http.post("/_sandbox/province/authorize", content=body)
    assert reply.status_code == 400


# --- the token endpoint, as any client meets it ---


async def spend(sandbox: RunningSandbox, auth: Any = None, **form: str) -> httpx.Response:
    account = sandbox.settings
    return await sandbox.http.post(
        "/province/token",
        data={"grant_type": "authorization_code", "code": "c", "redirect_uri": REDIRECT} | form,
        auth=auth or (account.province_client_id, account.province_secret),
    )


@pytest.mark.parametrize("auth", [("yiting-demo", "wrong"), ("somebody", "x"), ("", "")])
async def test_another_client_is_refused_with_401(sandbox: RunningSandbox, auth: Any) -> None:
    reply = await spend(sandbox, auth)
    assert (reply.status_code, reply.json()["error"]) == (401, "invalid_client")
    assert reply.headers["www-authenticate"].startswith("Basic")


@pytest.mark.parametrize("authorization", ["", "Basic", "Basic %%%", "Basic /w==", "Bearer x"])
async def test_a_client_without_credentials_is_refused(
    sandbox: RunningSandbox, authorization: str
) -> None:
    headers = {"Authorization": authorization}
    reply = await sandbox.http.post("/province/token", headers=headers)
    assert (reply.status_code, reply.json()["error"]) == (401, "invalid_client")


@pytest.mark.parametrize(
    ("form", "error"),
    [
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"code": ""}, "invalid_request"),
        ({"redirect_uri": ""}, "invalid_request"),
        ({"code": "nobody-gave-it"}, "invalid_grant"),
    ],
)
async def test_the_token_endpoint_says_what_rfc_6749_says(
    sandbox: RunningSandbox, form: dict[str, str], error: str
) -> None:
    reply = await spend(sandbox, **form)
    assert (reply.status_code, reply.json()["error"]) == (400, error)
    assert reply.headers["cache-control"] == "no-store"


async def test_a_verifier_is_needed_even_for_a_ready_made_code(sandbox: RunningSandbox) -> None:
    code = (await sandbox.persona())["province_code"]
    assert (await spend(sandbox, code=code)).json()["error"] == "invalid_grant"


@pytest.mark.parametrize("authorization", ["", "Bearer", "Bearer nonsense", "Basic eDp4"])
async def test_userinfo_opens_to_a_living_token_only(
    sandbox: RunningSandbox, authorization: str
) -> None:
    headers = {"Authorization": authorization}
    reply = await sandbox.http.get("/province/userinfo", headers=headers)
    assert (reply.status_code, reply.json()["error"]) == (401, "invalid_token")
    assert "invalid_token" in reply.headers["www-authenticate"]


async def test_a_token_dies_after_two_hours(sandbox: RunningSandbox) -> None:
    code = (await sandbox.persona())["province_code"]
    token = (await spend(sandbox, code=code, code_verifier=VERIFIER)).json()["access_token"]
    headers = {"Authorization": f"Bearer {token}"}
    assert (await sandbox.http.get("/province/userinfo", headers=headers)).status_code == 200
    sandbox.clock.move(7200)
    assert (await sandbox.http.get("/province/userinfo", headers=headers)).status_code == 401


@pytest.mark.parametrize(
    ("errcode", "status"), [("invalid_grant", 400), ("temporarily_unavailable", 503), (-1, 500)]
)
async def test_errors_on_demand_have_their_own_status(
    sandbox: RunningSandbox, errcode: Any, status: int
) -> None:
    await break_endpoint(sandbox, "province.token", "error", errcode=errcode)
    assert (await spend(sandbox)).status_code == status


async def test_the_two_shapes_share_people_and_codes(
    sandbox: RunningSandbox, http: httpx.AsyncClient
) -> None:
    oidc = Walk(sandbox, oidc_door(sandbox, http))
    guangdong = Walk(sandbox, guangdong_door(sandbox, http))
    one = await oidc.finish(await oidc.code())
    other = await guangdong.finish(await guangdong.code())
    assert one == other
