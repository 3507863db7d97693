"""The province in the shape of Guangdong's unified identity platform.

Parameters come in the query or a form. Answers are HTTP 200; a refusal is `{errcode, errmsg}`. The
account's fields are as public integrations show them, the error numbers are ours.
"""

from typing import Final

from sanic import HTTPResponse, Request

from integrations.sandbox.endpoints import App, Endpoint, Endpoints, Handler
from integrations.sandbox.personas import Persona
from integrations.sandbox.province import ProvinceDesk, Refused, document
from integrations.sandbox.replies import answer

_BASE: Final = "/tif/sso/connect/page/oauth2"
_MESSAGES: Final = {
    "-1": "system busy",
    "10001": "client_id unknown",
    "10002": "client_secret wrong",
    "10003": "grant_type wrong",
    "20001": "code unknown or expired",
    "20002": "code used",
    "20003": "code_verifier wrong",
    "20004": "redirect_uri wrong",
    "20005": "account locked",
    "30001": "access_token unknown or expired",
}
_NUMBERS: Final[dict[Refused, str]] = {
    "code_unknown": "20001",
    "code_used": "20002",
    "verifier_wrong": "20003",
    "redirect_wrong": "20004",
    "blocked": "20005",
}


def refuse(errcode: int | str) -> HTTPResponse:
    """Answer HTTP 200 with an errcode."""
    number = str(errcode)
    return answer({"errcode": number, "errmsg": _MESSAGES.get(number, "error")})


class ProvinceGuangdong:
    """Tokens and account sheets."""

    def __init__(self, desk: ProvinceDesk) -> None:
        self._desk = desk

    def open(self, app: App, endpoints: Endpoints, authorize: Handler) -> None:
        """Put the endpoints on the app; the two that take secrets also take them as a POST."""
        for path, methods, handler in (
            ("authorize", ["GET"], authorize),
            ("access_token", ["GET", "POST"], self._access_token),
            ("tokeninfo", ["GET", "POST"], self._tokeninfo),
        ):
            name = f"guangdong_{path}"
            endpoint = Endpoint(
                f"province.{name}", "|".join(methods), f"{_BASE}/{path}", handler, refuse
            )
            app.add_route(endpoints.counted(endpoint), endpoint.path, methods=methods, name=name)

    async def _access_token(self, request: Request) -> HTTPResponse:
        told = _told(request)
        if told.get("client_id") != self._desk.client_id:
            return refuse("10001")
        if told.get("client_secret") != self._desk.secret:
            return refuse("10002")
        if told.get("grant_type") != "authorization_code":
            return refuse("10003")
        spent = self._desk.spend(
            told.get("code", ""), told.get("code_verifier", ""), told.get("redirect_uri", "")
        )
        if isinstance(spent, str):
            return refuse(_NUMBERS[spent])
        return answer({"access_token": self._desk.token_for(spent), "expires_in": "7200"})

    async def _tokeninfo(self, request: Request) -> HTTPResponse:
        owner = self._desk.owner_of(_told(request).get("access_token", ""))
        if owner is None:
            return refuse("30001")
        return answer({"userobj": _account(owner.persona, self._desk.subject(owner.persona))})


def is_guangdong(authorize_path: str) -> bool:
    """Whether an authorize URL with this path is one of this shape."""
    return authorize_path == f"{_BASE}/authorize"


def _account(persona: Persona, subject: str) -> dict[str, object]:
    level = f"L{persona.level}"
    return {
        "uid": f"gd{subject[:10]}",
        "useridcode": subject,
        "usertype": "1",
        "cn": persona.name,
        "idcardtype": document(persona),
        "idcardnumber": persona.id_number,
        "telephonenumber": persona.phone,
        "sex": _sex(persona.id_number),
        "isreal": "true" if persona.level else "false",
        "creditable_level_of_account": level,
        "creditable_level_of_account_way": f"{level}@YSS@{subject}",
        "extproperties": ["area=dongguan", "origin=gdbs", "accout_type=3", "address=-1"],
        "uversion": "1.0",
    }


def _sex(id_number: str) -> str:
    if len(id_number) != 18 or not id_number[16].isdecimal():
        return "-1"
    return "1" if int(id_number[16]) % 2 else "2"


def _told(request: Request) -> dict[str, str]:
    fields = request.args if request.method == "GET" else request.form
    return {} if fields is None else {name: fields.get(name) or "" for name in fields}
