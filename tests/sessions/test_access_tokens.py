"""An access token is believed only when our key signed exactly these words, and not for long."""

import base64
import hashlib
import hmac
import json
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from models.sessions import PersonKind
from models.staff import Role
from server.auth import Principal, Tokens
from server.errors import NotSignedIn
from server.keys.token_keys import TokenKeys, write_token_keys
from tests.conftest import Api
from tests.people import Person


def keys(api: Api) -> TokenKeys:
    return api.services.tokens._keys


def parts(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    return jwt.get_unverified_header(token), jwt.decode(token, options={"verify_signature": False})


def signed(api: Api, token: str, *, header: Any = None, key: Any = None, **claims: Any) -> str:
    """The token with other claims or headers, rightly signed unless another key is given."""
    old_header, old_claims = parts(token)
    said = {name: value for name, value in (old_claims | claims).items() if value is not None}
    return jwt.encode(
        said,
        key or keys(api).signing_key,
        algorithm="EdDSA",
        headers={**old_header, **(header or {})},
    )


def by_hand(header: dict[str, Any], claims: dict[str, Any], secret: bytes | None) -> str:
    """A token as PyJWT would refuse to write it."""
    text = b".".join(_base64(json.dumps(part).encode()) for part in (header, claims))
    mark = hmac.digest(secret, text, hashlib.sha256) if secret is not None else b""
    return (text + b"." + _base64(mark)).decode()


def _base64(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


async def assert_not_believed(api: Api, token: str) -> None:
    reply = await api.http.get("/api/v1/me", headers={"Authorization": f"Bearer {token}"})
    assert (reply.status_code, reply.json()["code"]) == (401, "not_signed_in")
    assert reply.headers["content-type"] == "application/problem+json"
    assert reply.headers["www-authenticate"] == "Bearer"


async def test_a_token_signed_again_with_our_key_is_believed(api: Api, lin: Person) -> None:
    token = signed(api, lin.token, exp=int(time.time()) + 60)
    assert token != lin.token
    reply = await api.http.get("/api/v1/me", headers={"Authorization": f"bearer {token}"})
    assert reply.status_code == 200


async def test_a_token_without_a_signature_is_not_believed(api: Api, lin: Person) -> None:
    header, claims = parts(lin.token)
    for algorithm in ("none", "None", "NONE", ""):
        await assert_not_believed(api, by_hand({**header, "alg": algorithm}, claims, None))
    head, body, _ = lin.token.split(".")
    await assert_not_believed(api, f"{head}.{body}.")
    await assert_not_believed(api, f"{head}.{body}")


async def test_our_public_key_is_no_secret_to_sign_with(api: Api, lin: Person) -> None:
    header, claims = parts(lin.token)
    public = keys(api).signing_key.public_key()
    for encoding, form in (
        (Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        (Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        (Encoding.Raw, PublicFormat.Raw),
    ):
        secret = public.public_bytes(encoding, form)
        await assert_not_believed(api, by_hand({**header, "alg": "HS256"}, claims, secret))
        await assert_not_believed(api, by_hand(header, claims, secret))


async def test_a_foreign_key_does_not_sign_for_us(api: Api, lin: Person) -> None:
    foreign = Ed25519PrivateKey.generate()
    await assert_not_believed(api, signed(api, lin.token, key=foreign))
    jwk = json.loads(jwt.algorithms.OKPAlgorithm.to_jwk(foreign.public_key()))
    own = {"jwk": jwk, "jku": "http://127.0.0.1/keys"}
    await assert_not_believed(api, signed(api, lin.token, key=foreign, header=own))


@pytest.mark.parametrize("kid", ["another", "", "../../etc/passwd", "' OR 1=1", None])
async def test_a_key_name_we_do_not_have_is_refused(api: Api, lin: Person, kid: Any) -> None:
    header, claims = parts(lin.token)
    header = {name: value for name, value in {**header, "kid": kid}.items() if value is not None}
    without = jwt.encode(claims, keys(api).signing_key, algorithm="EdDSA", headers=header)
    await assert_not_believed(api, without)


@pytest.mark.parametrize("kid", [7, ["a"], {"a": 1}, True])
async def test_a_key_name_that_is_no_text_is_refused(api: Api, lin: Person, kid: Any) -> None:
    header, claims = parts(lin.token)
    await assert_not_believed(api, by_hand({**header, "kid": kid}, claims, b"x"))


# Numbers of `exp`, `iat` and `nbf` are seconds from now.
@pytest.mark.parametrize(
    "claims",
    [
        {"aud": "another-api"},
        {"aud": None},
        {"iss": "another-city"},
        {"iss": None},
        {"exp": -1},
        {"exp": None},
        {"exp": "soon"},
        {"exp": "9999999999"},
        {"exp": 1000},
        {"exp": 86_400},
        {"exp": True},
        {"iat": 86_400},
        {"iat": 90},
        {"iat": "now"},
        {"iat": None},
        {"nbf": 86_400},
        {"nbf": 90},
        {"sub": None},
        {"sub": "lin"},
        {"sid": None},
        {"sid": 7},
        {"kind": "robot"},
        {"kind": None},
        {"kind": "staff", "role": "emperor"},
        {"role": "admin", "halls": 7},
        {"role": "admin", "levels": 7},
        {"duty": "none"},
    ],
    ids=str,
)
async def test_rightly_signed_but_wrong_words_are_refused(
    api: Api, lin: Person, claims: dict[str, Any]
) -> None:
    moments = {"exp", "iat", "nbf"}
    said = {
        name: int(time.time()) + value if name in moments and type(value) is int else value
        for name, value in claims.items()
    }
    await assert_not_believed(api, signed(api, lin.token, **said))


async def test_a_clock_that_is_half_a_minute_ahead_issues_tokens_too(api: Api, lin: Person) -> None:
    token = signed(api, lin.token, iat=int(time.time()) + 30)
    reply = await api.http.get("/api/v1/me", headers={"Authorization": f"Bearer {token}"})
    assert reply.status_code == 200


async def test_a_refresh_token_is_no_access_token(api: Api, lin: Person) -> None:
    await assert_not_believed(api, lin.session["refresh_token"])


@pytest.mark.parametrize("typ", ["JWT", "jwt", "refresh", "AT+JWT", ""])
async def test_another_type_of_token_is_refused(api: Api, lin: Person, typ: str) -> None:
    await assert_not_believed(api, signed(api, lin.token, header={"typ": typ}))


async def test_changing_any_part_makes_it_worthless(api: Api, lin: Person) -> None:
    assert (await lin.get("/me")).status_code == 200
    _, claims = parts(lin.token)
    head, body, mark = lin.token.split(".")
    somebody = await api.citizen()
    other = somebody.token.split(".")
    promoted = _base64(json.dumps({**claims, "kind": "staff", "role": "admin"}).encode()).decode()
    for forged in (
        f"{head}.{promoted}.{mark}",
        f"{head}.{other[1]}.{mark}",
        f"{head}.{body}.{other[2]}",
        f"{head}.{body}.{'A' if mark[0] != 'A' else 'B'}{mark[1:]}",
        f"{body}.{head}.{mark}",
    ):
        await assert_not_believed(api, forged)


@pytest.mark.parametrize(
    "token",
    [".", "..", "...", "a.b.c", "null", "e30.e30.e30", "=" * 40, "é", "\x7f", "x" * 5000],
)
async def test_garbage_is_no_token(api: Api, token: str) -> None:
    headers = {b"Authorization": f"Bearer {token}".encode()}
    reply = await api.http.get("/api/v1/me", headers=headers)
    assert (reply.status_code, reply.json()["code"]) == (401, "not_signed_in")


@pytest.mark.parametrize("scheme", ["", "Basic ", "Token ", "Bearer", "Bearer\t"])
async def test_only_the_bearer_scheme_is_taken(api: Api, lin: Person, scheme: str) -> None:
    reply = await api.http.get("/api/v1/me", headers={"Authorization": scheme + lin.token})
    assert reply.status_code == 401


async def test_a_token_in_the_query_or_a_cookie_is_not_looked_at(api: Api, lin: Person) -> None:
    by_query = await api.http.get("/api/v1/me", params={"access_token": lin.token})
    by_cookie = await api.http.get("/api/v1/me", headers={"Cookie": f"access_token={lin.token}"})
    assert (by_query.status_code, by_cookie.status_code) == (401, 401)


async def test_a_remembered_token_still_expires(api: Api, lin: Person) -> None:
    tokens = api.services.tokens
    who = tokens.read(lin.token)
    tokens._remembered[lin.token] = (who, time.time() - 1, tokens._changes, who)
    await assert_not_believed(api, lin.token)
    # It was asked of the memory alone; the signature says that it is good for a quarter of an hour.
    assert (await lin.get("/me")).status_code == 200


def made_up(role: Role | None = None) -> Principal:
    kind = PersonKind.STAFF if role else PersonKind.CITIZEN
    return Principal(kind, uuid4(), uuid4(), role, frozenset({"dg-01"} if role else ()))


def jwks(folder: Path, name: str) -> list[dict[str, Any]]:
    write_token_keys(folder / name)
    found: list[dict[str, Any]] = json.loads((folder / name).read_text())["keys"]
    return found


def test_keys_rotate_without_signing_anybody_out(tmp_path: Path) -> None:
    old, new = jwks(tmp_path, "old.json"), jwks(tmp_path, "new.json")
    lin, clerk = made_up(), made_up(Role.CLERK)
    before = Tokens(TokenKeys(old), "yiting")
    signed_before = before.issue(lin), before.issue(clerk)
    after = Tokens(TokenKeys([*new, *old]), "yiting")
    assert [after.read(token) for token in signed_before] == [lin, clerk]
    signed_after = after.issue(lin)
    assert jwt.get_unverified_header(signed_after)["kid"] == new[0]["kid"]
    assert after.read(signed_after) == lin
    with pytest.raises(NotSignedIn):
        before.read(signed_after)
    with pytest.raises(NotSignedIn):
        Tokens(TokenKeys(new), "yiting").read(signed_before[0])


def test_key_files_are_made_once_and_for_their_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "keys.json"
    write_token_keys(path)
    assert path.stat().st_mode & 0o077 == 0
    written = path.read_text()
    write_token_keys(path)
    assert path.read_text() == written


def test_a_key_file_is_there_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def power_cut(_: int) -> None:
        raise OSError("power cut")

    path = tmp_path / "keys.json"
    with monkeypatch.context() as during:
        during.setattr("server.keys.whole_files.os.fsync", power_cut)
        with pytest.raises(OSError, match="power cut"):
            write_token_keys(path)
    assert list(tmp_path.iterdir()) == []
    assert write_token_keys(path)
    assert list(tmp_path.iterdir()) == [path]
    TokenKeys.read(path)


def test_of_many_who_make_the_same_key_file_one_does(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    with ThreadPoolExecutor(8) as many:
        made = list(many.map(write_token_keys, [path] * 8))
    assert sorted(made) == [False] * 7 + [True]
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("found", [[], [{"kty": "RSA", "kid": "r"}]])
def test_a_key_file_without_keys_of_ours_is_refused(found: list[dict[str, Any]]) -> None:
    with pytest.raises(ValueError, match="Ed25519"):
        TokenKeys(found)


def test_the_memory_of_tokens_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("server.auth._REMEMBERED_TOKENS", 3)
    tokens = Tokens(TokenKeys(jwks(tmp_path, "keys.json")), "yiting")
    people = [made_up() for _ in range(5)]
    issued = [tokens.issue(who) for who in people]
    assert [tokens.read(token) for token in issued] == people
    assert len(tokens._remembered) == 3
    assert tokens.read(issued[0]) == people[0]


def test_an_ended_sign_in_is_refused_though_remembered(tmp_path: Path) -> None:
    tokens = Tokens(TokenKeys(jwks(tmp_path, "keys.json")), "yiting")
    lin = made_up()
    token = tokens.issue(lin)
    assert tokens.read(token) == lin
    tokens.end(UUID(str(lin.sign_in_id)))
    with pytest.raises(NotSignedIn):
        tokens.read(token)


def test_what_becomes_known_of_a_remembered_token_counts_at_once(tmp_path: Path) -> None:
    tokens = Tokens(TokenKeys(jwks(tmp_path, "keys.json")), "yiting")
    lin, chen = made_up(), made_up()
    hers, his = tokens.issue(lin), tokens.issue(chen)
    assert [tokens.read(token) for token in (hers, his)] == [lin, chen]
    tokens.join(lin.id, chen.id)
    assert tokens.read(hers).id == chen.id
    tokens.joined = {}
    assert tokens.read(hers) == lin
    tokens.ended = {lin.sign_in_id}
    with pytest.raises(NotSignedIn):
        tokens.read(hers)
    assert tokens.read(his) == chen
    tokens.ended = set()
    assert tokens.read(hers) == lin
