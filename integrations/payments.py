"""Which payment channels there are, as the settings say."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Final

import httpx
from pydantic import SecretStr
from pydantic_settings import BaseSettings

from integrations.alipay import AlipayCredentials, AlipayGateway, AlipayPay
from integrations.bank import BankCounters, read_keys
from integrations.ports_bank import BatchReader
from integrations.unionpay import UnionPayCredentials, UnionPayGateway, UnionPayPay
from integrations.wechat.pay import WeChatPay, WeChatPayCredentials

PAYMENT_HOSTS: Final = (
    "wechat_pay_host",
    "wechat_pay_spare_host",
    "unionpay_host",
    "unionpay_file_host",
)

# What makes an account whole: all of it or nothing.
PAYMENT_ACCOUNTS: Final = {
    "WeChat Pay": (
        "wechat_mch_id",
        "wechat_mch_serial",
        "wechat_mch_private_key_file",
        "wechat_api_v3_key",
    ),
    "WeChat Pay in public-key mode": ("wechat_pay_public_key_id", "wechat_pay_public_key_file"),
    "UnionPay": (
        "unionpay_merchant",
        "unionpay_pfx_file",
        "unionpay_pfx_password",
        "unionpay_root_cert_file",
        "unionpay_middle_cert_file",
        "unionpay_front_url",
    ),
}


class PaymentSettings(BaseSettings):
    """The accounts that money comes to. A channel without one takes no money."""

    wechat_pay_host: str = "https://api.mch.weixin.qq.com"
    # Asked where the first does not answer.
    wechat_pay_spare_host: str = "https://api2.mch.weixin.qq.com"
    wechat_mch_id: str | None = None
    # Our merchant certificate's serial number, and its key.
    wechat_mch_serial: str | None = None
    wechat_mch_private_key_file: Path | None = None
    wechat_api_v3_key: SecretStr | None = None
    # Public-key mode; without them WeChat Pay's certificates are fetched.
    wechat_pay_public_key_id: str | None = None
    wechat_pay_public_key_file: Path | None = None

    # The seller's account (2088…) that Alipay pays to; with it the Alipay account takes money.
    alipay_seller_id: str | None = None

    unionpay_host: str = "https://gateway.95516.com"
    unionpay_file_host: str = "https://filedownload.95516.com"
    unionpay_merchant: str | None = None
    unionpay_pfx_file: Path | None = None
    unionpay_pfx_password: SecretStr | None = None
    unionpay_root_cert_file: Path | None = None
    unionpay_middle_cert_file: Path | None = None
    # Where UnionPay's page sends her browser back to.
    unionpay_front_url: str | None = None

    # The keys of the banks whose counters take money for us; see docs/bank-batch.md.
    bank_keys_file: Path | None = None


def open_wechat_pay(
    http: httpx.AsyncClient, settings: PaymentSettings, app_id: str | None
) -> WeChatPay | None:
    """WeChat Pay, where we have a merchant account. Raises OSError or ValueError."""
    if not settings.wechat_mch_id:
        return None
    hosts = [settings.wechat_pay_host, settings.wechat_pay_spare_host]
    return WeChatPay(http, hosts, wechat_pay_credentials(settings, app_id))


def wechat_pay_credentials(settings: PaymentSettings, app_id: str | None) -> WeChatPayCredentials:
    """Our merchant account's keys, for one mini-program. Raises OSError or ValueError."""
    assert settings.wechat_mch_id
    assert settings.wechat_mch_serial
    assert settings.wechat_mch_private_key_file
    assert settings.wechat_api_v3_key
    if not app_id:
        raise ValueError("a WeChat Pay account needs YITING_WECHAT_APP_ID too")
    public_keys = {}
    if settings.wechat_pay_public_key_id and settings.wechat_pay_public_key_file:
        pem = settings.wechat_pay_public_key_file.read_text()
        public_keys[settings.wechat_pay_public_key_id] = pem
    return WeChatPayCredentials.from_texts(
        app_id=app_id,
        mch_id=settings.wechat_mch_id,
        serial_no=settings.wechat_mch_serial,
        private_key=settings.wechat_mch_private_key_file.read_text(),
        api_v3_key=settings.wechat_api_v3_key.get_secret_value(),
        public_keys=public_keys,
    )


def open_alipay(
    http: httpx.AsyncClient,
    settings: PaymentSettings,
    gateway: AlipayGateway,
    credentials: AlipayCredentials,
    city_now: Callable[[], datetime],
) -> AlipayPay | None:
    """Alipay's payments, where a seller's account is set."""
    if not settings.alipay_seller_id:
        return None
    return AlipayPay(http, gateway, credentials, settings.alipay_seller_id, city_now=city_now)


def open_unionpay(
    http: httpx.AsyncClient, settings: PaymentSettings, city_now: Callable[[], datetime]
) -> UnionPayPay | None:
    """UnionPay's payments, where we have an account. Raises OSError or ValueError."""
    if not settings.unionpay_merchant:
        return None
    gateway = UnionPayGateway(
        http,
        settings.unionpay_host,
        settings.unionpay_file_host + "/",
        unionpay_credentials(settings),
    )
    return UnionPayPay(gateway, settings.unionpay_front_url or "", city_now=city_now)


def unionpay_credentials(settings: PaymentSettings) -> UnionPayCredentials:
    """Our UnionPay account's key, and whom we believe. Raises OSError or ValueError."""
    assert settings.unionpay_merchant
    assert settings.unionpay_pfx_file
    assert settings.unionpay_pfx_password
    assert settings.unionpay_root_cert_file
    assert settings.unionpay_middle_cert_file
    return UnionPayCredentials.from_files(
        settings.unionpay_merchant,
        settings.unionpay_pfx_file.read_bytes(),
        settings.unionpay_pfx_password.get_secret_value(),
        root_certs=settings.unionpay_root_cert_file.read_text(),
        middle_certs=settings.unionpay_middle_cert_file.read_text(),
    )


def open_batches(settings: PaymentSettings) -> BatchReader | None:
    """Who reads bank counters' files, where banks' keys are set. Raises OSError or ValueError."""
    if settings.bank_keys_file is None:
        return None
    return BankCounters(read_keys(settings.bank_keys_file.read_text()))
