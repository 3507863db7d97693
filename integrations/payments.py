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

PAYMENT_HOSTS: Final = ("unionpay_host", "unionpay_file_host")

# What makes an account whole: all of it or nothing.
PAYMENT_ACCOUNTS: Final = {
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
