"""Alipay's face checks: started by an app, done by a person before a camera, asked about after."""

import secrets
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal, TypeVar

import msgspec
from msgspec import Struct
from sanic import HTTPResponse, Request, html

from integrations.sandbox.alipay_wire import Asked, Said, answer_name, failure
from integrations.sandbox.personas import Personas
from integrations.sandbox.replies import answer, problem, read

_T = TypeVar("_T")

INITIALIZE: Final = "alipay.user.certify.open.initialize"
CERTIFY: Final = "alipay.user.certify.open.certify"
QUERY: Final = "alipay.user.certify.open.query"

_OPEN_S: Final = 23 * 3600.0
_UNREADABLE: Final = (msgspec.MsgspecError, UnicodeError, RecursionError)

_PAGE: Final = """<!doctype html><html lang="zh-CN"><meta charset="utf-8">
<title>沙箱：人脸核身</title><h1>沙箱：人脸核身</h1>
<p>模拟支付宝的人脸核身页面，仅供演示和测试。 A simulated face check, for tests only.</p>
<button data-outcome="pass">本人通过 Pass</button>
<button data-outcome="fail">不通过 Fail</button><p id="told" role="status"></p>
<script>
for (const button of document.querySelectorAll("button")) button.onclick = async () => {
  const body = JSON.stringify({certify_id: "%s", outcome: button.dataset.outcome});
  const reply = await fetch("/_sandbox/alipay/faces", {method: "POST", body});
  document.getElementById("told").textContent = await reply.text();
};
</script></html>"""


class _Identity(Struct):
    identity_type: Literal["CERT_INFO"]
    cert_type: Literal["IDENTITY_CARD"]
    cert_name: str
    cert_no: str


class _MerchantConfig(Struct):
    return_url: str


class _Initialize(Struct):
    outer_order_no: str
    biz_code: Literal["FACE", "CERT_PHOTO", "CERT_PHOTO_FACE", "SMART_FACE"]
    identity_param: _Identity
    merchant_config: _MerchantConfig


class _Query(Struct):
    certify_id: str


class FaceRequest(Struct):
    """Somebody stands before the camera, and it is the person meant or it is not."""

    certify_id: str
    outcome: Literal["pass", "fail"] = "pass"


_initialize = msgspec.json.Decoder(_Initialize)
_query = msgspec.json.Decoder(_Query)
_face_request = msgspec.json.Decoder(FaceRequest)


@dataclass(slots=True)
class _Check:
    name: str
    id_number: str
    closes_at: float
    passed: bool = False


class FaceChecks:
    """All face checks; past `most`, the oldest are forgotten."""

    def __init__(self, personas: Personas, clock: Callable[[], float], most: int) -> None:
        self._personas = personas
        self._clock = clock
        self._most = most
        self._checks: OrderedDict[str, _Check] = OrderedDict()

    def initialize(self, asked: Asked) -> Said:
        """Start a check and answer its certify_id."""
        wanted = _decoded(_initialize, asked)
        if isinstance(wanted, str):
            return failure(answer_name(INITIALIZE), wanted)
        who = wanted.identity_param
        if not who.cert_name.strip() or len(who.cert_no) not in (15, 18):
            return failure(answer_name(INITIALIZE), "INVALID_PARAMETER")
        certify_id = self._open(_Check(who.cert_name, who.cert_no.upper(), self._clock() + _OPEN_S))
        return _success(INITIALIZE, certify_id=certify_id)

    def page(self, asked: Asked) -> HTTPResponse:
        """Show what the phone shows: a camera, played by two buttons."""
        wanted = _decoded(_query, asked)
        if isinstance(wanted, str) or wanted.certify_id not in self._checks:
            return failure(answer_name(CERTIFY), "OPEN_CERTIFY_BILL_NOT_EXIST")
        return html(_PAGE.replace("%s", wanted.certify_id))

    def query(self, asked: Asked) -> Said:
        """Answer whether the check was passed."""
        wanted = _decoded(_query, asked)
        if isinstance(wanted, str):
            return failure(answer_name(QUERY), wanted)
        check = self._checks.get(wanted.certify_id)
        if check is None:
            return failure(answer_name(QUERY), "OPEN_CERTIFY_BILL_NOT_EXIST")
        return _success(QUERY, passed="T" if check.passed else "F")

    async def face(self, request: Request) -> HTTPResponse:
        """Let somebody stand before the camera; a right face passes only for a right name."""
        asked = read(_face_request, request.body)
        if isinstance(asked, HTTPResponse):
            return asked
        check = self._checks.get(asked.certify_id)
        if check is None:
            return problem(404, "no_such_check", "No face check has this certify_id.")
        if self._clock() >= check.closes_at:
            return problem(409, "check_closed", "This face check was open for 23 hours.")
        person = self._personas.find(check.id_number)
        is_that_person = person is not None and person.name == check.name
        check.passed = asked.outcome == "pass" and is_that_person
        return answer({"certify_id": asked.certify_id, "passed": check.passed})

    def _open(self, check: _Check) -> str:
        certify_id = secrets.token_hex(16)
        self._checks[certify_id] = check
        if len(self._checks) > self._most:
            self._checks.popitem(last=False)
        return certify_id


def _success(method: str, **facts: str) -> Said:
    return Said(answer_name(method), {"code": "10000", "msg": "Success", **facts})


def _decoded(decoder: msgspec.json.Decoder[_T], asked: Asked) -> _T | str:
    """Return the biz_content, or the sub_code that says why not."""
    try:
        return decoder.decode(asked["biz_content"])
    except msgspec.ValidationError:
        return "isv.invalid-parameter"
    except _UNREADABLE:
        return "isv.illegal-json"
