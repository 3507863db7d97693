"""Settings: typed, read once from `YITING_…` variables and `.env`, refused loudly when wrong."""

from collections.abc import Collection
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

DEMO_PASSWORD = "yiting-demo"  # noqa: S105 printed at every start of the demo, refused by `serve`


class WrongSettings(Exception):
    """A setting is missing or wrong; the message is one sentence that names it."""


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

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8000
    workers: Annotated[int, Field(ge=1, le=64)] = 2
    public_url: str | None = None
    proxies_count: Annotated[int, Field(ge=0, le=5)] = 0
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    token_keys_file: Path | None = None
    wechat_host: str = "https://api.weixin.qq.com"
    wechat_app_id: str | None = None
    wechat_secret: SecretStr | None = None

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

    @field_validator("wechat_host", "public_url", "sandbox_url")
    @classmethod
    def _is_url(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith(("http://", "https://")):
            raise ValueError("must begin with http:// or https://")
        return value.rstrip("/") if value else value

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
    def token_keys(self) -> Path:
        """Where the token signing keys are; the demo keeps its own under the data directory."""
        return self.token_keys_file or self.data_dir / "keys" / "token-keys.json"


def read_settings(**given: object) -> Settings:
    """Settings from the environment and `.env`; what is `given` comes first.

    Raises WrongSettings with one sentence that names every wrong variable.
    """
    try:
        return Settings(**{key: value for key, value in given.items() if value is not None})  # type: ignore[arg-type]
    except ValidationError as wrong:
        raise WrongSettings(_sentence(wrong)) from None


def require_production(settings: Settings, *, demo_keys: Collection[str]) -> None:
    """Raise WrongSettings unless everything a real city needs is set and nothing is the demo's."""
    needed = {
        "YITING_DATABASE_URL": settings.database_url,
        "YITING_REDIS_URL": settings.redis_url,
        "YITING_TOKEN_KEYS_FILE": settings.token_keys_file,
        "YITING_WECHAT_APP_ID": settings.wechat_app_id,
        "YITING_WECHAT_SECRET": settings.wechat_secret,
    }
    missing = [name for name, value in needed.items() if not value]
    if missing:
        raise WrongSettings(f"Set {', '.join(missing)} before serving a real city.")
    assert settings.wechat_secret is not None
    if {settings.wechat_app_id, settings.wechat_secret.get_secret_value()} & set(demo_keys):
        raise WrongSettings(
            "YITING_WECHAT_APP_ID or YITING_WECHAT_SECRET is the demo's; set the city's own."
        )
    assert settings.token_keys_file is not None
    if not settings.token_keys_file.is_file():
        raise WrongSettings(
            f"YITING_TOKEN_KEYS_FILE names {settings.token_keys_file}, which is no readable file."
        )


def _sentence(wrong: ValidationError) -> str:
    # The value itself is left out: it may be a secret.
    faults = [
        f"YITING_{str(fault['loc'][0]).upper()} {fault['msg'][0].lower()}{fault['msg'][1:]}"
        for fault in wrong.errors(include_input=False, include_url=False)
    ]
    return "Wrong settings: " + "; ".join(faults) + "."
