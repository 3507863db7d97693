"""Which vendors bring text messages, as the settings say."""

from typing import Final

import httpx
from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings

from integrations.ports import SmsSender
from integrations.ports_message import AfterSilence, ReceiptReader
from integrations.sms import (
    AliyunReceipts,
    AliyunSms,
    GatewayReceipts,
    SmsGateway,
    SmsInTurn,
    TencentReceipts,
    TencentSms,
)

SMS_HOSTS: Final = ("sms_host", "aliyun_sms_host", "tencent_sms_host")
# What makes an account whole: all of it or nothing.
SMS_ACCOUNTS: Final = {
    "the SMS gateway": ("sms_host", "sms_app_key", "sms_secret"),
    "Aliyun's SMS": ("aliyun_sms_key", "aliyun_sms_secret", "aliyun_sms_sign_name"),
    "Tencent's SMS": (
        "tencent_sms_id",
        "tencent_sms_secret",
        "tencent_sms_app_id",
        "tencent_sms_sign_name",
    ),
}


class SmsSettings(BaseSettings):
    """The accounts that text messages are sent by: our gateway, then Aliyun, then Tencent."""

    sms_host: str | None = None
    sms_app_key: str | None = None
    sms_secret: SecretStr | None = None

    aliyun_sms_host: str = "https://dysmsapi.aliyuncs.com"
    aliyun_sms_key: str | None = None
    aliyun_sms_secret: SecretStr | None = None
    aliyun_sms_sign_name: str | None = None

    tencent_sms_host: str = "https://sms.tencentcloudapi.com"
    tencent_sms_id: str | None = None
    tencent_sms_secret: SecretStr | None = None
    tencent_sms_app_id: str | None = None
    tencent_sms_sign_name: str | None = None
    # Under which numbers our templates were approved there: `NAME=number,NAME=number`.
    tencent_sms_templates: str = ""

    # Ends the addresses at which Aliyun and Tencent tell what became of messages: they sign none.
    sms_receipts_key: SecretStr | None = Field(default=None, min_length=16)


def open_sms(http: httpx.AsyncClient, settings: SmsSettings) -> SmsSender | None:
    """Whoever brings text messages, the next where the one before surely did not; None: nobody."""
    senders: list[SmsSender] = []
    if settings.sms_host and settings.sms_secret:
        secret = settings.sms_secret.get_secret_value()
        senders.append(SmsGateway(http, settings.sms_host, settings.sms_app_key or "", secret))
    if settings.aliyun_sms_key and settings.aliyun_sms_secret:
        senders.append(
            AliyunSms(
                http,
                settings.aliyun_sms_host,
                settings.aliyun_sms_key,
                settings.aliyun_sms_secret.get_secret_value(),
                settings.aliyun_sms_sign_name or "",
            )
        )
    if settings.tencent_sms_id and settings.tencent_sms_secret:
        senders.append(
            TencentSms(
                http,
                settings.tencent_sms_host,
                settings.tencent_sms_id,
                settings.tencent_sms_secret.get_secret_value(),
                app_id=settings.tencent_sms_app_id or "",
                sign_name=settings.tencent_sms_sign_name or "",
                templates=_numbers(settings.tencent_sms_templates),
            )
        )
    if len(senders) <= 1:
        return senders[0] if senders else None
    return SmsInTurn(senders)


def after_silence(settings: SmsSettings) -> AfterSilence:
    """How it can be known what became of a text message; of all accounts, the least that one says.

    Our gateway sends nothing twice by one reference; Aliyun's receipts repeat it, Tencent's do not.
    """
    if settings.tencent_sms_id:
        return "nothing"
    if settings.aliyun_sms_key:
        return "word" if settings.sms_receipts_key else "nothing"
    return "reference"


def open_receipts(settings: SmsSettings) -> dict[str, ReceiptReader]:
    """Whoever can tell us what became of text messages, by the names in our addresses."""
    readers: dict[str, ReceiptReader] = {}
    if settings.sms_host and settings.sms_secret:
        secret = settings.sms_secret.get_secret_value()
        readers["gateway"] = GatewayReceipts(settings.sms_app_key or "", secret)
    if settings.sms_receipts_key:
        key = settings.sms_receipts_key.get_secret_value()
        if settings.aliyun_sms_key:
            readers["aliyun"] = AliyunReceipts(key)
        if settings.tencent_sms_id:
            readers["tencent"] = TencentReceipts(key)
    return readers


def _numbers(text: str) -> dict[str, str]:
    """Raises ValueError for what is not written as it should be."""
    pairs = [pair.strip().partition("=") for pair in text.split(",") if pair.strip()]
    if any(not name or not number for name, _, number in pairs):
        raise ValueError("YITING_TENCENT_SMS_TEMPLATES is written NAME=number,NAME=number")
    return {name: number for name, _, number in pairs}
