"""The demo's accounts with the sandbox: both sides' halves of them."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Final

from integrations.sandbox.alipay_keys import make_private_key, public_key_of
from integrations.sandbox.payments.bank_counter import KEYS_FILE, make_bank_keys
from integrations.sandbox.payments.unionpay_keys import (
    MERCHANT_PFX,
    MIDDLE,
    PASSWORD,
    ROOT,
    make_unionpay_keys,
)
from integrations.sandbox.settings import SandboxSettings

_DEFAULTS: Final = SandboxSettings()
_APP_KEY: Final = "alipay-app.pem"
_OWN_KEY: Final = "alipay-platform.pem"
_MERCHANT_KEY: Final = "wechat-merchant.pem"
_WECHAT_PAY_KEY: Final = "wechat-pay-platform.pem"
_WECHAT_PAY_PUBLIC_KEY: Final = "wechat-pay-public.pem"
_OWN_PUBLIC_KEY: Final = "alipay-platform-public.pem"

# Printed in this repository for everybody to read: a real city must not use them.
DEMO_KEYS: Final = frozenset(
    {
        _DEFAULTS.wechat_app_id,
        _DEFAULTS.wechat_secret,
        _DEFAULTS.wechat_mch_id,
        _DEFAULTS.wechat_api_v3_key,
        _DEFAULTS.alipay_app_id,
        _DEFAULTS.alipay_aes_key,
        _DEFAULTS.alipay_seller_id,
        _DEFAULTS.unionpay_merchant,
        _DEFAULTS.province_secret,
        _DEFAULTS.identity_secret,
        _DEFAULTS.sms_secret,
        _DEFAULTS.wechat_push_token,
        _DEFAULTS.wechat_push_aes_key,
        _DEFAULTS.amap_key,
        _DEFAULTS.amap_secret,
        _DEFAULTS.tencent_maps_key,
        _DEFAULTS.tencent_maps_secret,
    }
)


def make_keys(folder: Path) -> None:
    """Make both sides' keys for all channels and a bank's secret, where there are none yet.

    Takes a second the first time. Raises OSError.
    """
    folder.mkdir(parents=True, exist_ok=True)
    make_unionpay_keys(folder)
    for name in (_APP_KEY, _OWN_KEY, _MERCHANT_KEY, _WECHAT_PAY_KEY):
        if not (folder / name).exists():
            _write(folder / name, make_private_key())
    make_bank_keys(folder)
    for public, own in ((_OWN_PUBLIC_KEY, _OWN_KEY), (_WECHAT_PAY_PUBLIC_KEY, _WECHAT_PAY_KEY)):
        _write(folder / public, public_key_of((folder / own).read_text()))


def sandbox_settings(folder: Path) -> SandboxSettings:
    """The sandbox's half: it knows our app's public key and its own private one."""
    return replace(
        _DEFAULTS,
        wechat_mch_public_key=public_key_of((folder / _MERCHANT_KEY).read_text()),
        wechat_pay_private_key=(folder / _WECHAT_PAY_KEY).read_text(),
        alipay_app_public_key=public_key_of((folder / _APP_KEY).read_text()),
        alipay_private_key=(folder / _OWN_KEY).read_text(),
        unionpay_keys=folder,
        bank_keys=folder,
    )


def our_accounts(sandbox_url: str, api_url: str, folder: Path) -> dict[str, object]:
    """Our half: the settings of every platform, all of them played at `sandbox_url`."""
    return {
        "wechat_host": sandbox_url,
        "wechat_app_id": _DEFAULTS.wechat_app_id,
        "wechat_secret": _DEFAULTS.wechat_secret,
        "wechat_push_token": _DEFAULTS.wechat_push_token,
        "wechat_push_aes_key": _DEFAULTS.wechat_push_aes_key,
        "wechat_pay_host": sandbox_url,
        "wechat_pay_spare_host": sandbox_url,
        "wechat_mch_id": _DEFAULTS.wechat_mch_id,
        "wechat_mch_serial": _DEFAULTS.wechat_mch_serial,
        "wechat_mch_private_key_file": folder / _MERCHANT_KEY,
        "wechat_api_v3_key": _DEFAULTS.wechat_api_v3_key,
        "wechat_pay_public_key_id": _DEFAULTS.wechat_pay_key_id,
        "wechat_pay_public_key_file": folder / _WECHAT_PAY_PUBLIC_KEY,
        "alipay_gateway": f"{sandbox_url}/gateway.do",
        "alipay_app_id": _DEFAULTS.alipay_app_id,
        "alipay_private_key_file": folder / _APP_KEY,
        "alipay_public_key_file": folder / _OWN_PUBLIC_KEY,
        "alipay_aes_key": _DEFAULTS.alipay_aes_key,
        "alipay_seller_id": _DEFAULTS.alipay_seller_id,
        "unionpay_host": sandbox_url,
        "unionpay_file_host": f"{sandbox_url}/filedownload",
        "unionpay_merchant": _DEFAULTS.unionpay_merchant,
        "unionpay_pfx_file": folder / MERCHANT_PFX,
        "unionpay_pfx_password": PASSWORD,
        "unionpay_root_cert_file": folder / ROOT,
        "unionpay_middle_cert_file": folder / MIDDLE,
        "unionpay_front_url": f"{api_url}/payments/back",
        "bank_keys_file": folder / KEYS_FILE,
        "province_host": sandbox_url,
        "province_client_id": _DEFAULTS.province_client_id,
        "province_secret": _DEFAULTS.province_secret,
        "province_redirect": f"{api_url}/province/back",
        "identity_host": sandbox_url,
        "identity_app_key": _DEFAULTS.identity_app_key,
        "identity_secret": _DEFAULTS.identity_secret,
        "sms_host": sandbox_url,
        "sms_app_key": _DEFAULTS.sms_app_key,
        "sms_secret": _DEFAULTS.sms_secret,
        "maps_kind": "amap",
        "maps_host": sandbox_url,
        "maps_key": _DEFAULTS.amap_key,
        "maps_secret": _DEFAULTS.amap_secret,
    }


def _write(path: Path, text: str) -> None:
    """Write a file that only its owner can read, whole or not at all."""
    fresh = path.with_suffix(f".{os.getpid()}.new")
    fresh.touch(mode=0o600)
    fresh.write_text(text)
    fresh.replace(path)
