"""What no log, figure or error may hold, and everything that was said in a run of the tests.

`LEAKS` is one for the whole session. Whoever invents a person tells it her secrets
(`an_id_number` does so by itself); the logs of this process, the errors answered to clients that
`listen_to` knows, and the files handed to `hear` are searched when the session ends.
"""

import logging
import re
from collections.abc import Iterable, Mapping, MutableMapping
from pathlib import Path
from typing import Any

import httpx

from server.running import metrics

# An id number or a phone is looked for inside every run of digits that could hold one.
_DIGITS = re.compile(r"[0-9]{10,}[0-9Xx]")


class Leaks:
    """Secrets, and what was said."""

    def __init__(self) -> None:
        self._numbers: set[str] = set()
        self._names: set[str] = set()
        self._said: list[tuple[str, str]] = []

    def keep_secret(self, *secrets: str) -> None:
        """Names, id numbers, phones: nothing may say them."""
        for secret in secrets:
            (self._numbers if _DIGITS.fullmatch(secret) else self._names).add(secret)

    def hear(self, where: str, text: str) -> None:
        """Something was said there."""
        self._said.append((where, text))

    def hear_files(self, paths: Iterable[Path]) -> None:
        """What programs wrote to their logs."""
        for path in paths:
            self.hear(path.name, path.read_text(errors="replace"))

    def listen_to(self, http: httpx.AsyncClient) -> None:
        """Hear every error that is answered to this client."""
        http.event_hooks = {
            **http.event_hooks,
            "response": [*http.event_hooks.get("response", []), self._hear_error],
        }

    async def _hear_error(self, response: httpx.Response) -> None:
        if response.status_code >= 400:
            await response.aread()
            self.hear(f"error {response.status_code} of {response.url.path}", response.text)

    def hear_event(
        self, _logger: Any, _method: str, event: MutableMapping[str, Any]
    ) -> Mapping[str, Any]:
        """For structlog: hear each event."""
        self.hear("log", repr(event))
        return event

    def found(self) -> list[str]:
        """What leaked, and where; a secret shows its first four characters only."""
        body, _ = metrics.exposition()
        return [
            f"{secret[:4]}… in {where}"
            for where, text in [*self._said, ("metrics", body.decode())]
            for secret in sorted(self._in(text))
        ]

    def _in(self, text: str) -> set[str]:
        lengths = {len(number) for number in self._numbers}
        numbers = {
            run[start : start + length].upper()
            for run in _DIGITS.findall(text)
            for length in lengths
            for start in range(len(run) - length + 1)
        }
        return (numbers & self._numbers) | {name for name in self._names if name in text}


class Overhearing(logging.Handler):
    """Hears what libraries log."""

    def __init__(self, leaks: Leaks) -> None:
        super().__init__()
        self._leaks = leaks

    def emit(self, record: logging.LogRecord) -> None:
        self._leaks.hear(f"log of {record.name}", self.format(record))


LEAKS = Leaks()
OVERHEARING = Overhearing(LEAKS)
