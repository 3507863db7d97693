"""Alipay as a mini-program's backend meets it: one signed gateway, and what phones hold."""

import base64
import hashlib
import hmac
import secrets
import time
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Final

import msgspec
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.padding import PKCS7
from msgspec import Struct
from sanic import HTTPResponse, Request

from integrations.sandbox.alipay_faces import CERTIFY, INITIALIZE, QUERY, FaceChecks
from integrations.sandbox.alipay_keys import AlipayKeyRing, AlipayKeys, public_pem
from integrations.sandbox.alipay_wire import (
    Asked,
    Said,
    answer_name,
    failure,
    read_question,
    rsa2,
    what_is_wrong,
)
from integrations.sandbox.endpoints import App, Clock, Endpoint, Endpoints, Handler
from integrations.sandbox.personas import Code, Codes, Persona, Personas
from integrations.sandbox.replies import answer, problem, read
from integrations.sandbox.settings import SandboxSettings

_PATH: Final = "/gateway.do"
_TOKEN: Final = "alipay.system.oauth.token"  # noqa: S105 a method's name
_YEAR_S: Final = 31_536_000
_BEIJING: Final = timezone(timedelta(hours=8))


class PhoneRequest(Struct):
    """Whose phone shall hand out its number."""

    id_number: str


_phone_request = msgspec.json.Decoder(PhoneRequest)


class Alipay:
    """One mini-program's Alipay."""

    def __init__(
        self,
        settings: SandboxSettings,
        personas: Personas,
        clock: Clock,
        real_time: Callable[[], float] = time.time,
    ) -> None:
        self._settings = settings
        self._app_id = settings.alipay_app_id
        self._identity_key = settings.identity_key.encode()
        self._aes_key = base64.b64decode(settings.alipay_aes_key)
        self._personas = personas
        self._clock = clock
        self._real_time = real_time
        self._ring = AlipayKeyRing(settings)
        self._codes = Codes(settings.code_life_s, settings.most_codes)
        self._refresh_tokens = Codes(_YEAR_S, settings.most_codes)
        self._faces = FaceChecks(personas, clock, settings.most_codes)
        self._methods: dict[str, Handler] = {}
        self._known: set[str] = set()

    def open(self, app: App, endpoints: Endpoints) -> None:
        """Put Alipay's gateway and the sandbox's doors beside it on the app."""
        for method, handle in (
            (_TOKEN, self._token),
            (INITIALIZE, self._faces.initialize),
            (QUERY, self._faces.query),
        ):
            self.answer(endpoints, method, handle)
        # A page is shown to people and not signed.
        self.answer(endpoints, CERTIFY, self._faces.page, verb="GET", signed=False)
        app.add_route(self._gateway, _PATH, methods=["GET", "POST"], name="alipay_gateway")
        for handler, path, verb in (
            (self.keys, "/_sandbox/alipay/keys", "GET"),
            (self.phone, "/_sandbox/alipay/phone", "POST"),
            (self._faces.face, "/_sandbox/alipay/faces", "POST"),
        ):
            app.add_route(handler, path, methods=[verb], name=f"alipay_{handler.__name__}")

    def answer(
        self,
        endpoints: Endpoints,
        method: str,
        handle: Callable[[Asked], HTTPResponse],
        *,
        verb: str = "POST",
        signed: bool = True,
    ) -> None:
        """Let the gateway answer one more method, to questions with which nothing is wrong."""
        refuse = _refusing(method)
        self._methods[method] = endpoints.counted(
            Endpoint(
                method,
                verb,
                _PATH,
                self._checked(handle, refuse),
                refuse,
                _signed_wrongly if signed else None,
            )
        )

    @property
    def ring(self) -> AlipayKeyRing:
        """Its keys, for what it signs beside answers."""
        return self._ring

    def greet(self, persona: Persona) -> dict[str, str]:
        """Return what this person's phone holds: their ids and a fresh one-time code."""
        ids = {
            "alipay_open_id": self._open_id(persona),
            "alipay_user_id": self._user_id(persona),
        }
        self._known.update(ids.values())
        return {"alipay_code": self._codes.issue(persona, self._clock()), **ids}

    def knows(self, user: str) -> bool:
        """Tell whether somebody has this open_id or user_id."""
        return user in self._known

    async def keys(self, _: Request) -> HTTPResponse:
        """Tell what an app needs to talk to this Alipay in either mode; PEM, and Base64 for AES.

        Our app's own private key is told only when the sandbox had to make it.
        """
        keys = await self._ring.ready()
        return answer(
            {
                "app_id": self._app_id,
                "alipay_public_key": public_pem(keys.alipay.public_key()),
                "app_private_key": keys.app_private_key,
                "app_cert": keys.app_cert,
                "alipay_cert": keys.alipay_cert,
                "alipay_root_cert": keys.root_cert,
                "aes_key": self._settings.alipay_aes_key,
            }
        )

    async def phone(self, request: Request) -> HTTPResponse:
        """Make the payload that a person's phone gets from my.getPhoneNumber."""
        asked = read(_phone_request, request.body)
        if isinstance(asked, HTTPResponse):
            return asked
        person = self._personas.find(asked.id_number)
        if person is None:
            return problem(404, "no_such_persona", "Nobody has this id number yet.")
        keys = await self._ring.ready()
        return answer({"alipay_phone_payload": self._phone_payload(person, keys)}, status=201)

    async def _gateway(self, request: Request) -> HTTPResponse:
        asked = read_question(request) or Asked({})
        request.ctx.asked = asked
        request.ctx.keys = keys = await self._ring.ready()
        reply = await self._methods.get(asked["method"], self._unknown_method)(request)
        return reply.sealed(asked, keys) if isinstance(reply, Said) else reply

    def _checked(
        self, handle: Callable[[Asked], HTTPResponse], refuse: Callable[[str], HTTPResponse]
    ) -> Handler:
        async def checked(request: Request) -> HTTPResponse:
            asked: Asked = request.ctx.asked
            wrong = what_is_wrong(asked, request.ctx.keys, self._app_id, self._real_time())
            return refuse(wrong) if wrong else handle(asked)

        return checked

    async def _unknown_method(self, request: Request) -> HTTPResponse:
        asked: Asked = request.ctx.asked
        wrong = what_is_wrong(asked, request.ctx.keys, self._app_id, self._real_time())
        return failure("error_response", wrong or "isv.invalid-method")

    def _token(self, asked: Asked) -> HTTPResponse:
        codes = {
            "authorization_code": (self._codes, "code", "isv.code-invalid"),
            "refresh_token": (
                self._refresh_tokens,
                "refresh_token",
                "isv.refresh-token-invalid",
            ),
        }
        if (found := codes.get(asked["grant_type"])) is None:
            return failure("error_response", "isv.grant-type-invalid")
        kind, name, sub_code = found
        code = kind.find(asked[name], self._clock())
        # Spent, expired and unknown are one to Alipay.
        if code is None or code.used:
            return failure("error_response", sub_code)
        code.used = True
        return Said(answer_name(_TOKEN), self._tokens(code))

    def _tokens(self, code: Code) -> dict[str, object]:
        began = datetime.fromtimestamp(self._real_time(), _BEIJING)
        return {
            # Nothing here asks for one, so none is kept.
            "access_token": secrets.token_urlsafe(24),
            "auth_start": began.strftime("%Y-%m-%d %H:%M:%S"),
            "expires_in": _YEAR_S,
            "re_expires_in": _YEAR_S,
            "refresh_token": self._refresh_tokens.issue(code.persona, self._clock()),
            **self._ids(code.persona),
        }

    def _ids(self, persona: Persona) -> dict[str, str]:
        ids: dict[str, str] = {}
        if self._settings.alipay_ids != "user_id":
            ids["open_id"] = self._open_id(persona)
            if self._settings.alipay_union_account is not None:
                facts = ("union", self._settings.alipay_union_account, persona.id_number)
                ids["union_id"] = self._id(*facts)
        if self._settings.alipay_ids != "open_id":
            ids["user_id"] = self._user_id(persona)
        return ids

    def _open_id(self, persona: Persona) -> str:
        return self._id("app", self._app_id, persona.id_number)

    def _user_id(self, persona: Persona) -> str:
        # One account, whichever app asks.
        digest = self._digest("user", "", persona.id_number)
        return f"2088{int.from_bytes(digest[:8], 'big') % 10**12:012d}"

    def _id(self, *facts: str) -> str:
        return "011" + base64.urlsafe_b64encode(self._digest(*facts)).rstrip(b"=").decode()

    def _digest(self, *facts: str) -> bytes:
        text = "\n".join(("alipay", *facts))
        return hmac.digest(self._identity_key, text.encode(), hashlib.sha256)

    def _phone_payload(self, person: Persona, keys: AlipayKeys) -> str:
        said = {"code": "10000", "msg": "Success", "mobile": person.phone}
        padder = PKCS7(128).padder()
        padded = padder.update(msgspec.json.encode(said)) + padder.finalize()
        sealer = Cipher(AES(self._aes_key), CBC(bytes(16))).encryptor()
        response = base64.b64encode(sealer.update(padded) + sealer.finalize()).decode()
        payload = {
            "response": response,
            "sign": rsa2(f'"{response}"'.encode(), keys.alipay),
            "sign_type": "RSA2",
            "encrypt_type": "AES",
            "charset": "UTF-8",
        }
        return msgspec.json.encode(payload).decode()


def _refusing(method: str) -> Callable[[int | str], HTTPResponse]:
    # The oldest method refuses under this name, the others under their own.
    name = "error_response" if method == _TOKEN else answer_name(method)
    return lambda told: failure(name, told)


def _signed_wrongly(reply: HTTPResponse) -> HTTPResponse:
    if isinstance(reply, Said):
        reply.wrongly = True
    return reply
