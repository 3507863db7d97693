"""Aliyun's and Tencent's SMS, as their documents say: signatures, errors, limits of one phone.

Written from those documents and not from our clients. Accepted messages stand in `_sandbox/sent`.
"""

import base64
import hashlib
import hmac
import re
import secrets
import time
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import parse_qsl, quote

import msgspec
from sanic import HTTPResponse, Request

from integrations.sandbox.endpoints import App, Clock, Endpoint, Endpoints
from integrations.sandbox.limits import PerWindow
from integrations.sandbox.replies import answer
from integrations.sandbox.sent import Message, Sent
from integrations.sandbox.settings import SandboxSettings
from integrations.sandbox.sms_receipts import SmsReceipts

_MAINLAND: Final = re.compile(r"1[3-9][0-9]{9}")
_ABROAD: Final = re.compile(r"(?!86)[1-9][0-9]{6,14}")
_FRESH_S: Final = 900
_LONGEST: Final = 35


def refuse_as_aliyun(code: int | str) -> HTTPResponse:
    """An error as Aliyun answers it; the common ones of its gateway are no 200."""
    status = 200 if str(code).startswith(("isv.", "isp.")) else 400
    return answer({"Code": str(code), "Message": "refused", "RequestId": "0"}, status)


def refuse_as_tencent(code: int | str) -> HTTPResponse:
    """An error as Tencent Cloud answers it."""
    error = {"Code": str(code), "Message": "refused"}
    return answer({"Response": {"Error": error, "RequestId": "0"}})


class SmsVendors:
    """One account at each."""

    def __init__(
        self, settings: SandboxSettings, clock: Clock, sent: Sent, receipts: SmsReceipts
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._sent = sent
        self._receipts = receipts
        self._limits = {
            name: PerWindow(settings.sms_a_minute, 60.0) for name in ("aliyun", "tencent")
        }
        self._nonces: set[str] = set()

    def open(self, app: App, endpoints: Endpoints) -> None:
        """Put both on the app."""
        for name, take, refuse in (
            ("aliyun", self._aliyun, refuse_as_aliyun),
            ("tencent", self._tencent, refuse_as_tencent),
        ):
            endpoints.add(app, Endpoint(f"sms.{name}", "POST", f"/sms/{name}/", take, refuse))

    async def _aliyun(self, request: Request) -> HTTPResponse:
        form = dict(parse_qsl(request.body.decode(errors="replace"), keep_blank_values=True))
        if fault := self._aliyun_fault(form):
            return refuse_as_aliyun(fault)
        try:
            params = msgspec.json.decode(form.get("TemplateParam", "{}"), type=dict[str, str])
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return refuse_as_aliyun("isv.INVALID_JSON_PARAM")
        phone = form.get("PhoneNumbers", "")
        if form.get("SignName") != self._settings.sms_sign_name:
            return refuse_as_aliyun("isv.SMS_SIGNATURE_ILLEGAL")
        fault = self._fault_of("aliyun", phone, form.get("TemplateCode", ""), params)
        if fault is not None:
            return refuse_as_aliyun(_ALIYUN[fault])
        out_id = form.get("OutId", "")
        number = self._accept("aliyun", phone, form["TemplateCode"], params, out_id)
        return answer({"Code": "OK", "Message": "OK", "BizId": number, "RequestId": number})

    def _aliyun_fault(self, form: dict[str, str]) -> str | None:
        given = form.pop("Signature", "")
        if form.get("AccessKeyId") != self._settings.aliyun_sms_key:
            return "InvalidAccessKeyId.NotFound"
        pairs = [
            quote(name, safe="-_.~") + "=" + quote(form[name], safe="-_.~") for name in sorted(form)
        ]
        text = "POST&%2F&" + quote("&".join(pairs), safe="-_.~")
        secret = self._settings.aliyun_sms_secret + "&"
        wanted = base64.b64encode(hmac.new(secret.encode(), text.encode(), "sha1").digest())
        if not hmac.compare_digest(wanted, given.encode()):
            return "SignatureDoesNotMatch"
        try:
            at = datetime.strptime(form.get("Timestamp", ""), "%Y-%m-%dT%H:%M:%SZ")
        except ValueError:
            return "InvalidTimeStamp.Format"
        if abs(at.replace(tzinfo=UTC).timestamp() - time.time()) > _FRESH_S:
            return "InvalidTimeStamp.Expired"
        nonce = form.get("SignatureNonce", "")
        if not nonce or nonce in self._nonces:
            return "SignatureNonceUsed"
        self._nonces.add(nonce)
        return None if form.get("Action") == "SendSms" else "InvalidAction.NotFound"

    async def _tencent(self, request: Request) -> HTTPResponse:
        if fault := self._tencent_fault(request):
            return refuse_as_tencent(fault)
        try:
            wanted: dict[str, Any] = msgspec.json.decode(request.body, type=dict[str, Any])
            [phone] = wanted["PhoneNumberSet"]
            values = [str(value) for value in wanted["TemplateParamSet"]]
            template = str(wanted["TemplateId"])
        except (msgspec.MsgspecError, KeyError, ValueError, TypeError, RecursionError):
            return refuse_as_tencent("InvalidParameter")
        if wanted.get("SignName") != self._settings.sms_sign_name:
            return _status_as_tencent("FailedOperation.SignatureIncorrectOrUnapproved")
        params = {str(nth): value for nth, value in enumerate(values, start=1)}
        plain = str(phone).removeprefix("+86").removeprefix("+")
        fault = self._fault_of("tencent", plain, template, params)
        if fault is not None:
            return _status_as_tencent(_TENCENT[fault])
        return _status_as_tencent("Ok", self._accept("tencent", plain, template, params))

    def _tencent_fault(self, request: Request) -> str | None:
        stamp = request.headers.get("x-tc-timestamp", "")
        if not stamp.isdigit() or abs(int(stamp) - time.time()) > _FRESH_S:
            return "AuthFailure.SignatureExpire"
        day = time.strftime("%Y-%m-%d", time.gmtime(int(stamp)))
        headers = "".join(
            f"{name}:{request.headers.get(name, '')}\n" for name in ("content-type", "host")
        )
        body = hashlib.sha256(request.body).hexdigest()
        canonical = "\n".join(["POST", "/", "", headers, "content-type;host", body])
        hashed = hashlib.sha256(canonical.encode()).hexdigest()
        text = "\n".join(["TC3-HMAC-SHA256", stamp, f"{day}/sms/tc3_request", hashed])
        key = ("TC3" + self._settings.tencent_sms_secret).encode()
        for part in (day, "sms", "tc3_request", text):
            key = hmac.new(key, part.encode(), hashlib.sha256).digest()
        wanted = (
            f"TC3-HMAC-SHA256 Credential={self._settings.tencent_sms_id}/{day}/sms/tc3_request,"
            f" SignedHeaders=content-type;host, Signature={key.hex()}"
        )
        given = request.headers.get("authorization", "")
        same = hmac.compare_digest(wanted.encode(), given.encode())
        return None if same else "AuthFailure.SignatureFailure"

    def _fault_of(
        self, vendor: str, phone: str, template: str, params: dict[str, str]
    ) -> str | None:
        if not _MAINLAND.fullmatch(phone) and not _ABROAD.fullmatch(phone):
            return "phone"
        known = self._settings.sms_templates
        if not template or (known is not None and template not in known):
            return "template"
        if any(not value or len(value) > _LONGEST for value in params.values()):
            return "params"
        if phone in self._settings.sms_blocked:
            return "blocked"
        return None if self._limits[vendor].allows(phone, self._clock()) else "often"

    def _accept(
        self, vendor: str, phone: str, template: str, params: dict[str, str], out_id: str = ""
    ) -> str:
        to = phone if _MAINLAND.fullmatch(phone) else f"+{phone}"
        self._sent.accept(Message(vendor, "sms", to, template, params, datetime.now(UTC)))
        number = secrets.token_hex(16)
        self._receipts.tell(vendor, number, to, out_id)
        return number


def _status_as_tencent(code: str, number: str = "") -> HTTPResponse:
    status = {"Code": code, "SerialNo": number, "Message": code}
    return answer({"Response": {"SendStatusSet": [status], "RequestId": "0"}})


_ALIYUN: Final = {
    "phone": "isv.MOBILE_NUMBER_ILLEGAL",
    "template": "isv.SMS_TEMPLATE_ILLEGAL",
    "params": "isv.PARAM_LENGTH_LIMIT",
    "blocked": "isv.BLACK_KEY_CONTROL_LIMIT",
    "often": "isv.BUSINESS_LIMIT_CONTROL",
}
_TENCENT: Final = {
    "phone": "InvalidParameterValue.IncorrectPhoneNumber",
    "template": "FailedOperation.TemplateIncorrectOrUnapproved",
    "params": "InvalidParameterValue.TemplateParameterLengthLimit",
    "blocked": "FailedOperation.PhoneNumberInBlacklist",
    "often": "LimitExceeded.PhoneNumberThirtySecondLimit",
}
