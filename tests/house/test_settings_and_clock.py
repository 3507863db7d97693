"""Settings are refused in one sentence that names them; the clock runs as it is told."""

import json
import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from scheduler.calendar import Opening, Timetable
from server.application import clock_of
from server.clock import Clock, microseconds
from server.demo.clock import demo_clock, keep_clock, touch_clock
from server.keys.token_keys import write_token_keys
from server.privacy.key_file import write_personal_keys
from server.settings import Settings, WrongSettings, read_settings, require_production

START = datetime.fromisoformat("2026-11-23T09:30:00+08:00")


@pytest.fixture(autouse=True)
def _bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No variables and no .env of this machine's."""
    for name in list(os.environ):
        if name.startswith("YITING_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MODE", "pretend"),
        ("PORT", "eighty"),
        ("PORT", "65536"),
        ("PORT", "-1"),
        ("WORKERS", "0"),
        ("WORKERS", "65"),
        ("PROXIES_COUNT", "many"),
        ("LOG_LEVEL", "loud"),
        ("RATE_LIMITS", "perhaps"),
        ("DATABASE_URL", "mysql://yiting:hush-hush@db/yiting"),
        ("DATABASE_URL", "postgres://yiting:hush-hush@db"),
        ("DATABASE_URL", "postgres://yiting:hush#hush@db:5432/yiting"),
        ("DATABASE_TIMEOUT_S", "0"),
        ("REDIS_URL", "https://valkey.example"),
        ("REDIS_URL", "redis://valkey.example:port"),
        ("SANDBOX_URL", "localhost:8001"),
        ("CLOCK_START", "2026-11-23T09:30:17"),
        ("CLOCK_START", "yesterday-ish"),
        ("CLOCK_SPEED", "0"),
        ("CLOCK_SPEED", "-1.5"),
        ("CLOCK_SPEED", "3601"),
    ],
)
def test_a_wrong_variable_is_named_and_its_value_is_not(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(f"YITING_{name}", value)
    with pytest.raises(WrongSettings) as wrong:
        read_settings()
    sentence = str(wrong.value)
    assert f"YITING_{name} " in sentence
    assert sentence.endswith(".")
    assert "\n" not in sentence
    assert f"'{value}'" not in sentence
    assert len(value) < 4 or value not in sentence


def test_all_wrong_variables_are_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("YITING_PORT", "eighty")
    monkeypatch.setenv("YITING_WORKERS", "none")
    with pytest.raises(WrongSettings, match=r"YITING_PORT.*YITING_WORKERS"):
        read_settings()


def test_variables_and_the_env_file_are_read(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".env").write_text("YITING_PORT=9001\nYITING_WORKERS=3\nOTHER=1\n")
    monkeypatch.setenv("YITING_PORT", "9002")
    settings = read_settings()
    assert (settings.port, settings.workers) == (9002, 3)
    assert read_settings(port=9003, workers=None).port == 9003
    assert settings.mode == "production"


def test_secrets_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("YITING_DATABASE_URL", "postgres://yiting:hush-hush@db/yiting")
    settings = read_settings()
    assert "hush-hush" not in f"{settings!r} {settings} {settings.model_dump()}"


def production(tmp_path: Path, **changed: object) -> Settings:
    keys = tmp_path / "keys.json"
    write_token_keys(keys)
    personal_keys = tmp_path / "personal.json"
    write_personal_keys(personal_keys)
    proper: dict[str, object] = {
        "database_url": "postgres://db/yiting",
        "redis_url": "redis://valkey",
        "token_keys_file": keys,
        "personal_keys_file": personal_keys,
    }
    return read_settings(**(proper | changed))


def test_a_real_city_with_everything_set_may_be_served(tmp_path: Path) -> None:
    require_production(production(tmp_path))


@pytest.mark.parametrize(
    "name", ["database_url", "redis_url", "token_keys_file", "personal_keys_file"]
)
def test_a_real_city_needs_each_of_them(tmp_path: Path, name: str) -> None:
    with pytest.raises(WrongSettings, match=f"YITING_{name.upper()}"):
        require_production(production(tmp_path, **{name: None}))


def test_a_key_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    gone = production(tmp_path, token_keys_file=tmp_path / "gone.json")
    with pytest.raises(WrongSettings, match=r"YITING_TOKEN_KEYS_FILE.*gone\.json"):
        require_production(gone)


@pytest.mark.parametrize(
    ("changed", "name"),
    [
        ({"mode": "demo"}, "YITING_MODE"),
        ({"sandbox_url": "http://sandbox.example"}, "YITING_SANDBOX_URL"),
        ({"clock_start": START}, "YITING_CLOCK_START"),
        ({"clock_anchor": 1.0}, "YITING_CLOCK_ANCHOR"),
        ({"clock_speed": 60}, "YITING_CLOCK_SPEED"),
    ],
)
def test_a_real_city_is_not_served_with_a_demos_settings(
    tmp_path: Path, changed: dict[str, object], name: str
) -> None:
    with pytest.raises(WrongSettings, match=f"Unset {name} "):
        require_production(production(tmp_path, **changed))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not json",
        b"\xff\xfe",
        b"[]",
        b"null",
        b'{"keys": []}',
        b'{"keys": [{"kty": "OKP"}]}',
        b'{"keys": ["key"]}',
        b'{"keys": [{"kty": "OKP", "kid": "k", "crv": "Ed25519", "x": "?", "d": "?"}]}',
    ],
)
def test_a_key_file_without_usable_keys_is_named(tmp_path: Path, content: bytes) -> None:
    settings = production(tmp_path)
    assert settings.token_keys_file
    settings.token_keys_file.write_bytes(content)
    with pytest.raises(WrongSettings, match=r"YITING_TOKEN_KEYS_FILE.*keys\.json.*\.$"):
        require_production(settings)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe",
        b"[]",
        b"{}",
        b'{"keys": [], "index_key": ""}',
        b'{"keys": [{"id": "0011223344556677", "made": "2026-11-23", "key": "AAAA"}]}',
    ],
)
def test_a_file_without_usable_personal_keys_is_named(tmp_path: Path, content: bytes) -> None:
    settings = production(tmp_path)
    settings.personal_keys.write_bytes(content)
    with pytest.raises(WrongSettings, match=r"YITING_PERSONAL_KEYS_FILE.*personal\.json.*\.$"):
        require_production(settings)


def test_a_public_key_cannot_sign_and_is_refused_at_the_start(tmp_path: Path) -> None:
    settings = production(tmp_path)
    assert settings.token_keys_file
    [key] = json.loads(settings.token_keys_file.read_text())["keys"]
    del key["d"]
    settings.token_keys_file.write_text(json.dumps({"keys": [key]}))
    with pytest.raises(WrongSettings, match="private"):
        require_production(settings)


# --- the clock -----------------------------------------------------------------------------


def test_a_clock_without_a_start_is_real_time() -> None:
    assert abs(Clock().now() - datetime.now(UTC)) < timedelta(seconds=1)
    assert clock_of(read_settings()).start is None


@pytest.mark.parametrize("speed", [1.0, 60.0, 0.5])
def test_a_clock_starts_where_told_and_runs_as_fast_as_told(speed: float) -> None:
    clock = Clock(START, time.time() - 100, speed)
    assert abs(clock.now() - (START + timedelta(seconds=100 * speed))) < timedelta(seconds=speed)
    assert clock.now().tzinfo is UTC


def test_two_processes_with_the_same_anchor_agree() -> None:
    settings = read_settings(clock_start=START, clock_anchor=time.time() - 5, clock_speed=10)
    one, other = clock_of(settings), clock_of(settings)
    assert abs(one.now() - other.now()) < timedelta(seconds=0.5)


def test_versions_rise_and_fit_javascript() -> None:
    first = microseconds()
    assert first <= microseconds() < 2**53


WEEKDAYS = Timetable(
    tuple(
        Opening(day, datetime(1, 1, 1, 9).time(), datetime(1, 1, 1, 17).time()) for day in range(5)
    )
)


def test_a_demos_clock_starts_where_it_is_told(tmp_path: Path) -> None:
    clock = demo_clock(tmp_path / "clock.json", WEEKDAYS, given=START, speed=2.0)
    assert (clock.start, clock.speed) == (START, 2.0)
    assert abs(clock.anchor - time.time()) < 5


def test_a_demo_untold_starts_when_the_halls_are_open(tmp_path: Path) -> None:
    clock = demo_clock(tmp_path / "clock.json", WEEKDAYS, given=None, speed=1.0)
    assert clock.start is not None
    local = clock.start.astimezone(START.tzinfo)
    assert local.weekday() < 5
    assert 9 <= local.hour < 17
    assert clock.start >= datetime.now(UTC) - timedelta(seconds=5)


def test_business_time_does_not_run_backwards_over_a_restart(tmp_path: Path) -> None:
    kept = tmp_path / "clock.json"
    far = datetime.fromisoformat("2031-03-05T10:00:00+08:00")
    keep_clock(kept, Clock(far, time.time() - 60, 10.0))
    touch_clock(kept)
    again = demo_clock(kept, WEEKDAYS, given=None, speed=1.0)
    assert again.start is not None
    ran = (again.start - far).total_seconds()
    assert 590 <= ran <= 620


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", '{"start": "x", "anchor": 0, "speed": 1}', "null"]
)
def test_a_spoilt_note_of_the_clock_is_no_harm(tmp_path: Path, text: str) -> None:
    kept = tmp_path / "clock.json"
    kept.write_text(text)
    clock = demo_clock(kept, WEEKDAYS, given=None, speed=1.0)
    assert clock.start is not None
    keep_clock(kept, clock)
    assert json.loads(kept.read_text())["speed"] == 1.0
