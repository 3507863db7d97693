"""Structured logs: one JSON line an event on standard error. No personal data goes in."""

import logging
import sys
from typing import Any

import msgspec
import structlog


def _encode(event: dict[str, Any], **_: object) -> bytes:
    return msgspec.json.encode(event, enc_hook=repr)


def configure_logs(level: str) -> None:
    """Set up structlog, and route the libraries' own logs through it."""
    shared: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso"),
        # Tracebacks without local variables: those may hold codes, tokens and names.
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*shared, structlog.processors.JSONRenderer(serializer=_encode)],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level.upper())),
        logger_factory=structlog.BytesLoggerFactory(sys.stderr.buffer),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *shared],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(ensure_ascii=False),
            ],
        )
    )
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    # These log every request or query at INFO, addresses and parameters included.
    for noisy in ("httpx", "httpcore", "tortoise", "pgqueuer", "asyncio"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
