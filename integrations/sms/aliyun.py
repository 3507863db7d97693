"""Text messages through Aliyun's `SendSms` (version 2017-05-25).

Contract: a form signed with HMAC-SHA1 over `POST&%2F&` and the sorted, percent-encoded parameters,
with the access key's secret and `&`. It knows no reference of ours: what was not answered may have
been sent.
"""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Final
from urllib.parse import quote, urlencode

import httpx
import msgspec

from integrations.asking import AFTER_REPAIR_S, SOON_S, Asking
from integrations.ports import NotDone, PlatformRefused, RefusalReason

_REFUSALS: Final[dict[str, RefusalReason]] = {
    "isv.MOBILE_NUMBER_ILLEGAL": "phone_invalid",
    "isv.MOBILE_COUNT_OVER_LIMIT": "phone_invalid",
    "isv.BLACK_KEY_CONTROL_LIMIT": "user_blocked",
    "isv.BUSINESS_LIMIT_CONTROL": "too_often",
    "isv.DAY_LIMIT_CONTROL": "too_often",
    "isv.SMS_TEMPLATE_ILLEGAL": "message_invalid",
    "isv.SMS_SIGNATURE_ILLEGAL": "message_invalid",
    "isv.TEMPLATE_MISSING_PARAMETERS": "message_invalid",
    "isv.PARAM_LENGTH_LIMIT": "message_invalid",
    "isv.INVALID_PARAMETERS": "message_invalid",
}
# Whether it was taken is not told by these.
_UNSURE: Final = frozenset({"isp.SYSTEM_ERROR", "isp.RAM_PERMISSION_UNKNOWN", ""})


class _Reply(msgspec.Struct, rename="pascal"):
    code: str = ""
    biz_id: str = ""


_reply = msgspec.json.Decoder(_Reply)


class AliyunSms:
    """Sends under one signature `sign_name`, within `budget_s` seconds a message."""

    def __init__(
        self,
        http: httpx.AsyncClient,
        host: str,
        key_id: str,
        secret: str,
        sign_name: str,
        *,
        budget_s: float = 5.0,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._asking = Asking(http, "sms_aliyun", budget_s=budget_s)
        self._url = host.rstrip("/") + "/"
        self._key_id = key_id
        self._secret = secret
        self._sign_name = sign_name
        self._now = now

    async def send(
        self, phone: str, template: str, params: Mapping[str, str], *, reference: str | None = None
    ) -> str:
        """Send one message and return Aliyun's number of it; see `ports.SmsSender`."""
        form = {
            "AccessKeyId": self._key_id,
            "Action": "SendSms",
            "Format": "JSON",
            "PhoneNumbers": phone.removeprefix("+"),
            "RegionId": "cn-hangzhou",
            "SignName": self._sign_name,
            "SignatureMethod": "HMAC-SHA1",
            "SignatureNonce": secrets.token_hex(16),
            "SignatureVersion": "1.0",
            "TemplateCode": template,
            "TemplateParam": msgspec.json.encode(dict(params)).decode(),
            "Timestamp": self._now().strftime("%Y-%m-%dT%H:%M:%SZ"),
            "Version": "2017-05-25",
        }
        if reference is not None:
            form["OutId"] = reference
        form["Signature"] = signature("POST", form, self._secret)
        async with self._asking.within_budget():
            answer = await self._asking.ask(
                "POST",
                self._url,
                content=urlencode(form).encode(),
                headers={"Content-Type": "application/x-www-form-urlencoded"},
            )
        reply = self._asking.read(_reply, answer)
        if reply.code == "OK" and reply.biz_id:
            return reply.biz_id
        raise self._refusal(reply.code, template)

    def _refusal(self, code: str, template: str) -> Exception:
        if reason := _REFUSALS.get(code):
            if reason == "message_invalid":
                self._asking.misconfigured(code, template=template)
            return PlatformRefused(reason, code)
        if code in _UNSURE:
            return self._asking.unavailable("busy", SOON_S)
        if code.startswith("Throttling"):
            self._asking.unavailable("throttled", SOON_S)
            return NotDone(SOON_S)
        # Our account, our signature or our purse.
        self._asking.misconfigured("account")
        return NotDone(AFTER_REPAIR_S)


def signature(method: str, parameters: Mapping[str, str], secret: str) -> str:
    """Aliyun's signature of a request's parameters."""
    said = "&".join(f"{_encoded(name)}={_encoded(parameters[name])}" for name in sorted(parameters))
    text = f"{method}&{_encoded('/')}&{_encoded(said)}"
    digest = hmac.digest(f"{secret}&".encode(), text.encode(), hashlib.sha1)
    return base64.b64encode(digest).decode()


def _encoded(text: str) -> str:
    return quote(text, safe="~")
