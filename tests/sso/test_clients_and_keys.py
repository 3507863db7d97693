"""Who may be registered, by whom, and the keys that sign for all of them."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from models.database import rows, transaction
from server.settings import Settings, WrongSettings, read_settings, require_single_sign_on
from server.sso import grants
from server.sso.keys import SigningKeys, rotate_signing_keys, write_signing_keys
from server.sso.provider import Provider
from server.sso.registration import fault_of_address
from tests.conftest import Api
from tests.people import Person, a_member_of_staff
from tests.sso.departments import Browser, Department, claims_of, register, tokens_of

CLIENTS = "/api/v1/admin/sso/clients"


async def test_only_admins_register_systems(api: Api, lin: Person) -> None:
    clerk = await api.clerk("dg-01")
    manager = await a_member_of_staff(api.http, "manager.dg-01")
    for nobody in (clerk, manager, lin):
        for answer in (
            await nobody.get("/admin/sso/clients"),
            await nobody.post("/admin/sso/clients", {}),
            await nobody.post("/admin/sso/clients/x/secret", {}),
        ):
            assert (answer.status_code, answer.json()["code"]) == (403, "not_allowed")
    assert (await api.http.get(CLIENTS)).status_code == 401


async def test_a_secret_is_shown_once_and_kept_as_a_digest(
    admin: Person, department: Department
) -> None:
    shown = await admin.get(f"/admin/sso/clients/{department.client_id}")
    assert department.secret is not None
    assert len(department.secret) == 43
    assert department.secret not in shown.text
    [row] = await rows("SELECT * FROM sso_client WHERE code = $1", department.client_id)
    assert department.secret not in str(dict(row))
    assert shown.json()["scopes"] == ["openid", "profile"]


async def test_systems_are_listed_page_by_page(api: Api, admin: Person) -> None:
    made = {(await register(api, admin)).client_id for _ in range(3)}
    seen: list[str] = []
    cursor = None
    while True:
        query = {"limit": 2} | ({"cursor": cursor} if cursor else {})
        page = (await admin.get("/admin/sso/clients", params=query)).json()
        seen += [client["client_id"] for client in page["data"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert made <= set(seen)
    assert seen == sorted(seen)


async def test_a_client_id_is_given_once(admin: Person, department: Department) -> None:
    body = {"client_id": department.client_id, "name": "又一个", "redirect_uris": ["https://a.cn"]}
    answer = await admin.post("/admin/sso/clients", body)
    assert (answer.status_code, answer.json()["code"]) == (409, "client_exists")


@pytest.mark.parametrize(
    "changed",
    [
        {"client_id": "A b"},
        {"client_id": "x"},
        {"name": ""},
        {"redirect_uris": []},
        {"redirect_uris": ["https://a.cn/#x"]},
        {"redirect_uris": ["https://a.cn/*"]},
        {"redirect_uris": ["http://social.example.gov.cn/"]},
        {"redirect_uris": ["https://ok.cn/", "ftp://a.cn/x"]},
        {"login_uri": "http://social.example.gov.cn/"},
        {"post_logout_redirect_uris": ["javascript:alert(1)"]},
        {"scopes": ["openid", "everything"]},
        {"secret": "mine"},
    ],
    ids=str,
)
async def test_what_cannot_be_registered_is_named(admin: Person, changed: dict[str, Any]) -> None:
    body = {"client_id": "dept-wrong", "name": "系统", "redirect_uris": ["https://a.cn/back"]}
    answer = await admin.post("/admin/sso/clients", body | changed)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    assert answer.json()["errors"]


@pytest.mark.parametrize(
    ("uri", "demo", "fits"),
    [
        ("https://a.gov.cn/back?x=1", False, True),
        ("https://a.gov.cn:8443/back", False, True),
        ("http://127.0.0.1:5000/back", True, True),
        ("http://localhost/back", True, True),
        ("http://[::1]:5000/back", True, True),
        ("http://127.0.0.1:5000/back", False, False),
        ("http://127.0.0.1.evil.example/", True, False),
        ("https://user@a.gov.cn/", False, False),
        ("https:///back", False, False),
        ("https://a.gov.cn:99999/", False, False),
        ("https://a.gov.cn/ä", False, False),
        ("https://a.gov.cn\\@evil.example/", False, False),
        ("https://a.gov.cn/#", False, False),
        ("myapp://back", False, False),
    ],
)
def test_an_address_is_https_whole_and_plain(uri: str, demo: bool, fits: bool) -> None:
    assert (fault_of_address(uri, demo=demo) is None) is fits


async def test_a_new_secret_may_live_beside_the_old_one_for_a_while(
    admin: Person, browser: Browser, department: Department
) -> None:
    old = department.secret
    path = f"/admin/sso/clients/{department.client_id}/secret"
    made = (await admin.post(path, {"keep_old_s": 3600})).json()
    assert made["client"]["old_secret_until"] is not None
    await tokens_of(browser, department)
    department.secret = made["client_secret"]
    await tokens_of(browser, department)
    # A leak is answered without an overlap.
    newest = (await admin.post(path, {})).json()["client_secret"]
    for secret, status in ((old, 401), (made["client_secret"], 401), (newest, 400)):
        department.secret = secret
        assert (await department.refresh("unknown")).status_code == status


async def test_a_public_client_has_no_secret_to_rotate(api: Api, admin: Person) -> None:
    public = await register(api, admin, public=True)
    answer = await admin.post(f"/admin/sso/clients/{public.client_id}/secret", {})
    assert (answer.status_code, answer.json()["code"]) == (409, "client_is_public")
    gone = await admin.post("/admin/sso/clients/nobody/secret", {})
    assert gone.status_code == 404


async def test_an_address_that_is_no_longer_registered_gets_nothing(
    api: Api, admin: Person, browser: Browser, department: Department
) -> None:
    page = await browser.open(department.asks())
    body = {"redirect_uris": ["https://new.example.gov.cn/back"]}
    path = f"{CLIENTS}/{department.client_id}"
    changed = await api.http.patch(path, json=body, headers=admin.headers)
    assert changed.json()["redirect_uris"] == body["redirect_uris"]
    assert (await browser.press(page, "agree")).status_code == 400
    gone = await api.http.patch(f"{CLIENTS}/nobody", json={}, headers=admin.headers)
    assert gone.status_code == 404


async def test_discovery_says_what_there_is(api: Api, provider: Provider) -> None:
    found = (await api.http.get("/.well-known/openid-configuration")).json()
    assert found["issuer"] == api.url
    assert found["response_types_supported"] == ["code"]
    assert found["code_challenge_methods_supported"] == ["S256"]
    assert found["subject_types_supported"] == ["pairwise"]
    for name, address in found.items():
        if name.endswith(("_endpoint", "_uri")):
            assert address.startswith(api.url)
    keys = (await api.http.get("/.well-known/jwks.json")).json()["keys"]
    assert next(key["kid"] for key in keys) == provider.keys.current
    assert all(set(key) == {"kty", "crv", "x", "y", "kid", "use", "alg"} for key in keys)


async def test_without_keys_there_is_no_single_sign_on(api: Api, lin: Person) -> None:
    usual, api.services.provider = api.services.provider, None
    try:
        for path in (
            "/.well-known/openid-configuration",
            "/.well-known/jwks.json",
            "/oauth2/authorize",
            "/oauth2/userinfo",
            "/oauth2/waiting",
        ):
            answer = await api.http.get(path)
            assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
        assert (await lin.post("/me/handover", {})).status_code == 404
    finally:
        api.services.provider = usual


def test_a_rotation_uses_a_key_that_was_published_and_keeps_the_one_before(tmp_path: Path) -> None:
    path = tmp_path / "sso-keys.json"
    assert write_signing_keys(path)
    assert not write_signing_keys(path)
    assert path.stat().st_mode & 0o077 == 0
    before = SigningKeys.read(path)
    published = [key["kid"] for key in before.published()]
    signed = Provider("https://a.cn", before).id_token({"aud": "x"}, access_token="t")
    assert rotate_signing_keys(path) == published[1]
    after = SigningKeys.read(path)
    assert after.current == published[1]
    assert after.salt == before.salt
    assert published[0] in [key["kid"] for key in after.published()]
    assert len(after.published()) == 3
    rotate_signing_keys(path)
    kept = [key["kid"] for key in SigningKeys.read(path).published()]
    assert published[1] in kept
    assert published[0] not in kept
    assert claims_of(signed)["iss"] == "https://a.cn"


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"keys": []}', '{"keys": [{"kty": "EC"}]}', '{"keys": [1]}']
)
def test_a_file_without_our_keys_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "keys.json"
    path.write_text(text)
    with pytest.raises(ValueError):
        SigningKeys.read(path)


def test_a_file_without_its_salt_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    write_signing_keys(path)
    keys = [key for key in json.loads(path.read_text())["keys"] if key["kty"] == "EC"]
    with pytest.raises(ValueError, match="salt"):
        SigningKeys(keys)


def settings(**given: object) -> Settings:
    return read_settings(**given)


def test_a_city_sets_its_address_and_its_keys_together(tmp_path: Path) -> None:
    keys = tmp_path / "sso-keys.json"
    write_signing_keys(keys)
    require_single_sign_on(settings())
    require_single_sign_on(settings(public_url="https://yiting.cn/", sso_keys_file=keys))
    with pytest.raises(WrongSettings, match="both, or neither"):
        require_single_sign_on(settings(public_url="https://yiting.cn"))
    with pytest.raises(WrongSettings, match="both, or neither"):
        require_single_sign_on(settings(sso_keys_file=keys))
    with pytest.raises(WrongSettings, match="https"):
        require_single_sign_on(settings(public_url="http://yiting.cn", sso_keys_file=keys))
    gone = keys.with_name("gone.json")
    with pytest.raises(WrongSettings, match="no readable file"):
        require_single_sign_on(settings(public_url="https://yiting.cn", sso_keys_file=gone))
    for wrong in ("yiting.cn", "https://yiting.cn/path", "https://a@yiting.cn", "https://y.cn?x"):
        with pytest.raises(WrongSettings, match="YITING_PUBLIC_URL"):
            settings(public_url=wrong)


async def test_what_is_over_is_forgotten(browser: Browser, department: Department) -> None:
    tokens = await tokens_of(browser, department)
    await browser.open(department.asks())  # a code that nobody redeems
    old = datetime.now(UTC) - timedelta(days=1)
    async with transaction() as tx:
        [client] = await tx.rows("SELECT id FROM sso_client WHERE code = $1", department.client_id)
        await tx.run("UPDATE sso_grant SET issued_at = $2 WHERE client_id = $1", client["id"], old)
    await grants.purge()
    left = await rows("SELECT redeemed_at FROM sso_grant WHERE client_id = $1", client["id"])
    assert [row["redeemed_at"] is not None for row in left] == [True]
    assert (await department.userinfo(tokens["access_token"])).status_code == 200
