"""Settings: typed, read once from `YITING_…` variables and `.env`, refused loudly when wrong."""

from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal, TypeVar
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict
from redis.asyncio.connection import parse_url

from models import orm_config
from scheduler.travel import PACES
from server.keys.token_keys import NO_KEYS, TokenKeys
from server.privacy.key_file import read_key_file
from server.sso.keys import SigningKeys

DEMO_PASSWORD = "yiting-demo"  # noqa: S105 printed at every start of the demo, refused by `serve`


class WrongSettings(Exception):
    """A setting is missing or wrong; the message is one sentence that names it."""


Kind = TypeVar("Kind", bound=BaseSettings)


class Settings(BaseSettings):
    """Everything that differs between two cities, or between the demo and production."""

    model_config = SettingsConfigDict(
        env_prefix="YITING_", env_file=".env", extra="ignore", frozen=True
    )

    mode: Literal["demo", "production"] = "production"
    data_dir: Path = Path(".yiting")
    database_url: SecretStr | None = None
    redis_url: SecretStr | None = None
    database_pool: Annotated[int, Field(ge=1, le=500)] = 40
    database_timeout_s: Annotated[float, Field(gt=0, le=300)] = 10.0

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8000
    workers: Annotated[int, Field(ge=1, le=64)] = 2
    most_sockets: Annotated[int, Field(ge=1)] = 10_000
    # Many phones share one address of their carrier.
    most_sockets_of_one: Annotated[int, Field(ge=1)] = 2_000
    # For how many people, and for how many companies, one citizen may act by her own declaration.
    most_declared: Annotated[int, Field(ge=0, le=100)] = 5
    most_companies: Annotated[int, Field(ge=0, le=100)] = 5
    # Whether a name and number are too little to come to an account that another channel proved.
    joining_needs_face: bool | None = None
    # Up to so much a refund needs no manager's approval.
    refund_approval_fen: Annotated[int, Field(ge=0)] = 20_000
    # Metres of road for one of straight line, driving: where rivers or hills bend them more, more.
    road_factor: Annotated[float, Field(ge=1, le=4)] = PACES["drive"].road_factor
    # The city that addresses are looked for in, as the map service knows it.
    maps_city: str | None = None
    proxies_count: Annotated[int, Field(ge=0, le=5)] = 0
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    token_keys_file: Path | None = None
    personal_keys_file: Path | None = None
    sso_keys_file: Path | None = None
    public_url: str | None = None
    # The city's own rules of whom what concerns; without it those that come with the program.
    rules_file: Path | None = None

    rate_limits: bool = True
    sandbox_url: str | None = None
    clock_start: datetime | None = None
    clock_anchor: float | None = None
    clock_speed: Annotated[float, Field(gt=0, le=3600)] = 1.0

    @field_validator("clock_start")
    @classmethod
    def _has_offset(cls, value: datetime | None) -> datetime | None:
        if value is not None and value.tzinfo is None:
            raise ValueError("needs an offset, such as 2026-11-23T09:30:00+08:00")
        return value

    @field_validator("sandbox_url")
    @classmethod
    def _is_url(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith(("http://", "https://")):
            raise ValueError("must begin with http:// or https://")
        return value.rstrip("/") if value else value

    @field_validator("public_url")
    @classmethod
    def _is_address(cls, value: str | None) -> str | None:
        # No path: cookies and the documents under `/.well-known` belong to a whole host.
        parts = urlsplit(value) if value is not None else None
        if parts is not None and (
            parts.scheme not in {"http", "https"}
            or not parts.hostname
            or parts.username is not None
            or parts.path.strip("/")
            or parts.query
            or parts.fragment
        ):
            raise ValueError("must look like https://yiting.example.gov.cn, without a path")
        return value.rstrip("/") if value else value

    @field_validator("database_url")
    @classmethod
    def _is_postgres(cls, value: SecretStr | None) -> SecretStr | None:
        if value:
            try:
                orm_config(value.get_secret_value())
            except ValueError:
                # Said in our words: the library quotes what it could not read, maybe a password.
                raise ValueError("must look like postgres://user:password@host:5432/name") from None
        return value

    @field_validator("redis_url")
    @classmethod
    def _is_valkey(cls, value: SecretStr | None) -> SecretStr | None:
        if value:
            try:
                parse_url(value.get_secret_value())
            except ValueError:
                raise ValueError("must look like redis://host:6379/0") from None
        return value

    def at(self, database_url: str, redis_url: str) -> "Settings":
        """These settings with the stores that are really used."""
        urls = {"database_url": SecretStr(database_url), "redis_url": SecretStr(redis_url)}
        return self.model_copy(update=urls)

    def environment(self) -> dict[str, str]:
        """These settings as variables for a child process to read."""
        return {
            f"YITING_{name.upper()}": str(
                value.get_secret_value() if isinstance(value, SecretStr) else value
            )
            for name, value in self.model_dump(exclude_none=True).items()
        }

    @property
    def face_to_join(self) -> bool:
        """Whether a face is needed to join an account; a real city's default, not the demo's."""
        said = self.joining_needs_face
        return self.mode == "production" if said is None else said

    @property
    def redis(self) -> str:
        """The URL of Valkey, where it is known."""
        return self.redis_url.get_secret_value() if self.redis_url else ""

    @property
    def token_keys(self) -> Path:
        """Where the token signing keys are; the demo keeps its own under the data directory."""
        return self.token_keys_file or self.data_dir / "keys" / "token-keys.json"

    @property
    def sso_keys(self) -> Path:
        """Where the keys of single sign-on are; without such a file there is none."""
        return self.sso_keys_file or self.data_dir / "keys" / "sso-keys.json"

    @property
    def issuer(self) -> str:
        """The address by which departments' systems know us (OpenID Connect's issuer)."""
        return self.public_url or f"http://127.0.0.1:{self.port}"

    @property
    def personal_keys(self) -> Path:
        """Where the keys of personal data are; the demo keeps its own under the data directory."""
        return self.personal_keys_file or self.data_dir / "keys" / "personal-keys.json"


def read_settings(**given: object) -> Settings:
    """Settings from the environment and `.env`; what is `given` comes first.

    Raises WrongSettings with one sentence that names every wrong variable.
    """
    return read_as(Settings, **given)


def read_as(kind: type[Kind], **given: object) -> Kind:
    """Settings of any kind, as `read_settings` reads ours. Raises WrongSettings."""
    try:
        return kind(**{key: value for key, value in given.items() if value is not None})  # type: ignore[arg-type]
    except ValidationError as wrong:
        raise WrongSettings(_sentence(wrong)) from None


def require_production(settings: Settings) -> None:
    """Raise WrongSettings unless everything a real city needs is set and nothing is the demo's."""
    needed = {
        "YITING_DATABASE_URL": settings.database_url,
        "YITING_REDIS_URL": settings.redis_url,
        "YITING_TOKEN_KEYS_FILE": settings.token_keys_file,
        "YITING_PERSONAL_KEYS_FILE": settings.personal_keys_file,
    }
    missing = [name for name, value in needed.items() if not value]
    if missing:
        raise WrongSettings(f"Set {', '.join(missing)} before serving a real city.")
    if demos := _set_for_a_demo(settings):
        raise WrongSettings(f"Unset {', '.join(demos)} before serving a real city: for demos only.")
    assert settings.token_keys_file is not None
    require_token_keys(settings.token_keys_file)
    require_personal_keys(settings.personal_keys)
    require_single_sign_on(settings)


def _set_for_a_demo(settings: Settings) -> list[str]:
    """The variables that a real city must not have: its time is real and its people are too."""
    only_in_demos = {
        "YITING_MODE": settings.mode == "demo",
        "YITING_SANDBOX_URL": settings.sandbox_url is not None,
        "YITING_CLOCK_START": settings.clock_start is not None,
        "YITING_CLOCK_ANCHOR": settings.clock_anchor is not None,
        "YITING_CLOCK_SPEED": settings.clock_speed != 1.0,
    }
    return [name for name, is_set in only_in_demos.items() if is_set]


def require_token_keys(path: Path) -> None:
    """Raise WrongSettings unless the file's first key can sign, so that no citizen finds out."""
    if not path.is_file():
        raise WrongSettings(f"YITING_TOKEN_KEYS_FILE names {path}, which is no readable file.")
    try:
        can_sign = TokenKeys.read(path).can_sign
    except (OSError, *NO_KEYS):
        can_sign = False
    if not can_sign:
        raise WrongSettings(
            f"YITING_TOKEN_KEYS_FILE names {path}, which holds no private Ed25519 keys;"
            " `python app.py keys FILE` makes such a file."
        )


def require_personal_keys(path: Path) -> None:
    """Raise WrongSettings unless the file's keys can seal and open what is personal."""
    if not path.is_file():
        raise WrongSettings(f"YITING_PERSONAL_KEYS_FILE names {path}, which is no readable file.")
    try:
        read_key_file(path)
    except (OSError, ValueError):
        raise WrongSettings(
            f"YITING_PERSONAL_KEYS_FILE names {path}, which holds no personal keys;"
            " `python app.py personal-keys new FILE` makes such a file."
        ) from None


def require_single_sign_on(settings: Settings) -> None:
    """Raise WrongSettings when single sign-on is half set; without departments none is needed."""
    if settings.sso_keys_file is None and settings.public_url is None:
        return
    if settings.sso_keys_file is None or settings.public_url is None:
        raise WrongSettings(
            "Set YITING_PUBLIC_URL and YITING_SSO_KEYS_FILE both, or neither: single sign-on"
            " needs the two."
        )
    if not settings.public_url.startswith("https://"):
        raise WrongSettings(
            "YITING_PUBLIC_URL must begin with https:// before serving a real city."
        )
    require_sso_keys(settings.sso_keys_file)


def require_sso_keys(path: Path) -> None:
    """Raise WrongSettings unless the file's keys can sign for departments' systems."""
    if not path.is_file():
        raise WrongSettings(f"YITING_SSO_KEYS_FILE names {path}, which is no readable file.")
    try:
        SigningKeys.read(path)
    except (OSError, ValueError):
        raise WrongSettings(
            f"YITING_SSO_KEYS_FILE names {path}, which holds no keys of single sign-on;"
            " `python app.py sso-keys new FILE` makes such a file."
        ) from None


def _sentence(wrong: ValidationError) -> str:
    # The value itself is left out: it may be a secret.
    faults = []
    for fault in wrong.errors(include_input=False, include_url=False):
        reason = fault["msg"].removeprefix("Value error, ")
        named = f"YITING_{str(fault['loc'][0]).upper()} " if fault["loc"] else ""
        faults.append(f"{named}{reason[0].lower()}{reason[1:]}")
    return "Wrong settings: " + "; ".join(faults) + "."
