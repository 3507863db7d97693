"""Our accounts with the platforms: whole or not at all, and a real city's are its own."""

from pathlib import Path

import pytest

from integrations.platforms import (
    PlatformSettings,
    UnfitPlatforms,
    open_platforms,
    require_real,
)
from integrations.sandbox.accounts import DEMO_KEYS, make_keys, our_accounts
from server.settings import WrongSettings, read_as

# Nothing is asked of it here.
VALKEY = "redis://127.0.0.1:1"
CITY: dict[str, object] = {"wechat_app_id": "wx-of-the-city", "wechat_secret": "hush-hush"}


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)


def a_city(**changed: object) -> PlatformSettings:
    return read_as(PlatformSettings, **(CITY | changed))


def refuse(settings: PlatformSettings, what: str) -> None:
    with pytest.raises(UnfitPlatforms, match=what) as unfit:
        require_real(settings, demo_keys=DEMO_KEYS)
    assert "hush" not in str(unfit.value)


def test_a_city_with_its_own_accounts_may_be_served() -> None:
    require_real(a_city(), demo_keys=DEMO_KEYS)


def test_a_city_needs_its_mini_program() -> None:
    refuse(read_as(PlatformSettings), "YITING_WECHAT_APP_ID")


@pytest.mark.parametrize(
    ("given", "missing"),
    [
        ({"wechat_secret": None}, "WECHAT_SECRET"),
        ({"alipay_app_id": "2021"}, "ALIPAY_PRIVATE_KEY_FILE"),
        ({"alipay_app_id": "2021", "alipay_private_key_file": "key.pem"}, "ALIPAY_PUBLIC_KEY_FILE"),
        ({"province_host": "https://province.example"}, "PROVINCE_SECRET"),
        ({"sms_host": "https://sms.example", "sms_app_key": "k"}, "SMS_SECRET"),
        ({"identity_secret": "hush"}, "IDENTITY_HOST"),
    ],
)
def test_half_an_account_is_refused_and_the_missing_half_named(
    given: dict[str, object], missing: str
) -> None:
    with pytest.raises(WrongSettings, match=f"YITING_{missing}") as wrong:
        a_city(**given)
    assert "hush" not in str(wrong.value)


def test_a_host_that_is_no_url_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("YITING_WECHAT_HOST", "api.weixin.example")
    with pytest.raises(WrongSettings, match="YITING_WECHAT_HOST"):
        read_as(PlatformSettings)


def test_secrets_do_not_show() -> None:
    settings = a_city(alipay_aes_key="hush-hush-aes")
    assert "hush" not in f"{settings!r} {settings} {settings.model_dump()}"


def test_a_child_reads_the_same_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    ours = read_as(PlatformSettings, **our_accounts("http://box:1", "http://api:2", tmp_path))
    for name, value in ours.environment().items():
        monkeypatch.setenv(name, value)
    assert read_as(PlatformSettings) == ours


@pytest.mark.parametrize("key", sorted(DEMO_KEYS))
def test_a_real_city_is_not_served_with_the_demos_keys(key: str) -> None:
    refuse(a_city(wechat_secret=key), "demo's")


@pytest.mark.parametrize(
    "host",
    [
        "http://127.0.0.1:8001",
        "http://127.8.9.10",
        "https://localhost",
        "http://box.localhost:1",
        "http://LOCALHOST.:8001",
        "http://[::1]:8001",
        "http://0.0.0.0:8001",
    ],
)
@pytest.mark.parametrize("field", ["wechat_host", "alipay_gateway"])
def test_a_real_city_does_not_ask_a_sandbox_who_somebody_is(field: str, host: str) -> None:
    refuse(a_city(**{field: host}), f"YITING_{field.upper()}")


def test_alipays_key_files_are_read_before_anybody_needs_them(tmp_path: Path) -> None:
    keys = {"alipay_app_id": "2021", "alipay_public_key_file": tmp_path / "public.pem"}
    refuse(a_city(**keys, alipay_private_key_file=tmp_path / "gone.pem"), "Alipay's key files")
    rubbish = tmp_path / "rubbish.pem"
    rubbish.write_text("no key")
    refuse(a_city(**keys, alipay_private_key_file=rubbish), "Alipay's key files")


def test_a_platform_without_an_account_is_a_closed_door() -> None:
    platforms = open_platforms(a_city(), VALKEY)
    assert set(platforms.doors) == {"wechat"}
    assert (platforms.province, platforms.sms, platforms.real_names) == (None, None, None)


def test_the_demo_has_an_account_with_everybody(tmp_path: Path) -> None:
    make_keys(tmp_path)
    kept = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    assert all(file.stat().st_mode & 0o077 == 0 for file in tmp_path.iterdir())
    make_keys(tmp_path)
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == kept
    accounts = read_as(PlatformSettings, **our_accounts("http://box:1", "http://api:2", tmp_path))
    platforms = open_platforms(accounts, VALKEY)
    assert set(platforms.doors) == {"wechat", "alipay"}
    assert platforms.province
    assert platforms.real_names
    assert platforms.sms
    assert platforms.faces
