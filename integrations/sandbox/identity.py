"""The identity provider: it knows everybody in the sandbox by name and id number.

`POST /identity/real-name` `{name, id_type, id_number}`, signed → `{result}`: `match`, `mismatch`
(somebody else has that number), `not_found`.
"""

import re
from typing import Final

import msgspec
from sanic import HTTPResponse, Request

from integrations.sandbox.endpoints import App, Clock, Endpoint, Endpoints
from integrations.sandbox.limits import PerWindow
from integrations.sandbox.personas import Personas
from integrations.sandbox.replies import answer
from integrations.sandbox.settings import SandboxSettings
from integrations.sandbox.signatures import Signatures, refuse

# Letters and lengths only: refusing a wrong check digit is the backend's work.
_SHAPES: Final = {
    "resident_id": re.compile(r"[0-9]{17}[0-9X]"),
    "hmt_residence_permit": re.compile(r"8[0-9]{16}[0-9X]"),
    "hm_travel_permit": re.compile(r"[HM][0-9]{8}([0-9]{2})?"),
    "tw_travel_permit": re.compile(r"[0-9]{8}|[0-9]{10}[A-Z]?"),
    "foreigner_permanent": re.compile(r"9[0-9]{16}[0-9X]|[A-Z]{3}[0-9]{12}"),
    "passport": re.compile(r"[A-Z0-9]{5,9}"),
}


class _Question(msgspec.Struct):
    name: str
    id_type: str
    id_number: str


_question = msgspec.json.Decoder(_Question)


class Identity:
    """Answers whether a name and a number belong together, so many times a minute for a number."""

    def __init__(self, settings: SandboxSettings, clock: Clock, personas: Personas) -> None:
        self._signatures = Signatures(settings.identity_app_key, settings.identity_secret)
        self._clock = clock
        self._personas = personas
        self._asked = PerWindow(settings.identity_a_minute, 60.0)

    def open(self, app: App, endpoints: Endpoints) -> None:
        """Put the endpoint on the app."""
        endpoints.add(
            app,
            Endpoint("identity.real_name", "POST", "/identity/real-name", self._check, refuse),
        )

    async def _check(self, request: Request) -> HTTPResponse:
        if fault := self._signatures.fault_of(request):
            return refuse(fault)
        try:
            asked = _question.decode(request.body)
        except msgspec.ValidationError:
            return refuse("REQUEST_INVALID")
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return refuse("NOT_JSON")
        shape = _SHAPES.get(asked.id_type)
        if shape is None or not shape.fullmatch(asked.id_number):
            return refuse("ID_INVALID")
        if not self._asked.allows(asked.id_number, self._clock()):
            return refuse("TOO_OFTEN")
        return answer({"result": self._result(asked)})

    def _result(self, asked: _Question) -> str:
        persona = self._personas.find(asked.id_number)
        if persona is None:
            return "not_found"
        return "match" if persona.name == asked.name else "mismatch"
