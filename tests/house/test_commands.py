"""Commands say in one sentence what is wrong around them; `serve` and `work` as in production."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import uuid4

import asyncpg
import httpx
import pytest
import redis.asyncio as aioredis
from typer.testing import CliRunner

import app as yiting
from integrations.processes import listen
from integrations.stores import StoreUrls, embedded_stores, hold_data_dir, wipe
from server.keys.token_keys import write_token_keys
from server.live.feed import Feed
from server.live.memory import Change
from server.privacy.key_file import write_personal_keys
from tests.conftest import free_port
from tests.people import PASSWORD

VALKEY_DATABASE = 5  # apart from what other tests keep in the same Valkey


@dataclass(frozen=True)
class Surroundings:
    """What a command finds: its variables, and the folder it is started in."""

    folder: Path
    variables: dict[str, str]

    def but(self, **changed: str) -> "Surroundings":
        """The same with these variables changed."""
        named = {f"YITING_{name.upper()}": value for name, value in changed.items()}
        return replace(self, variables=self.variables | named)


@dataclass(frozen=True)
class Ended:
    """How a command ended, and what it said on standard error."""

    exit_code: int | None
    said: str


async def begin(
    around: Surroundings, *arguments: str, stdout: int = asyncio.subprocess.DEVNULL
) -> asyncio.subprocess.Process:
    """Start a command."""
    own = {key: value for key, value in os.environ.items() if not key.startswith("YITING_")}
    return await asyncio.create_subprocess_exec(
        *(sys.executable, str(yiting.HERE / "app.py"), *arguments),
        cwd=around.folder,
        env=own | around.variables,
        stdout=stdout,
        stderr=asyncio.subprocess.PIPE,
    )


async def command(around: Surroundings, *arguments: str) -> Ended:
    """Run a command to its end."""
    process = await begin(around, *arguments)
    try:
        _, said = await asyncio.wait_for(process.communicate(), 90)
    finally:
        if process.returncode is None:
            process.kill()
    return Ended(process.returncode, said.decode())


def is_one_sentence(ended: Ended, *words: str) -> bool:
    """Whether a command said one line with these words, and no traceback."""
    lines = ended.said.strip().splitlines()
    return len(lines) == 1 and lines[0].endswith(".") and all(word in lines[0] for word in words)


@pytest.fixture
def nothing(tmp_path: Path) -> Surroundings:
    """No settings at all, and no `.env`."""
    return Surroundings(tmp_path, {})


@pytest.fixture
async def city(store_urls: StoreUrls, tmp_path: Path) -> AsyncIterator[Surroundings]:
    """A production's settings, with an empty database of its own."""
    name = f"city_{uuid4().hex}"
    connection = await asyncpg.connect(store_urls.database)
    await connection.execute(f"CREATE DATABASE {name}")
    keys = tmp_path / "keys.json"
    write_token_keys(keys)
    personal_keys = tmp_path / "personal-keys.json"
    write_personal_keys(personal_keys)
    around = Surroundings(tmp_path, {}).but(
        database_url=store_urls.database.replace("@/yiting", f"@/{name}"),
        redis_url=f"{store_urls.redis}?db={VALKEY_DATABASE}",
        token_keys_file=str(keys),
        personal_keys_file=str(personal_keys),
        wechat_app_id="wx-of-the-city",
        wechat_secret="secret-of-the-city",
        port=str(free_port()),
        workers="1",
    )
    yield around
    await connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
    await connection.close()


@pytest.mark.parametrize(
    ("url", "exit_code", "words"),
    [
        ("postgres://lin:hush@127.0.0.1:1/city", 1, ["127.0.0.1:1/city", "does not answer"]),
        ("postgres://lin:hush@/city?host=/nowhere", 1, ["/nowhere", "does not answer"]),
        ("mysql://lin:hush@db/city", 2, ["YITING_DATABASE_URL"]),
        ("postgres://lin:hu#sh@db:x/city", 2, ["YITING_DATABASE_URL"]),
        ("postgres://lin:hush@db/city?sslmode=perhaps", 2, ["YITING_DATABASE_URL"]),
    ],
)
async def test_a_database_that_cannot_be_had_is_one_sentence(
    nothing: Surroundings, url: str, exit_code: int, words: Sequence[str]
) -> None:
    around = nothing.but(database_url=url, redis_url="redis://127.0.0.1:1")
    ended = await command(around, "migrate")
    assert ended.exit_code == exit_code, ended.said
    assert is_one_sentence(ended, *words), ended.said
    assert "hu" not in ended.said.replace("YITING", "")


async def test_a_worker_without_personal_keys_says_so(nothing: Surroundings) -> None:
    ended = await command(nothing, "work")
    assert ended.exit_code == 2
    assert is_one_sentence(ended, "YITING_PERSONAL_KEYS_FILE", "personal-keys.json")


async def test_a_database_that_is_not_there_is_one_sentence(
    nothing: Surroundings, store_urls: StoreUrls
) -> None:
    url = store_urls.database.replace("@/yiting", "@/nowhere")
    around = nothing.but(database_url=url, redis_url=store_urls.redis)
    write_personal_keys(around.folder / ".yiting" / "keys" / "personal-keys.json")
    for arguments in (["migrate"], ["seed"], ["work"]):
        ended = await command(around, *arguments)
        assert ended.exit_code == 1
        assert is_one_sentence(ended, "nowhere"), ended.said


async def test_a_city_folder_that_is_not_there_is_one_sentence(nothing: Surroundings) -> None:
    ended = await command(nothing, "seed", "/nowhere/city")
    assert ended.exit_code == 2
    assert is_one_sentence(ended, "/nowhere/city"), ended.said


async def test_a_city_folder_with_faults_is_a_list_of_them(nothing: Surroundings) -> None:
    ended = await command(nothing, "seed", str(nothing.folder))
    assert ended.exit_code == 2
    assert "Traceback" not in ended.said
    assert "halls.csv" in ended.said


async def test_a_taken_port_of_the_sandbox_is_one_sentence(nothing: Surroundings) -> None:
    port = free_port()
    with listen("127.0.0.1", port):
        ended = await command(nothing, "sandbox", "--port", str(port))
    assert ended.exit_code == 1
    assert is_one_sentence(ended, f"127.0.0.1:{port}"), ended.said


async def test_a_data_directory_that_cannot_be_made_is_one_sentence(nothing: Surroundings) -> None:
    (nothing.folder / "file").write_text("")
    ended = await command(nothing.but(data_dir=str(nothing.folder / "file" / "data")), "migrate")
    assert ended.exit_code == 1
    assert is_one_sentence(ended, "file"), ended.said


async def test_a_data_directory_somebody_else_starts_in_is_one_sentence(
    nothing: Surroundings,
) -> None:
    data = nothing.folder / "data"
    with hold_data_dir(data):
        ended = await command(nothing.but(data_dir=str(data)), "migrate")
    assert ended.exit_code == 1
    assert is_one_sentence(ended, str(data)), ended.said


async def test_a_crowd_sent_to_what_is_no_address_is_one_sentence(nothing: Surroundings) -> None:
    ended = await command(nothing, "simulate", "nonsense", "http://127.0.0.1:9")
    assert ended.exit_code == 2
    assert is_one_sentence(ended, "'nonsense'", "is no address")


def test_the_help_of_the_demo_shows_a_whole_clock_in_a_narrow_terminal() -> None:
    shown = CliRunner(env={"COLUMNS": "80"}).invoke(yiting.cli, ["demo", "--help"])
    assert "2026-11-23T09:30:00+08:00" in shown.output
    assert "--crowd" in shown.output


async def test_two_commands_never_run_stores_in_one_directory_twice(tmp_path: Path) -> None:
    data = tmp_path / "data"
    async with embedded_stores(data, durable=False) as first:
        async with embedded_stores(data, durable=False) as second:
            assert second == first
        # The second was a guest: its end leaves them running.
        client = aioredis.from_url(first.redis)
        assert await client.ping()
        await client.aclose()
    wipe(data)


# --- as in production ----------------------------------------------------------------------


@asynccontextmanager
async def running(
    around: Surroundings, *arguments: str
) -> AsyncIterator[asyncio.subprocess.Process]:
    """A command that runs inside, and ends with a SIGTERM."""
    process = await begin(around, *arguments)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        await asyncio.wait_for(process.communicate(), 60)


async def until_it_answers(http: httpx.AsyncClient) -> None:
    async with asyncio.timeout(60):
        while True:
            try:
                await http.get("/healthz")
            except httpx.HTTPError:
                await asyncio.sleep(0.05)
            else:
                return


async def test_serve_and_work_want_a_migrated_database(city: Surroundings) -> None:
    for name in ("serve", "work"):
        ended = await command(city, name)
        assert ended.exit_code == 1
        assert is_one_sentence(ended, "0001_initial", "app.py migrate"), ended.said


async def test_serve_wants_no_demo_account_and_a_hung_statement_ends(city: Surroundings) -> None:
    assert (await command(city, "seed")).exit_code == 0
    away = await command(city.but(redis_url="redis://127.0.0.1:1"), "serve")
    assert away.exit_code == 1
    assert is_one_sentence(away, "Valkey", "127.0.0.1:1"), away.said

    connection = await asyncpg.connect(city.variables["YITING_DATABASE_URL"])
    await connection.execute(
        "INSERT INTO staff (id, username, name, role, halls, password_hash, demo, disabled)"
        " VALUES (gen_random_uuid(), 'admin', '管理员', 'admin', '{}', '', true, false)"
    )
    refused = await command(city, "serve")
    assert refused.exit_code == 2
    assert is_one_sentence(refused, "demo accounts"), refused.said

    await connection.execute("UPDATE staff SET disabled = true WHERE demo")
    url = f"http://127.0.0.1:{city.variables['YITING_PORT']}"
    async with (
        running(city.but(database_timeout_s="0.5"), "serve") as serving,
        httpx.AsyncClient(base_url=url, trust_env=False, timeout=20) as http,
    ):
        await until_it_answers(http)
        async with connection.transaction():
            await connection.execute("LOCK TABLE staff IN ACCESS EXCLUSIVE MODE")
            body = {"username": "admin", "password": PASSWORD}
            async with asyncio.timeout(10):
                reply = await http.post("/api/v1/staff/sessions", json=body)
        assert (reply.status_code, reply.json()["code"]) == (503, "unavailable")
        assert (await http.post("/api/v1/staff/sessions", json=body)).status_code == 401
        taken = await command(city, "serve")
        assert taken.exit_code == 1
        assert is_one_sentence(taken, "Cannot listen on"), taken.said
    assert serving.returncode == 0
    await connection.close()


async def test_a_worker_that_fails_gives_its_halls_away_at_once(city: Surroundings) -> None:
    assert (await command(city, "seed")).exit_code == 0
    valkey = aioredis.from_url(city.variables["YITING_REDIS_URL"])

    async def leases() -> int:
        return len(await valkey.keys("yiting:lease:*"))

    async with asyncio.timeout(60), running(city, "work") as worker:
        while await leases() < 34:  # noqa: ASYNC110 another process takes them
            await asyncio.sleep(0.05)
        # A fault that is no store's absence: nothing to wait for, so the worker ends.
        connection = await asyncpg.connect(city.variables["YITING_DATABASE_URL"])
        await connection.execute("ALTER TABLE ticket RENAME TO elsewhere")
        await connection.close()
        await Feed(valkey, ["dg-00"]).changed(Change("dg-00", uuid4(), 1))
        await worker.communicate()
        assert await leases() == 0
        assert worker.returncode == 1
    await valkey.aclose()


async def test_the_first_administrator_is_made_and_rescued_by_command(city: Surroundings) -> None:
    refused = await command(city, "staff", "Wang", "--name", "王芳")
    assert refused.exit_code == 2
    assert is_one_sentence(refused, "user name"), refused.said
    assert (await command(city, "migrate")).exit_code == 0
    assert (await command(city, "staff", "wang", "--name", "王芳")).exit_code == 0
    for arguments in (["wang", "--name", "王芳"], ["nobody", "--reset"], ["wang"]):
        ended = await command(city, "staff", *arguments)
        assert ended.exit_code == 2
        assert len(ended.said.strip().splitlines()) == 1, ended.said
    connection = await asyncpg.connect(city.variables["YITING_DATABASE_URL"])
    before = await connection.fetchrow("SELECT * FROM staff")
    assert before is not None
    assert (before["username"], before["role"], list(before["halls"])) == ("wang", "admin", [])
    assert before["password_expires_at"] is not None
    assert (await command(city, "staff", "wang", "--reset")).exit_code == 0
    after = await connection.fetchrow("SELECT * FROM staff")
    assert after is not None
    assert after["password_hash"] != before["password_hash"]
    actors = await connection.fetch("SELECT DISTINCT actor_kind FROM audit_entry")
    assert [row["actor_kind"] for row in actors] == ["command_line"]
    await connection.close()
