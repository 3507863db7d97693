"""Fixtures every test may use: real stores, one API in this process, one whole city in its own.

`api` is the API on the tests' own loop, with a worker and the sandbox beside it, so that a test may
turn its clock or count its statements. `city` is `python app.py demo` as a person starts it: two
API processes, for races and crashes.
"""

import asyncio
import functools
import logging
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
import pytest_asyncio
import structlog
import uvloop
from sanic import Sanic

import app as yiting
from integrations.platforms import PlatformSettings, open_platforms
from integrations.sandbox import create_sandbox
from integrations.sandbox.accounts import make_keys, our_accounts, sandbox_settings
from integrations.stores import StoreUrls, embedded_stores, wipe
from models.database import StatementCount, Transaction, transaction
from models.opening import migrate_database, open_database
from server.admin.city_files import read_city
from server.admin.seeding import seed_city, seed_demo_staff
from server.application import create_app
from server.bench.city import city_without_caps
from server.clock import Clock
from server.keys.token_keys import write_token_keys
from server.live.memory import Change
from server.live.projection import Projector
from server.privacy.key_file import write_personal_keys
from server.services import Services
from server.settings import Settings, read_as, read_settings
from server.sso.keys import write_signing_keys
from server.waits.foresight import Foresight
from tests.leaks import LEAKS, OVERHEARING
from tests.people import PASSWORD, Person, a_citizen, a_member_of_staff
from tests.rebuilding import ill_visits, not_told

# Well before a token's quarter of an hour is over, however slow a machine is.
SIGN_IN_AGAIN_S = 300.0
MONDAY_MORNING = datetime.fromisoformat("2026-11-23T09:30:00+08:00")


async def _unbook(tx: Transaction, hall_id: UUID) -> None:
    """Forget what was booked at a hall: on the day of a later test it would be overdue."""
    booked = "SELECT id FROM appointment WHERE hall_id = $1"
    waited = "SELECT id FROM waitlist WHERE hall_id = $1"
    if not await tx.rows(f"({booked} LIMIT 1) UNION ALL ({waited} LIMIT 1)", hall_id):
        return
    slots = "SELECT id FROM slot WHERE hall_id = $1"
    await tx.run(f"DELETE FROM appointment_place WHERE slot_id IN ({slots})", hall_id)
    await tx.run(f"DELETE FROM appointment_once WHERE appointment_id IN ({booked})", hall_id)
    for table in ("slot", "appointment", "waitlist", "booking_block"):
        await tx.run(f"DELETE FROM {table} WHERE hall_id = $1", hall_id)


@dataclass
class Api:
    """The API under test, and how to get at its insides."""

    url: str
    sandbox_url: str
    app: Sanic[Any, Any]
    http: httpx.AsyncClient
    settings: Settings
    projector: Projector
    # What the city's files say that each hall's counters serve, as they write it.
    skills: dict[str, dict[str, str]]
    halls_in_use: int = 0
    # Who has signed in, and when (monotonic) she is to do it again.
    staff: dict[str, tuple[Person, float]] = field(default_factory=dict)

    @property
    def services(self) -> Services:
        found: Services = self.app.ctx.services
        return found

    def turn_clock(self, to: str) -> None:
        """Set the business clock; it then runs at normal pace."""
        clock = Clock(datetime.fromisoformat(to), time.time())
        self.services.clock = clock
        self.projector._clock = clock

    def later(self, **time: float) -> datetime:
        """Turn the business clock ahead, by so many `minutes` or the like; what it shows then."""
        self.turn_clock((self.services.clock.now() + timedelta(**time)).isoformat())
        return self.services.clock.now()

    async def citizen(self, id_number: str | None = None) -> Person:
        return await a_citizen(self.http, self.sandbox_url, id_number)

    async def clerk(self, hall: str) -> Person:
        """A clerk of the hall, signed in now and then."""
        return await self.colleague(f"clerk.{hall}.01")

    async def manager(self, hall: str) -> Person:
        """The hall's manager, signed in now and then."""
        return await self.colleague(f"manager.{hall}")

    async def colleague(self, name: str) -> Person:
        """A member of staff by the name she signs in with, signed in now and then."""
        who, until = self.staff.get(name, (None, 0.0))
        if who is None or until < time.monotonic():
            who = await a_member_of_staff(self.http, name)
            self.staff[name] = who, time.monotonic() + SIGN_IN_AGAIN_S
        return who

    async def quiet_hall(self) -> str:
        """A hall with all four lines A, B, D, E where nothing has happened yet."""
        hall = f"dg-{(1, 2, 3, 24, 23)[self.halls_in_use % 5]:02d}"
        self.halls_in_use += 1
        entry = self.services.directory.hall(hall)
        untold = await not_told(entry.id)
        async with transaction() as tx:
            # A visit goes as a whole, with its numbers at other halls: none is left in halves.
            gone = await tx.rows(
                "WITH here AS (SELECT id, visit_id FROM ticket WHERE hall_id = $1"
                "   OR id IN (SELECT ticket_id FROM ticket_event WHERE hall_id = $1)),"
                " visits AS (DELETE FROM visit"
                "   WHERE hall_id = $1 OR id IN (SELECT visit_id FROM here) RETURNING id)"
                " DELETE FROM ticket WHERE id IN (SELECT id FROM here)"
                "   OR visit_id IN (SELECT id FROM visits)"
                " RETURNING id, hall_id",
                entry.id,
            )
            await tx.run(
                "DELETE FROM ticket_event WHERE hall_id = $1 OR ticket_id = ANY($2)",
                entry.id,
                [row["id"] for row in gone],
            )
            await tx.run(
                "UPDATE counter c SET state = 'closed', skills = file.lines, serving = file.lines,"
                " helps = '{}', staffed_by = NULL"
                " FROM (SELECT code, string_to_array(lines, '+') AS lines"
                "       FROM unnest($2::text[], $3::text[]) AS f (code, lines)) file"
                " WHERE c.hall_id = $1 AND c.code = file.code",
                entry.id,
                list(self.skills[hall]),
                list(self.skills[hall].values()),
            )
            await tx.run("DELETE FROM outage WHERE hall_id = $1", entry.id)
            await _unbook(tx, entry.id)
            await tx.run(
                "UPDATE line SET state = 'open', waiting_limit = NULL, last_sequence = 0,"
                " last_issued_at = NULL, reason = NULL, reason_en = NULL, help_after_min = NULL,"
                " issuing_on = NULL, overflow = '{}', overflow_until = NULL"
                " WHERE hall_id = $1",
                entry.id,
            )
        # No event tells of this, so the halls are to be read whole.
        halls = {each.id: each.code for each in self.services.directory.halls.values()}
        touched = {hall, *(halls[row["hall_id"]] for row in gone)}
        # Nothing that an earlier test's day told stops anybody from taking a number.
        # Rows read on that day, shown on this one, would tell what its manager decided then.
        self.projector._outlook.pop(hall, None)
        self.projector._rows.pop(hall, None)
        await self.services.feed.changed(*(Change(code) for code in touched))
        await until(lambda: self._has_no_end_in_sight(hall))
        # Whatever was done to the hall until now, its tickets' events told all of it. Asked last:
        # one test's failure is not that of all who come to this hall after it.
        assert untold == []
        return hall

    def _has_no_end_in_sight(self, hall: str) -> bool:
        kept = self.services.feed.memory.halls[hall]
        return all(line.left_today is None for line in kept.board.lines)

    def item(self, hall: str, line: str, *, level: int = 0, nth: int = 0) -> str:
        """An item that this line of the hall serves and that asks for this level."""
        directory = self.services.directory
        fitting = [
            code
            for code, served_by in directory.hall(hall).offers.items()
            if served_by == line and directory.item(code).level_required == level
        ]
        return fitting[nth]

    async def statements(self, call: Any) -> tuple[httpx.Response, int]:
        """Await a request; its answer, and how many statements this process sent meanwhile."""
        before = StatementCount.total
        response = await call
        return response, StatementCount.total - before


@pytest.fixture(scope="session", autouse=True)
def _nothing_leaks() -> Iterator[None]:
    """No log, figure or error of this whole run says who anybody is."""
    yield
    logging.getLogger().removeHandler(OVERHEARING)
    assert LEAKS.found() == []


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Tests run on the loop that cities run on."""
    return {"uvloop": uvloop.new_event_loop}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """What was set up for all tests stands for those that await nothing too.

    They have no loop of their own, and a session's fixtures are made anew when its loop changes.
    """
    loop = "_asyncio_loop_factory"
    if "store_urls" in metafunc.fixturenames and loop not in metafunc.fixturenames:
        metafunc.fixturenames.append(loop)
        hidden = (pytest.HIDDEN_PARAM,)
        metafunc.parametrize(
            loop, [uvloop.new_event_loop], ids=hidden, indirect=True, scope="session"
        )


@pytest.fixture(scope="session", autouse=True)
def authorities_read_once() -> Iterator[None]:
    """Reading the machine's certificates takes each client 20 ms, and nobody here asks by TLS."""
    with pytest.MonkeyPatch.context() as patch:
        read = functools.cache(ssl.create_default_context)
        patch.setattr(ssl, "create_default_context", read)
        yield


@pytest_asyncio.fixture(scope="session")
async def store_urls(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[StoreUrls]:
    folder = tmp_path_factory.mktemp("stores")
    async with embedded_stores(folder, durable=False) as urls:
        yield urls
    wipe(folder)


@pytest.fixture(scope="session")
def _catalogue_stays() -> Iterator[None]:
    """Tests give halls rules in memory; what others write of the catalogue must not undo that."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("server.application.LOOK_EVERY_S", 3600.0)
        yield


@pytest_asyncio.fixture(scope="session")
async def api(
    store_urls: StoreUrls, tmp_path_factory: pytest.TempPathFactory, _catalogue_stays: None
) -> AsyncIterator[Api]:
    keys = tmp_path_factory.mktemp("keys") / "token-keys.json"
    write_token_keys(keys)
    personal_keys = keys.with_name("personal-keys.json")
    write_personal_keys(personal_keys)
    sso_keys = keys.with_name("sso-keys.json")
    write_signing_keys(sso_keys)
    await migrate_database(store_urls.database)
    async with open_database(store_urls.database):
        # A test that is about daily caps sets them.
        files = read_city(city_without_caps(tmp_path_factory.mktemp("files") / "city"))
        await seed_city(files)
        await seed_demo_staff(files, PASSWORD)
    make_keys(keys.parent)
    sandbox = create_sandbox(sandbox_settings(keys.parent), name="sandbox-for-api")
    async with serving(sandbox) as sandbox_url:
        settings = read_settings(
            mode="demo",
            database_url=store_urls.database,
            redis_url=store_urls.redis,
            token_keys_file=keys,
            personal_keys_file=personal_keys,
            sso_keys_file=sso_keys,
            sandbox_url=sandbox_url,
            clock_start=MONDAY_MORNING,
            clock_anchor=time.time(),
            rate_limits=False,
        )
        accounts = our_accounts(sandbox_url, "http://127.0.0.1", keys.parent)

        def city_now() -> datetime:
            now: datetime = application.ctx.services.clock.now()
            return now

        platforms = open_platforms(
            read_as(PlatformSettings, **accounts), store_urls.redis, city_now
        )
        application = create_app(settings, platforms, name="api-under-test")
        async with (
            serving(application) as url,
            httpx.AsyncClient(base_url=url, trust_env=False, timeout=60) as http,
        ):
            LEAKS.listen_to(http)
            room: Services = application.ctx.services
            # Where payment channels bring their callbacks, known only now.
            room.settings = settings.model_copy(update={"public_url": url})
            projector = Projector(room.valkey, room.directory, room.clock, Foresight())
            worker = asyncio.create_task(_beside(projector.run_forever()))
            await until(lambda: len(room.feed.memory.halls) == len(room.directory.halls))
            skills = {
                hall.code: {counter.code: "+".join(counter.lines) for counter in hall.counters}
                for hall in files.halls
            }
            yield Api(url, sandbox_url, application, http, settings, projector, skills)
            worker.cancel()
            with suppress(asyncio.CancelledError):
                await worker
            assert await not_told() == []
            assert await ill_visits() == []


@pytest.fixture
async def hall(api: Api) -> str:
    """A hall with all four lines where nothing has happened yet."""
    return await api.quiet_hall()


@pytest.fixture
async def clerk(api: Api, hall: str) -> Person:
    """A clerk of that hall."""
    return await api.clerk(hall)


@pytest.fixture
async def lin(api: Api) -> Person:
    """A citizen who has signed in."""
    return await api.citizen()


async def _beside(worker: Coroutine[Any, Any, None]) -> None:
    """Work as a process of its own would: what it asks of PostgreSQL is not the API's."""
    StatementCount.apart.set(True)
    await worker


@pytest_asyncio.fixture(autouse=True)
async def _morning(request: pytest.FixtureRequest) -> AsyncIterator[None]:
    """Each test with the API starts on a Monday morning, and so does what is made for several."""
    if "api" not in request.fixturenames:
        yield
        return
    api: Api = request.getfixturevalue("api")
    api.turn_clock(MONDAY_MORNING.isoformat())
    yield
    api.turn_clock(MONDAY_MORNING.isoformat())


class serving:  # noqa: N801 reads as what it does
    """An application served on the tests' own loop, on a free port; gives its URL."""

    def __init__(self, application: Sanic[Any, Any]) -> None:
        self._app = application
        # Sanic rewrites its own classes at start, once per process; two apps cannot both.
        application.config.TOUCHUP = False

    async def __aenter__(self) -> str:
        sock = socket.socket()
        sock.bind(("127.0.0.1", 0))
        server = await self._app.create_server(sock=sock, return_asyncio_server=True)
        assert server is not None
        self._server = server
        await server.startup()
        await server.before_start()
        await server.after_start()
        return f"http://127.0.0.1:{sock.getsockname()[1]}"

    async def __aexit__(self, *_: object) -> None:
        await self._server.before_stop()
        await self._server.close()
        await self._server.after_stop()
        Sanic.unregister_app(self._app)


async def until(true: Any, *, within_s: float = 30.0) -> None:
    """Wait until a condition holds; fail the test when it does not in time."""
    deadline = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < deadline, "it did not come true in time"
        await asyncio.sleep(0.01)


@dataclass
class City:
    """A whole city in processes of its own, as `python app.py demo` starts it."""

    url: str
    sandbox_url: str
    data_dir: Path
    process: subprocess.Popen[bytes]

    def pids(self, command: str) -> list[int]:
        """Processes of this city that run a command of app.py, such as `api` or `work`."""
        found = subprocess.run(
            ["ps", "--ppid", str(self.process.pid), "-o", "pid=,args="],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        return [int(line.split()[0]) for line in found.splitlines() if f"app.py {command}" in line]


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


def start_city(data_dir: Path, *options: str, port: int = 0, sandbox_port: int = 0) -> City:
    """Start a demo and wait until it says that it runs."""
    port, sandbox_port = port or free_port(), sandbox_port or free_port()
    command = [
        *(sys.executable, str(yiting.HERE / "app.py"), "demo", "--port", str(port)),
        *("--sandbox-port", str(sandbox_port), "--data-dir", str(data_dir)),
        *("--clock", MONDAY_MORNING.isoformat(), *options),
    ]
    output = data_dir.parent / f"{data_dir.name}.out"
    with output.open("wb") as file:
        process = subprocess.Popen(command, stdout=file, stderr=file, start_new_session=True)
    deadline = time.monotonic() + 120
    while b"Ctrl-C" not in output.read_bytes():
        assert process.poll() is None, output.read_text()
        assert time.monotonic() < deadline, "the demo did not start in two minutes"
        time.sleep(0.05)
    return City(f"http://127.0.0.1:{port}", f"http://127.0.0.1:{sandbox_port}", data_dir, process)


def stop_city(city: City) -> None:
    """Stop it as Ctrl-C does."""
    if city.process.poll() is None:
        city.process.send_signal(signal.SIGINT)
        city.process.wait(timeout=40)


@pytest.fixture(scope="session")
def city(tmp_path_factory: pytest.TempPathFactory) -> Iterator[City]:
    folder = tmp_path_factory.mktemp("city")
    files = city_without_caps(folder / "files")
    running = start_city(folder / "data", "--no-crowd", "--no-rate-limits", "--city", str(files))
    yield running
    stop_city(running)
    LEAKS.hear_files((running.data_dir / "logs").glob("*.log"))
    wipe(running.data_dir)


@pytest.fixture(scope="session")
def chromium() -> str:
    """Where Chromium is; tests of pages skip without it."""
    found = shutil.which("chromium") or shutil.which("google-chrome")
    if found is None:
        pytest.skip("no Chromium on this machine, and no right to install it")
    return found


@pytest.fixture(autouse=True)
def _quiet_logs() -> None:
    """Log lines are made and go nowhere; tests of logs say where they want theirs.

    Setting logs up takes every handler away, ours too, so it is put back for each test.
    """
    logging.getLogger().addHandler(OVERHEARING)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            LEAKS.hear_event,
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.ReturnLoggerFactory(),
        cache_logger_on_first_use=False,
    )
