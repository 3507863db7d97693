"""Which vendor stands behind which port, as the settings say."""

from collections.abc import Callable, Collection, Iterator
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path
from typing import Literal, Self
from urllib.parse import urlsplit

import httpx
import redis.asyncio as aioredis
from pydantic import SecretStr, field_validator, model_validator
from pydantic_settings import SettingsConfigDict

from integrations.alipay import (
    AlipayCredentials,
    AlipayFaceCheck,
    AlipayGateway,
    AlipayMessages,
    AlipayPhone,
    AlipaySignIn,
)
from integrations.identity import RealNameService
from integrations.maps import AMapMaps, TencentMaps, amap, tencent
from integrations.payments import (
    PAYMENT_ACCOUNTS,
    PAYMENT_HOSTS,
    PaymentSettings,
    open_alipay,
    open_batches,
    open_unionpay,
    open_wechat_pay,
    unionpay_credentials,
    wechat_pay_credentials,
)
from integrations.ports import Maps, PhoneReader, Platforms, ProvinceSignIn, SignIn
from integrations.ports_message import EventReader, Messenger
from integrations.ports_payment import PaymentChannel
from integrations.province import GuangdongSignIn, OidcSignIn
from integrations.sms import SmsMessages
from integrations.texting import (
    SMS_ACCOUNTS,
    SMS_HOSTS,
    SmsSettings,
    after_silence,
    open_receipts,
    open_sms,
)
from integrations.wechat import (
    AccessToken,
    WeChatClient,
    WeChatMessages,
    WeChatPhone,
    WeChatPush,
    WeChatSignIn,
)

MOST_CONNECTIONS = 200
# A rush of people with a way to look up must not cost more to queue than to ask.
MOST_TO_MAPS = 20


_HOSTS = (
    "wechat_host",
    "alipay_gateway",
    "province_host",
    "identity_host",
    *SMS_HOSTS,
    "maps_host",
    *PAYMENT_HOSTS,
)


class UnfitPlatforms(Exception):
    """Platforms that a real city must not use; the message is one sentence."""


class PlatformSettings(PaymentSettings, SmsSettings):
    """The accounts we have with the platforms. A platform without an account is a closed door."""

    model_config = SettingsConfigDict(
        env_prefix="YITING_", env_file=".env", extra="ignore", frozen=True
    )

    wechat_host: str = "https://api.weixin.qq.com"
    wechat_app_id: str | None = None
    wechat_secret: SecretStr | None = None
    # Message push: the token that signs it, and the EncodingAESKey where it is sealed.
    wechat_push_token: SecretStr | None = None
    wechat_push_aes_key: SecretStr | None = None
    # As what a subscription message opens our mini-program.
    wechat_stage: Literal["developer", "trial", "formal"] = "formal"

    alipay_gateway: str = "https://openapi.alipay.com/gateway.do"
    alipay_app_id: str | None = None
    alipay_private_key_file: Path | None = None
    # Plain-key mode: Alipay's public key. Certificate mode: the three certificates.
    alipay_public_key_file: Path | None = None
    alipay_app_cert_file: Path | None = None
    alipay_cert_file: Path | None = None
    alipay_root_cert_file: Path | None = None
    alipay_aes_key: SecretStr | None = None
    # Where Alipay's face check sends people back to in the mini-program.
    alipay_return_url: str = "alipays://platformapi/startapp"

    province_kind: Literal["guangdong", "oidc"] = "guangdong"
    province_host: str | None = None
    province_client_id: str | None = None
    province_secret: SecretStr | None = None
    # The address registered with the province, which it sends people back to.
    province_redirect: str | None = None

    identity_host: str | None = None
    identity_app_key: str | None = None
    identity_secret: SecretStr | None = None

    # A map service refines the ways to the first halls and knows addresses. Which one, and our key;
    # the secret where the key is set to want signatures. The host where it is not their own.
    maps_kind: Literal["amap", "tencent"] = "amap"
    maps_host: str | None = None
    maps_key: SecretStr | None = None
    maps_secret: SecretStr | None = None

    @field_validator(*_HOSTS)
    @classmethod
    def _is_url(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith(("http://", "https://")):
            raise ValueError("must begin with http:// or https://")
        return value.rstrip("/") if value else value

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        for name, fields in _ACCOUNTS.items():
            missing = [field for field in fields if getattr(self, field) is None]
            if 0 < len(missing) < len(fields):
                named = ", ".join(f"YITING_{field.upper()}" for field in missing)
                raise ValueError(f"an account with {name} also needs {named}")
        if self.alipay_app_id and not (self.alipay_public_key_file or self.alipay_cert_file):
            raise ValueError(
                "an account with Alipay also needs YITING_ALIPAY_PUBLIC_KEY_FILE, or in"
                " certificate mode YITING_ALIPAY_APP_CERT_FILE, YITING_ALIPAY_CERT_FILE and"
                " YITING_ALIPAY_ROOT_CERT_FILE"
            )
        return self

    def environment(self) -> dict[str, str]:
        """These settings as variables for a child process to read."""
        return {
            f"YITING_{name.upper()}": str(
                value.get_secret_value() if isinstance(value, SecretStr) else value
            )
            for name, value in self.model_dump(exclude_none=True).items()
        }


# What makes an account whole: all of it or nothing.
_ACCOUNTS = {
    "WeChat": ("wechat_app_id", "wechat_secret"),
    "Alipay": ("alipay_app_id", "alipay_private_key_file"),
    "Alipay in certificate mode": (
        "alipay_app_cert_file",
        "alipay_cert_file",
        "alipay_root_cert_file",
    ),
    "the province": (
        "province_host",
        "province_client_id",
        "province_secret",
        "province_redirect",
    ),
    "the identity provider": ("identity_host", "identity_app_key", "identity_secret"),
    **SMS_ACCOUNTS,
    **PAYMENT_ACCOUNTS,
}


def real_time() -> datetime:
    """The time of a city whose clock runs as everybody's."""
    return datetime.now(UTC)


def open_platforms(
    settings: PlatformSettings, redis_url: str, city_now: Callable[[], datetime] = real_time
) -> Platforms:
    """The platforms behind our ports, sharing one HTTP client, and Valkey for shared tokens.

    `city_now` is the clock that payments are dated with; signatures are dated by real time.
    Raises OSError for a key file that cannot be read, ValueError for one that holds no key.
    """
    http = httpx.AsyncClient(limits=httpx.Limits(max_connections=MOST_CONNECTIONS))
    doors: dict[str, SignIn] = {}
    phones: dict[str, PhoneReader] = {}
    messengers: dict[str, Messenger] = {}
    events: dict[str, EventReader] = {}
    faces = None
    payments: list[PaymentChannel | None] = [
        open_wechat_pay(http, settings, settings.wechat_app_id),
        open_unionpay(http, settings, city_now),
    ]
    if settings.wechat_app_id:
        secret = _secret(settings.wechat_secret)
        doors["wechat"] = WeChatSignIn(http, settings.wechat_host, settings.wechat_app_id, secret)
        valkey = aioredis.from_url(redis_url)
        token = AccessToken(http, valkey, settings.wechat_host, settings.wechat_app_id, secret)
        client = WeChatClient(http, settings.wechat_host, token)
        phones["wechat"] = WeChatPhone(client)
        messengers["wechat"] = WeChatMessages(
            client,
            stage=settings.wechat_stage,
            is_told=settings.wechat_push_token is not None,
        )
        if settings.wechat_push_token:
            events["wechat"] = WeChatPush(
                settings.wechat_app_id,
                _secret(settings.wechat_push_token),
                _secret(settings.wechat_push_aes_key) or None,
            )
    if settings.alipay_app_id:
        credentials = alipay_credentials(settings)
        gateway = AlipayGateway(http, settings.alipay_gateway, credentials)
        doors["alipay"] = AlipaySignIn(gateway)
        messengers["alipay"] = AlipayMessages(gateway)
        payments.append(open_alipay(http, settings, gateway, credentials, city_now))
        faces = AlipayFaceCheck(gateway, settings.alipay_return_url)
        if settings.alipay_aes_key:
            phones["alipay"] = AlipayPhone(credentials, _secret(settings.alipay_aes_key))
    sms = open_sms(http, settings)
    if sms is not None:
        messengers["sms"] = SmsMessages(sms, after_silence(settings))
    return Platforms(
        doors=doors,
        phones=phones,
        faces=faces,
        province=_province(http, settings),
        province_redirect=settings.province_redirect or "",
        real_names=RealNameService(
            http,
            settings.identity_host,
            settings.identity_app_key or "",
            _secret(settings.identity_secret),
        )
        if settings.identity_host
        else None,
        sms=sms,
        maps=open_maps(settings),
        payments={channel.name: channel for channel in payments if channel},
        payment_host=settings.unionpay_host if settings.unionpay_merchant else None,
        batches=open_batches(settings),
        messengers=messengers,
        events=events,
        receipts=open_receipts(settings),
    )


def open_maps(settings: PlatformSettings) -> Maps | None:
    """The map service that we have a key of, if any, with connections of its own."""
    if settings.maps_key is None:
        return None
    http = httpx.AsyncClient(limits=httpx.Limits(max_connections=MOST_TO_MAPS))
    key, secret = _secret(settings.maps_key), _secret(settings.maps_secret) or None
    if settings.maps_kind == "tencent":
        return TencentMaps(http, settings.maps_host or tencent.HOST, key, secret)
    return AMapMaps(http, settings.maps_host or amap.HOST, key, secret)


def _province(http: httpx.AsyncClient, settings: PlatformSettings) -> ProvinceSignIn | None:
    if not settings.province_host:
        return None
    kind = GuangdongSignIn if settings.province_kind == "guangdong" else OidcSignIn
    return kind(
        http,
        settings.province_host,
        settings.province_client_id or "",
        _secret(settings.province_secret),
    )


def alipay_credentials(settings: PlatformSettings) -> AlipayCredentials:
    """Our Alipay account's keys. Raises OSError or ValueError."""
    assert settings.alipay_app_id
    assert settings.alipay_private_key_file
    private_key = settings.alipay_private_key_file.read_text()
    if settings.alipay_public_key_file:
        public_key = settings.alipay_public_key_file.read_text()
        return AlipayCredentials.with_public_key(settings.alipay_app_id, private_key, public_key)
    assert settings.alipay_app_cert_file
    assert settings.alipay_cert_file
    assert settings.alipay_root_cert_file
    return AlipayCredentials.with_certificates(
        settings.alipay_app_id,
        private_key,
        app_cert=settings.alipay_app_cert_file.read_text(),
        alipay_certs=[settings.alipay_cert_file.read_text()],
        alipay_root_cert=settings.alipay_root_cert_file.read_text(),
    )


def require_real(settings: PlatformSettings, *, demo_keys: Collection[str]) -> None:
    """Raise UnfitPlatforms unless real people can be served: no demo keys, no sandbox."""
    if not settings.wechat_app_id:
        raise UnfitPlatforms(
            "Set YITING_WECHAT_APP_ID and YITING_WECHAT_SECRET before serving a real city."
        )
    for name, value in settings.environment().items():
        if value in demo_keys:
            raise UnfitPlatforms(f"{name} is the demo's; set the city's own.")
    for name, url in _hosts(settings):
        if _is_this_machine(url):
            raise UnfitPlatforms(
                f"{name} names this very machine ({url}), as a sandbox does; set the real host."
            )
    for account, is_there, look in (
        ("Alipay", settings.alipay_app_id, alipay_credentials),
        ("WeChat Pay", settings.wechat_mch_id, _wechat_pay),
        ("UnionPay", settings.unionpay_merchant, unionpay_credentials),
        ("The banks", settings.bank_keys_file, open_batches),
    ):
        try:
            _ = is_there and look(settings)
        except (OSError, ValueError) as fault:
            raise UnfitPlatforms(f"{account}'s key files cannot be used: {fault}.") from None


def _wechat_pay(settings: PlatformSettings) -> object:
    return wechat_pay_credentials(settings, settings.wechat_app_id)


def _hosts(settings: PlatformSettings) -> Iterator[tuple[str, str]]:
    for field in _HOSTS:
        if url := getattr(settings, field):
            yield f"YITING_{field.upper()}", url


def _is_this_machine(url: str) -> bool:
    host = (urlsplit(url).hostname or "").rstrip(".")
    try:
        address = ip_address(host)
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
    return address.is_loopback or address.is_unspecified


def _secret(value: SecretStr | None) -> str:
    return value.get_secret_value() if value else ""
