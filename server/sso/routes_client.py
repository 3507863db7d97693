"""What departments' systems ask by themselves: discovery, keys, tokens, userinfo, revocation."""

from typing import Any, Literal

import msgspec
from sanic import Blueprint, Request
from sanic.response import HTTPResponse

from server.errors import NotFound
from server.http.answers import JSON, Answer
from server.http.endpoint import Also, address_of, endpoint
from server.http.limits import Rate
from server.services import services
from server.sso import grants
from server.sso.asking import LEVELS, read_form
from server.sso.claims import personal_claims
from server.sso.clients import SCOPES, Client, authenticate
from server.sso.errors import NOT_STORED, ErrorView, InvalidClient, InvalidToken, OAuthError
from server.sso.keys import ALGORITHM
from server.sso.rooms import for_systems, provider_of

bp = Blueprint("sso_client")
TAG = "single_sign_on"
PUBLISHED_S = 300
# Secrets cannot be guessed; who tries all the same shall not make work without end.
WRONG_CLIENT = Rate("wrong_client", 60, 60)
REFUSED = Also(400, "Refused, in OAuth's words.", ErrorView)
NOT_THE_CLIENT = Also(401, "Unknown client or wrong secret.", ErrorView)
NO_TOKEN = Also(401, "The access token is missing, expired or revoked.", ErrorView)


class Discovery(msgspec.Struct, frozen=True):
    """OpenID Connect Discovery 1.0, section 3; RFC 8414."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    userinfo_endpoint: str
    revocation_endpoint: str
    end_session_endpoint: str
    jwks_uri: str
    service_documentation: str
    scopes_supported: list[str]
    claims_supported: list[str]
    acr_values_supported: list[str]
    response_types_supported: tuple[str, ...] = ("code",)
    response_modes_supported: tuple[str, ...] = ("query",)
    grant_types_supported: tuple[str, ...] = (
        "authorization_code",
        "refresh_token",
    )
    subject_types_supported: tuple[str, ...] = ("pairwise",)
    id_token_signing_alg_values_supported: tuple[str, ...] = (ALGORITHM,)
    token_endpoint_auth_methods_supported: tuple[str, ...] = (
        "client_secret_basic",
        "client_secret_post",
        "none",
    )
    revocation_endpoint_auth_methods_supported: tuple[str, ...] = (
        "client_secret_basic",
        "client_secret_post",
        "none",
    )
    code_challenge_methods_supported: tuple[str, ...] = ("S256",)
    prompt_values_supported: tuple[str, ...] = (
        "none",
        "login",
        "consent",
        "select_account",
    )
    ui_locales_supported: tuple[str, ...] = (
        "zh-CN",
        "en",
    )
    claims_parameter_supported: bool = True
    request_parameter_supported: bool = False
    request_uri_parameter_supported: bool = False
    authorization_response_iss_parameter_supported: bool = True


class PublishedKey(msgspec.Struct, frozen=True):
    """A public key as a JWK (RFC 7517)."""

    kty: str
    crv: str
    x: str
    y: str
    kid: str
    use: str
    alg: str


class PublishedKeys(msgspec.Struct, frozen=True):
    """A JWK Set: the key that signs, the next one, and the one before."""

    keys: list[PublishedKey]


class TokenForm(msgspec.Struct, frozen=True):
    """RFC 6749, 4.1.3 and 6. The client's id and secret come here or by HTTP Basic."""

    grant_type: Literal["authorization_code", "refresh_token"]
    code: str = ""
    redirect_uri: str = ""
    code_verifier: str = ""
    refresh_token: str = ""
    scope: str = ""
    client_id: str = ""
    client_secret: str = ""


class TokenAnswer(msgspec.Struct, frozen=True):
    """RFC 6749, 5.1, and the ID token. The refresh token works once."""

    access_token: str
    token_type: Literal["Bearer"]
    expires_in: int
    refresh_token: str
    scope: str
    id_token: str


class RevokeForm(msgspec.Struct, frozen=True):
    """RFC 7009, 2.1; `token_type_hint` is not needed."""

    token: str
    token_type_hint: str = ""
    client_id: str = ""
    client_secret: str = ""


class UserInfo(msgspec.Struct, frozen=True, omit_defaults=True):
    """OpenID Connect Core 5.3: what was granted and is known; `sub` always."""

    sub: str
    name: str | None = None
    phone_number: str | None = None
    phone_number_verified: bool | None = None
    id_type: str | None = None
    id_number: str | None = None


@endpoint(
    bp,
    "GET",
    "/.well-known/openid-configuration",
    summary=("OpenID 配置", "OpenID Connect discovery"),
    tag=TAG,
    returns=Discovery,
    from_memory=True,
    refuses=[NotFound],
)
async def show_configuration(request: Request) -> HTTPResponse:
    """Everything that a department's software has to know to sign citizens in."""
    issuer = provider_of(request).issuer
    found = Discovery(
        issuer=issuer,
        authorization_endpoint=f"{issuer}/oauth2/authorize",
        token_endpoint=f"{issuer}/oauth2/token",
        userinfo_endpoint=f"{issuer}/oauth2/userinfo",
        revocation_endpoint=f"{issuer}/oauth2/revoke",
        end_session_endpoint=f"{issuer}/oauth2/logout",
        jwks_uri=f"{issuer}/.well-known/jwks.json",
        service_documentation=f"{issuer}/docs",
        scopes_supported=list(SCOPES),
        claims_supported=[
            *("iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "acr", "amr", "sid"),
            *("at_hash", "name", "phone_number", "phone_number_verified"),
            *("id_type", "id_number"),
        ],
        acr_values_supported=list(LEVELS),
    )
    return _published(msgspec.json.encode(found))


@endpoint(
    bp,
    "GET",
    "/.well-known/jwks.json",
    summary=("签名公钥", "Public signing keys"),
    tag=TAG,
    returns=PublishedKeys,
    from_memory=True,
    refuses=[NotFound],
)
async def show_keys(request: Request) -> HTTPResponse:
    """The keys that ID tokens are verified with; a key is here before it signs, and after."""
    return _published(msgspec.json.encode({"keys": provider_of(request).keys.published()}))


@endpoint(
    bp,
    "POST",
    "/oauth2/token",
    summary=("令牌端点", "Token endpoint"),
    tag=TAG,
    form=TokenForm,
    returns=TokenAnswer,
    also=[REFUSED, NOT_THE_CLIENT],
    refuses=[NotFound],
)
@for_systems
async def give_tokens(request: Request) -> HTTPResponse:
    """A code, or a refresh token, for new tokens; each works once, and twice ends everything."""
    provider, valkey = provider_of(request), services(request).valkey
    form = read_form(request.body, request.headers.get("content-type"))
    client = await _client(request, form)
    match form.get("grant_type"):
        case "authorization_code":
            given = await grants.redeem(
                client,
                _needed(form, "code"),
                redirect_uri=_needed(form, "redirect_uri"),
                verifier=_needed(form, "code_verifier"),
                provider=provider,
                valkey=valkey,
            )
        case "refresh_token":
            token = _needed(form, "refresh_token")
            given = await grants.refresh(client, token, form.get("scope"), provider)
        case None:
            raise OAuthError("invalid_request", "grant_type is needed")
        case _:
            raise OAuthError("unsupported_grant_type", "authorization_code or refresh_token")
    answer = TokenAnswer(
        access_token=given.access_token,
        token_type="Bearer",  # noqa: S106 the type's name
        expires_in=grants.ACCESS_S,
        refresh_token=given.refresh_token,
        scope=" ".join(given.scopes),
        id_token=given.id_token,
    )
    return Answer(msgspec.json.encode(answer), headers=NOT_STORED, content_type=JSON)


@endpoint(
    bp,
    "POST",
    "/oauth2/revoke",
    summary=("吊销令牌", "Token revocation"),
    tag=TAG,
    form=RevokeForm,
    also=[Also(200, "Revoked, or there was nothing to revoke."), REFUSED, NOT_THE_CLIENT],
    status=200,
    refuses=[NotFound],
)
@for_systems
async def revoke_token(request: Request) -> HTTPResponse:
    """End what a citizen's sign-in gave this client: access and refresh tokens together."""
    provider_of(request)
    form = read_form(request.body, request.headers.get("content-type"))
    client = await _client(request, form)
    await grants.revoke(client, _needed(form, "token"))
    return Answer(status=200, headers=NOT_STORED, content_type=JSON)


async def _userinfo(request: Request) -> HTTPResponse:
    provider_of(request)
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise InvalidToken(given=False)
    found = await grants.allowed(token)
    claims: dict[str, Any] = {"sub": found.subject}
    claims |= await personal_claims(
        services(request).sealer, found.citizen_id, found.facts, client_id=found.client_id
    )
    return Answer(msgspec.json.encode(claims), headers=NOT_STORED, content_type=JSON)


@endpoint(
    bp,
    "GET",
    "/oauth2/userinfo",
    summary=("用户信息", "Userinfo"),
    tag=TAG,
    returns=UserInfo,
    also=[NO_TOKEN],
    refuses=[NotFound],
)
@for_systems
async def show_userinfo(request: Request) -> HTTPResponse:
    """What the access token of a department's system lets it know of the citizen."""
    return await _userinfo(request)


@endpoint(
    bp,
    "POST",
    "/oauth2/userinfo",
    summary=("用户信息（POST）", "Userinfo by POST"),
    tag=TAG,
    returns=UserInfo,
    also=[NO_TOKEN],
    refuses=[NotFound],
)
@for_systems
async def show_userinfo_by_post(request: Request) -> HTTPResponse:
    """The same by POST (OpenID Connect Core 5.3.1); the token is in the header all the same."""
    return await _userinfo(request)


async def _client(request: Request, form: dict[str, str]) -> Client:
    try:
        return await authenticate(request.headers.get("authorization"), form)
    except InvalidClient:
        services(request).limits.check(WRONG_CLIENT, address_of(request))
        raise


def _needed(form: dict[str, str], name: str) -> str:
    if name not in form:
        raise OAuthError("invalid_request", f"{name} is needed")
    return form[name]


def _published(body: bytes) -> HTTPResponse:
    # Anybody may read these, a page of a department's too.
    headers = {
        "Cache-Control": f"public, max-age={PUBLISHED_S}",
        "Access-Control-Allow-Origin": "*",
    }
    return Answer(body, headers=headers, content_type=JSON)
