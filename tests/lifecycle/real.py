"""The real thing under the model: real operations on a database and a loop of their own."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Coroutine
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar
from uuid import UUID, uuid4

import asyncpg
import redis.asyncio as aioredis
import uvloop
from tortoise.context import TortoiseContext

import app as yiting
from integrations.stores import StoreUrls
from models import orm_config
from models.database import rows, transaction
from models.faults import Fault
from models.sealing import KeyRing, Sealer, new_ring
from models.sessions import PersonKind
from models.standing import standing
from models.tickets import Priority, WrongState
from models.verifying import verify
from server.auth import Principal
from server.errors import Refusal
from server.halls.directory import Directory
from server.halls.reading import read_directory
from server.http.idempotency import Once
from server.live.feed import Feed
from server.live.memory import Change
from server.numbers import joining
from server.numbers.joining import Wish
from tests.lifecycle.model import HELP_AFTER, City, Counter, Line

HALLS = ("dg-23", "dg-24")
SKILLS = {"01": ["E", "A"], "02": ["E"], "03": ["A", "E"]}
HELPS = {"01": [], "02": [], "03": ["E"]}
CLERKS = ("chen", "zhou")
PEOPLE = ("lin", "mei", "bo", "yan", "hao")
NO_KEY = UUID(int=0)

Answer = TypeVar("Answer")


class Unheard(Feed):
    """Nobody listens: what is told of changes is another test's matter."""

    async def changed(self, *changes: Change) -> None:
        """Tell nobody."""


@dataclass(frozen=True)
class _Ring:
    ring: KeyRing

    def now(self) -> KeyRing:
        return self.ring

    def anew(self) -> KeyRing:
        return self.ring


class Real:
    """Two halls of three counters, five citizens and a clerk, in a database of their own."""

    def __init__(self, stores: StoreUrls, folder: Path) -> None:
        self._name = f"lifecycle_{uuid4().hex}"
        self._stores = stores
        self._folder = folder
        self._runner = asyncio.Runner(loop_factory=uvloop.new_event_loop)
        self._context = TortoiseContext()
        self.directory: Directory
        self.items: tuple[str, ...] = ()
        self.ids: dict[str, UUID] = {}
        self.clerks = {name: Principal(PersonKind.STAFF, uuid4(), NO_KEY) for name in CLERKS}
        self.sealer = Sealer(_Ring(new_ring()))
        self.feed: Feed

    def run(self, work: Coroutine[Any, Any, Answer]) -> Answer:
        """Await something in the real thing's own loop."""
        return self._runner.run(work)

    def refusal(self, work: Coroutine[Any, Any, Any]) -> tuple[str | None, Any]:
        """The code with which an operation refuses, or None and what it answers."""
        try:
            return None, self.run(work)
        except Refusal as refusal:
            return refusal.code, None
        except WrongState:
            return "wrong_state", None

    def __enter__(self) -> "Real":
        self.run(self._open())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.run(self._close())
        self._runner.close()

    async def _open(self) -> None:
        server = await asyncpg.connect(self._stores.database)
        await server.execute(f"CREATE DATABASE {self._name}")
        await server.close()
        url = self._stores.database.replace("@/yiting", f"@/{self._name}")
        urls = {"YITING_DATABASE_URL": url, "YITING_REDIS_URL": self._stores.redis}
        command = [sys.executable, str(yiting.HERE / "app.py"), "seed"]
        await asyncio.to_thread(
            subprocess.run, command, env=os.environ | urls, cwd=self._folder, check=True
        )
        self._context.__enter__()
        await self._context.init(config=orm_config(url, pool_size=2))
        self.feed = Unheard(aioredis.from_url(self._stores.redis), [])
        self.directory = await read_directory()
        self.items = self._common_items()
        await self._furnish()

    async def _close(self) -> None:
        await self._context.connections.close_all()
        self._context.__exit__(None, None, None)
        server = await asyncpg.connect(self._stores.database)
        await server.execute(f"DROP DATABASE {self._name} WITH (FORCE)")
        await server.close()

    def _common_items(self) -> tuple[str, ...]:
        here, there = (self.directory.hall(code).offers for code in HALLS)
        free = [
            code
            for code in here
            if here[code] == there.get(code) and not self.directory.item(code).level_required
        ]
        of_a, *_ = (code for code in free if here[code] == "A")
        of_e, also_of_e, *_ = (code for code in free if here[code] == "E")
        return of_a, of_e, also_of_e

    async def _furnish(self) -> None:
        """Counters with known skills, and people."""
        async with transaction() as tx:
            for hall in HALLS:
                for code, skills in SKILLS.items():
                    await tx.run(
                        "UPDATE counter SET skills = $3, helps = $4"
                        " WHERE hall_id = $1 AND code = $2",
                        self.directory.hall(hall).id,
                        code,
                        skills,
                        HELPS[code],
                    )
            minutes = HELP_AFTER // timedelta(minutes=1)
            await tx.run("UPDATE line SET help_after_min = $1", minutes)
            for name in PEOPLE:
                self.ids[name] = uuid4()
                await tx.run(
                    "INSERT INTO citizen (id, created_at, level) VALUES ($1, now(), 0)",
                    self.ids[name],
                )

    def begin(self, now: datetime, today: Any) -> City:
        """Nothing has happened yet, in the model and here."""
        self.run(self._forget_all())
        lines = {(hall, code): Line(hall, code) for hall in HALLS for code in ("A", "E")}
        counters = {
            (hall, code): Counter(hall, code, skills, HELPS[code], skills)
            for hall in HALLS
            for code, skills in SKILLS.items()
        }
        offers = {
            (hall, item): self.directory.hall(hall).offers[item]
            for hall in HALLS
            for item in self.items
        }
        return City(lines, counters, offers, now, today)

    async def _forget_all(self) -> None:
        async with transaction() as tx:
            await tx.run("DELETE FROM ticket_event")
            await tx.run("DELETE FROM ticket")
            await tx.run(
                "UPDATE counter SET state = 'closed', serving = skills, opened_on = NULL,"
                " staffed_by = NULL"
            )
            await tx.run(
                "UPDATE line SET state = 'open', waiting_limit = NULL, last_sequence = 0,"
                " last_issued_at = NULL, numbered_on = NULL, overflow = '{}', overflow_until = NULL"
            )

    def who(self, name: str) -> Principal:
        """A citizen, signed in."""
        return Principal(PersonKind.CITIZEN, self.ids[name], NO_KEY)

    def take(
        self, name: str, hall: str, item: str, claim: str | None, now: datetime
    ) -> tuple[str | None, Any]:
        """Take a number."""
        wish = Wish(hall, item, None, claim=Priority(claim) if claim else None)
        return self.refusal(
            joining.take_number(
                wish,
                self.who(name),
                Once(self.ids[name], None, ""),
                sealer=self.sealer,
                now=now,
                directory=self.directory,
                feed=self.feed,
            )
        )

    def set_line(self, hall: str, code: str, *, is_open: bool, limit: int | None) -> None:
        """A manager pauses or opens a line, or limits it."""
        self.run(
            rows(
                "UPDATE line SET state = $2, waiting_limit = $3 WHERE id = $1",
                self.directory.hall(hall).lines[code].id,
                "open" if is_open else "paused",
                limit,
            )
        )

    def stands(self) -> dict[UUID, dict[str, Any]]:
        """Where every ticket stands, in the model's words."""
        halls = {self.directory.hall(code).id: code for code in HALLS}
        lines = {
            entry.id: code
            for hall in HALLS
            for code, entry in self.directory.hall(hall).lines.items()
        }
        found = self.run(
            rows(
                "SELECT t.*, c.code AS counter FROM ticket t"
                " LEFT JOIN counter c ON c.id = t.counter_id"
            )
        )
        told = {}
        for row in found:
            now = standing(row)
            fields = {name: getattr(now, name) for name in now.__slots__}
            fields.pop("counter_id")
            assert fields.pop("visit_id") is None  # visits of several items have tests of their own
            told[row["id"]] = fields | {
                "hall": halls[fields.pop("hall_id")],
                "line": lines[fields.pop("line_id")],
                "rank": fields.pop("rank_time"),
                "counter": row["counter"],
            }
        return told

    def faults(self) -> list[Fault]:
        """What `verify` finds wrong in the whole database."""
        kept = self.run(verify()).found.kept
        return [fault for faults in kept.values() for fault in faults]
