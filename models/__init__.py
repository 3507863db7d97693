"""Rows and their own transitions. Times are aware datetimes, money is fen, distances are metres."""

from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from models.database import CountingConnection, keep_session_state

MODEL_MODULES = [
    "models.halls",
    "models.items",
    "models.people",
    "models.proxies",
    "models.audit",
    "models.sessions",
    "models.kiosks",
    "models.sso",
    "models.staff",
    "models.tickets",
    "models.holders",
    "models.following",
    "models.departures",
    "models.visits",
    "models.slots",
    "models.appointments",
    "models.outages",
    "models.promises",
    "models.waits",
    "models.answers",
    "models.bills",
    "models.orders",
    "models.refunds",
    "models.ledger",
    "models.inbox",
    "models.notices",
    "models.notice_templates",
    "models.subscriptions",
    "models.reconciliation",
    "models.bank_batches",
    "models.ratings",
    "models.receipts",
    "models.department_bills",
    "models.cases",
    "models.consents",
    "models.campaigns",
    "models.certificates",
    "models.topics",
    "models.traits",
    "models.matched",
]


CONNECT_TIMEOUT_S = 10.0
SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")


def orm_config(
    database_url: str, *, pool_size: int = 10, timeout_s: float | None = None
) -> dict[str, Any]:
    """Tortoise's configuration for a `postgres://` URL; `?host=/folder` means a Unix socket there.

    A statement that takes longer than `timeout_s` seconds is cancelled and raises TimeoutError.
    Raises ValueError when the URL is not one of PostgreSQL or names no database.
    """
    url = urlsplit(database_url)
    query = {key: values[-1] for key, values in parse_qs(url.query).items()}
    if url.scheme not in {"postgres", "postgresql"} or not url.path.strip("/"):
        raise ValueError("a database URL looks like postgres://user:password@host:5432/name")
    credentials: dict[str, Any] = {
        "host": query.get("host") or url.hostname or "127.0.0.1",
        "port": url.port or 5432,
        "user": unquote(url.username or "postgres"),
        "password": unquote(url.password) if url.password else None,
        "database": unquote(url.path.strip("/")),
        "minsize": min(2, pool_size),
        "maxsize": pool_size,
        "connection_class": CountingConnection,
        # Our statements are few and always the same: planning one costs more than running it.
        "server_settings": {"plan_cache_mode": "force_generic_plan"},
        "reset": keep_session_state,
        "timeout": CONNECT_TIMEOUT_S,
        "command_timeout": timeout_s,
    }
    if mode := query.get("sslmode"):
        if mode not in SSL_MODES:
            raise ValueError(f"sslmode is one of {', '.join(SSL_MODES)}")
        credentials["ssl"] = mode
    return {
        "connections": {
            "default": {"engine": "tortoise.backends.asyncpg", "credentials": credentials}
        },
        "apps": {
            "models": {
                "models": MODEL_MODULES,
                "default_connection": "default",
                "migrations": "migrations",
            }
        },
        "use_tz": True,
        "timezone": "UTC",
    }
