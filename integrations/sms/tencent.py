"""Text messages through Tencent Cloud's `SendSms` (version 2021-01-11).

Contract: JSON signed with TC3-HMAC-SHA256. A template's values have no names there: they stand in
the order of the template's fields. It knows no reference of ours: what was not answered may have
been sent.
"""

import hashlib
import hmac
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Final
from urllib.parse import urlsplit

import httpx
import msgspec

from integrations.asking import AFTER_REPAIR_S, SOON_S, Asking
from integrations.ports import NotDone, PlatformRefused, RefusalReason

_SERVICE: Final = "sms"
_TYPE: Final = "application/json; charset=utf-8"
_REFUSALS: Final[dict[str, RefusalReason]] = {
    "InvalidParameterValue.IncorrectPhoneNumber": "phone_invalid",
    "UnsupportedOperation.ContainDomesticAndInternationalPhoneNumber": "phone_invalid",
    "FailedOperation.PhoneNumberInBlacklist": "user_blocked",
    "LimitExceeded.PhoneNumberDailyLimit": "too_often",
    "LimitExceeded.PhoneNumberOneHourLimit": "too_often",
    "LimitExceeded.PhoneNumberThirtySecondLimit": "too_often",
    "LimitExceeded.PhoneNumberSameContentDailyLimit": "too_often",
    "FailedOperation.TemplateIncorrectOrUnapproved": "message_invalid",
    "FailedOperation.SignatureIncorrectOrUnapproved": "message_invalid",
    "FailedOperation.TemplateParamSetNotMatchApprovedTemplate": "message_invalid",
    "InvalidParameterValue.TemplateParameterLengthLimit": "message_invalid",
}


class _Status(msgspec.Struct, rename="pascal"):
    code: str = ""
    serial_no: str = ""


class _Error(msgspec.Struct, rename="pascal"):
    code: str = ""


class _Response(msgspec.Struct, rename="pascal"):
    send_status_set: list[_Status] = []
    error: _Error | None = None


class _Reply(msgspec.Struct, rename="pascal"):
    response: _Response


_reply = msgspec.json.Decoder(_Reply)


class TencentSms:
    """Sends in the name of one app and signature, within `budget_s` seconds a message.

    `templates` says under which number each of ours was approved there; others keep their name.
    """

    def __init__(
        self,
        http: httpx.AsyncClient,
        host: str,
        secret_id: str,
        secret_key: str,
        *,
        app_id: str,
        sign_name: str,
        templates: Mapping[str, str] | None = None,
        budget_s: float = 5.0,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._asking = Asking(http, "sms_tencent", budget_s=budget_s)
        self._url = host.rstrip("/") + "/"
        self._secret_id = secret_id
        self._secret_key = secret_key
        self._app_id = app_id
        self._sign_name = sign_name
        self._templates = templates or {}
        self._now = now

    async def send(
        self, phone: str, template: str, params: Mapping[str, str], *, reference: str | None = None
    ) -> str:
        """Send one message and return Tencent's number of it; see `ports.SmsSender`."""
        body: dict[str, object] = {
            "PhoneNumberSet": [phone if phone.startswith("+") else f"+86{phone}"],
            "SmsSdkAppId": self._app_id,
            "SignName": self._sign_name,
            "TemplateId": self._templates.get(template, template),
            "TemplateParamSet": list(params.values()),
        }
        if reference is not None:
            body["SessionContext"] = reference
        content = msgspec.json.encode(body)
        async with self._asking.within_budget():
            answer = await self._asking.ask(
                "POST", self._url, content=content, headers=self._headers(content)
            )
        response = self._asking.read(_reply, answer).response
        status = response.send_status_set[0] if response.send_status_set else _Status()
        if status.code == "Ok" and status.serial_no:
            return status.serial_no
        raise self._refusal(response.error.code if response.error else status.code, template)

    def _headers(self, content: bytes) -> dict[str, str]:
        at = int(self._now())
        host = urlsplit(self._url).netloc
        return {
            "Content-Type": _TYPE,
            "Host": host,
            "X-TC-Action": "SendSms",
            "X-TC-Version": "2021-01-11",
            "X-TC-Region": "ap-guangzhou",
            "X-TC-Timestamp": str(at),
            "Authorization": authorization(
                content, host=host, secret_id=self._secret_id, secret_key=self._secret_key, at=at
            ),
        }

    def _refusal(self, code: str, template: str) -> Exception:
        if reason := _REFUSALS.get(code):
            if reason == "message_invalid":
                self._asking.misconfigured(code, template=template)
            return PlatformRefused(reason, code)
        if not code or code.startswith("InternalError"):
            return self._asking.unavailable("busy", SOON_S)
        if code.startswith(("RequestLimitExceeded", "LimitExceeded")):
            self._asking.unavailable("throttled", SOON_S)
            return NotDone(SOON_S)
        # Our account, our signature or our purse.
        self._asking.misconfigured("account")
        return NotDone(AFTER_REPAIR_S)


def authorization(content: bytes, *, host: str, secret_id: str, secret_key: str, at: int) -> str:
    """The header that signs a request as TC3-HMAC-SHA256 has it; `at` is Unix seconds."""
    day = datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d")
    names = "content-type;host"
    said = f"POST\n/\n\ncontent-type:{_TYPE}\nhost:{host}\n\n{names}\n{_sha256(content)}"
    scope = f"{day}/{_SERVICE}/tc3_request"
    text = f"TC3-HMAC-SHA256\n{at}\n{scope}\n{_sha256(said.encode())}"
    key = f"TC3{secret_key}".encode()
    for part in (day, _SERVICE, "tc3_request"):
        key = hmac.digest(key, part.encode(), hashlib.sha256)
    signed = hmac.digest(key, text.encode(), hashlib.sha256).hex()
    credential = f"Credential={secret_id}/{scope}"
    return f"TC3-HMAC-SHA256 {credential}, SignedHeaders={names}, Signature={signed}"


def _sha256(text: bytes) -> str:
    return hashlib.sha256(text).hexdigest()
