"""The province as an OpenID provider: what it publishes, and ID tokens that are not genuine."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm
from structlog.testing import capture_logs

from integrations.ports import PlatformRefused, PlatformUnavailable
from integrations.province import ClaimNames, OidcSignIn
from integrations.province.id_token import NotGenuine, OtherSignIn, named_key, read_id_token
from tests.integrations.province_walks import (
    ID_NUMBER,
    REDIRECT,
    Walk,
    break_endpoint,
    calls_of,
    challenge_of,
    oidc_door,
)
from tests.integrations.sandbox_running import RunningSandbox


@pytest.fixture
def walk(sandbox: RunningSandbox, http: httpx.AsyncClient) -> Walk:
    return Walk(sandbox, oidc_door(sandbox, http))


@pytest.mark.parametrize(
    "tamper",
    [
        "alg_none",
        "hs256",
        "wrong_key",
        "unknown_kid",
        "issuer",
        "audience",
        "azp",
        "expired",
        "subject",
    ],
)
async def test_an_id_token_that_is_not_genuine_signs_nobody_in(walk: Walk, tamper: str) -> None:
    with capture_logs() as logs, pytest.raises(PlatformUnavailable) as unavailable:
        await walk.finish(await walk.code(tamper))
    assert unavailable.value.retry_after_s == 60
    assert [(entry["event"], entry["log_level"]) for entry in logs] == [
        ("province_misconfigured", "error")
    ]
    assert logs[0]["why"].startswith("not_genuine_")


@pytest.mark.parametrize("tamper", ["nonce", "no_nonce"])
async def test_an_id_token_of_another_sign_in_is_refused(walk: Walk, tamper: str) -> None:
    with pytest.raises(PlatformRefused) as refused:
        await walk.finish(await walk.code(tamper))
    assert (refused.value.reason, refused.value.platform_code) == ("code_invalid", "nonce")


async def test_our_nonce_has_to_come_back(walk: Walk) -> None:
    with pytest.raises(PlatformRefused) as refused:
        await walk.finish(await walk.code(), nonce="of-another-sign-in")
    assert refused.value.platform_code == "nonce"


async def test_a_ready_made_code_has_no_nonce_and_is_refused(
    walk: Walk, sandbox: RunningSandbox
) -> None:
    with pytest.raises(PlatformRefused) as refused:
        await walk.finish((await sandbox.persona())["province_code"])
    assert refused.value.platform_code == "nonce"


async def test_endpoints_and_keys_are_fetched_once_and_again_after_a_while(
    sandbox: RunningSandbox, http: httpx.AsyncClient
) -> None:
    now = 0.0
    walk = Walk(sandbox, oidc_door(sandbox, http, clock=lambda: now))
    for moment in (1.0, 2.0, 3599.0):
        now = moment
        await walk.finish(await walk.code())
    # The first look at the keys came after the token was asked for.
    assert await calls_of(sandbox, "province.discovery") == 1
    assert await calls_of(sandbox, "province.jwks") == 1
    now = 7300.0
    await walk.finish(await walk.code())
    assert await calls_of(sandbox, "province.discovery") == 2
    assert await calls_of(sandbox, "province.jwks") == 2


async def test_a_new_signing_key_is_noticed_at_once(walk: Walk, sandbox: RunningSandbox) -> None:
    await walk.finish(await walk.code())
    for drop_old in (False, True):
        body = {"drop_old": drop_old}
        await sandbox.http.post("/_sandbox/province/rotate-keys", json=body)
        assert (await walk.finish(await walk.code())).id_number == ID_NUMBER
    assert await calls_of(sandbox, "province.jwks") == 3


async def test_many_who_meet_a_new_key_together_fetch_it_once(
    walk: Walk, sandbox: RunningSandbox
) -> None:
    codes = [await walk.code() for _ in range(8)]
    await walk.finish(codes.pop())
    await sandbox.http.post("/_sandbox/province/rotate-keys", json={})
    await asyncio.gather(*(walk.finish(code) for code in codes))
    assert await calls_of(sandbox, "province.jwks") <= 4


async def test_a_key_nobody_has_costs_one_fetch(walk: Walk, sandbox: RunningSandbox) -> None:
    await walk.finish(await walk.code())
    with pytest.raises(PlatformUnavailable):
        await walk.finish(await walk.code("unknown_kid"))
    assert await calls_of(sandbox, "province.jwks") == 2


@pytest.mark.parametrize("kind", ["http_500", "rubbish"])
async def test_without_discovery_nobody_can_begin(
    walk: Walk, sandbox: RunningSandbox, kind: str
) -> None:
    await break_endpoint(sandbox, "province.discovery", kind, times=1)
    with pytest.raises(PlatformUnavailable):
        await walk.url()
    assert await walk.url()


@pytest.mark.parametrize("kind", ["http_500", "rubbish"])
async def test_without_keys_nobody_can_finish(
    walk: Walk, sandbox: RunningSandbox, kind: str
) -> None:
    await break_endpoint(sandbox, "province.jwks", kind)
    with pytest.raises(PlatformUnavailable):
        await walk.finish(await walk.code())


@pytest.mark.parametrize(
    ("error", "retry_after_s"),
    [("server_error", 5), ("temporarily_unavailable", 5), ("slow_down", 5), ("invalid_scope", 60)],
)
async def test_errors_that_are_not_the_citizens_are_unavailable(
    walk: Walk, sandbox: RunningSandbox, error: str, retry_after_s: int
) -> None:
    code = await walk.code()
    await break_endpoint(sandbox, "province.token", "error", errcode=error)
    with pytest.raises(PlatformUnavailable) as unavailable:
        await walk.finish(code)
    assert unavailable.value.retry_after_s == retry_after_s


async def test_what_is_called_what_is_configuration(
    sandbox: RunningSandbox, http: httpx.AsyncClient
) -> None:
    names = ClaimNames(name="phone_number", phone="nickname")
    door = oidc_door(sandbox, http, names=names, levels={"L2": 3}, id_types={"10": "passport"})
    walk = Walk(sandbox, door)
    persona = await sandbox.persona()
    visitor = await walk.finish(await walk.code())
    assert (visitor.level, visitor.name, visitor.phone) == (3, persona["phone"], None)
    assert visitor.id_type == "passport"


# --- providers the sandbox does not play ---

ISSUER = "https://sso.province.example"


def a_provider(
    metadata: dict[str, Any] | None = None, told: dict[str, Any] | None = None
) -> Callable[[httpx.Request], httpx.Response]:
    key = ec.generate_private_key(ec.SECP256R1())
    now = int(time.time())

    def serve(request: httpx.Request) -> httpx.Response:
        path = request.url.path
        if path.endswith("openid-configuration"):
            found = {
                "issuer": ISSUER,
                "authorization_endpoint": f"{ISSUER}/authorize?tenant=7",
                "token_endpoint": f"{ISSUER}/token",
                "userinfo_endpoint": f"{ISSUER}/userinfo",
                "jwks_uri": f"{ISSUER}/jwks",
            }
            return httpx.Response(200, json=found | (metadata or {}))
        if path == "/jwks":
            jwk = ECAlgorithm.to_jwk(key.public_key(), as_dict=True)
            junk: list[dict[str, Any]] = [{"kty": "oct", "k": "eA"}, {"kty": "RSA", "kid": "x"}]
            encryption = {**jwk, "use": "enc"}
            return httpx.Response(200, json={"keys": [*junk, encryption, {**jwk, "alg": "ES256"}]})
        if path == "/token":
            claims = {"iss": ISSUER, "sub": "s1", "aud": ["city"], "azp": "city", "nonce": "n"}
            token = jwt.encode(claims | {"iat": now, "exp": now + 60}, key, algorithm="ES256")
            return httpx.Response(200, json={"access_token": "at", "id_token": token})
        facts = {"sub": "s1", "phone_number": "13800138000", "acr": "L3", "name": "张三"}
        return httpx.Response(200, json=facts | (told or {}))

    return serve


async def finish_with(serve: Callable[[httpx.Request], httpx.Response], **other: Any) -> Any:
    async with httpx.AsyncClient(transport=httpx.MockTransport(serve)) as http:
        facts: dict[str, Any] = {"issuer": ISSUER, "client_id": "city", "secret": "s"}
        door = OidcSignIn(http, **(facts | other))
        return await door.finish("c", "v" * 43, "n", REDIRECT)


async def test_elliptic_keys_without_a_name_and_a_level_in_userinfo_do_as_well() -> None:
    visitor = await finish_with(a_provider())
    assert (visitor.subject, visitor.level, visitor.name) == ("s1", 3, "张三")
    assert (visitor.phone, visitor.id_number) == ("13800138000", None)


@pytest.mark.parametrize(
    "told",
    [
        {"phone_number_verified": False},
        {"phone_number": 13800138000},
        {"phone_number": ""},
        {"phone_number": "1" * 200},
    ],
)
async def test_a_phone_that_is_unproven_or_no_text_is_left_out(told: dict[str, Any]) -> None:
    assert (await finish_with(a_provider(told=told))).phone is None


async def test_a_level_nobody_told_us_about_counts_as_none() -> None:
    visitor = await finish_with(a_provider(told={"acr": "platinum"}))
    assert (visitor.level, visitor.name) == (0, None)


@pytest.mark.parametrize(
    "metadata",
    [
        {"issuer": "https://another.example"},
        {"token_endpoint": "http://sso.province.example/token"},
        {"userinfo_endpoint": "http://sso.province.example/userinfo"},
        {"jwks_uri": "http://sso.province.example/jwks"},
    ],
)
async def test_a_provider_that_is_another_or_speaks_in_the_open_is_not_trusted(
    metadata: dict[str, Any],
) -> None:
    with pytest.raises(PlatformUnavailable) as unavailable:
        await finish_with(a_provider(metadata))
    assert unavailable.value.retry_after_s == 60


async def test_the_secret_is_form_encoded_before_it_is_basic() -> None:
    heard: list[str] = []
    inner = a_provider()

    def serve(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/token":
            heard.append(request.headers["authorization"])
        return inner(request)

    await finish_with(serve, secret="a:b c+密")
    assert heard == ["Basic Y2l0eTphJTNBYitjJTJCJUU1JUFGJTg2"]


async def test_an_authorize_url_with_a_query_of_its_own_keeps_it() -> None:
    async with httpx.AsyncClient(transport=httpx.MockTransport(a_provider())) as http:
        door = OidcSignIn(http, issuer=ISSUER, client_id="city", secret="s")
        url = httpx.URL(await door.begin("s&t", "n", challenge_of("v" * 43), REDIRECT))
    assert (url.params["tenant"], url.params["state"]) == ("7", "s&t")
    assert url.params["code_challenge_method"] == "S256"


# --- one token ---


def claims(**other: Any) -> dict[str, Any]:
    now = int(time.time())
    return {
        "iss": ISSUER,
        "sub": "s1",
        "aud": "city",
        "iat": now,
        "exp": now + 60,
        "nonce": "n",
    } | other


@pytest.fixture(scope="module")
def rsa_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


def read(token: str, key: rsa.RSAPrivateKey, algorithm: str = "RS256") -> dict[str, Any]:
    jwk = jwt.PyJWK(RSAAlgorithm.to_jwk(key.public_key(), as_dict=True), algorithm)
    return read_id_token(token, jwk, issuer=ISSUER, client_id="city", nonce="n")


@pytest.mark.parametrize("algorithm", ["RS256", "PS256"])
def test_a_good_token_is_read(rsa_key: rsa.RSAPrivateKey, algorithm: str) -> None:
    token = jwt.encode(claims(), rsa_key, algorithm=algorithm)
    assert read(token, rsa_key, algorithm)["sub"] == "s1"


@pytest.mark.parametrize(
    "other",
    [
        {"aud": ["city", "other"]},
        {"aud": ["city", "other"], "azp": "other"},
        {"azp": "other"},
        {"azp": None},
        {"aud": []},
        {"aud": None},
        {"iss": ["https://sso.province.example"]},
        {"exp": "soon"},
        {"exp": 1},
        {"iat": 99999999999},
        {"sub": 7},
        {"sub": None},
    ],
)
def test_a_token_with_a_wrong_claim_is_not_read(
    rsa_key: rsa.RSAPrivateKey, other: dict[str, Any]
) -> None:
    header = {"alg": "RS256", "typ": "JWT"}
    body = jwt.api_jws.PyJWS().encode(
        httpx.Response(200, json=claims(**other)).content, rsa_key, "RS256", headers=header
    )
    with pytest.raises(NotGenuine):
        read(body, rsa_key)


@pytest.mark.parametrize("nonce", [None, 7, "", "n ", "\ud800"])
def test_a_token_with_a_wrong_nonce_is_of_another_sign_in(
    rsa_key: rsa.RSAPrivateKey, nonce: object
) -> None:
    with pytest.raises(OtherSignIn):
        read(jwt.encode(claims(nonce=nonce), rsa_key, algorithm="RS256"), rsa_key)


@pytest.mark.parametrize("token", ["", "a.b.c", "....", "é.é.é", "e30.e30.e30", "x" * 20_000])
def test_what_is_no_token_names_no_key(token: str) -> None:
    with pytest.raises(NotGenuine):
        named_key(token)
