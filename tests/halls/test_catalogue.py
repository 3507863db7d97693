"""A city seeded anew is offered by running processes without a restart."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from models.database import Transaction, rows, transaction
from server import application
from server.admin.city_files import City, read_city
from server.admin.seeding import seed_city
from server.bench.city import city_without_caps
from server.halls import reading as reading_module
from server.halls.reading import newer_directory, read_directory
from server.live import projection
from tests.conftest import Api, until


@pytest.fixture
async def files(api: Api, tmp_path: Path) -> AsyncIterator[City]:
    """The files of the tests' city; they are the catalogue again afterwards."""
    city = read_city(city_without_caps(tmp_path / "city"))
    yield city
    await seed_city(city)
    application.use_directory(api.app, await read_directory())


async def test_what_is_seeded_anew_is_offered_without_a_restart(
    api: Api, files: City, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (application, projection):
        monkeypatch.setattr(module, "LOOK_EVERY_S", 0.1)
    looking = [
        asyncio.create_task(application._follow_catalogue(api.app)),
        asyncio.create_task(api.projector._follow_catalogue()),
    ]
    try:
        await seed_city(renamed(files))
        directory = api.services.directory
        await until(lambda: api.services.directory is not directory)
        first = (await api.http.get("/api/v1/halls", params={"limit": 1})).json()["data"][0]
        assert first["name"] == "新市民服务中心"
        detail = (await api.http.get("/api/v1/halls/dg-00")).json()
        assert detail["name"] == "新市民服务中心"
        memory = api.services.feed.memory
        await until(lambda: memory.halls["dg-00"].board.name == "新市民服务中心")
    finally:
        for task in looking:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


def renamed(files: City) -> City:
    return replace(
        files,
        halls=tuple(
            replace(hall, name="新市民服务中心") if hall.code == "dg-00" else hall
            for hall in files.halls
        ),
    )


async def test_what_was_not_written_anew_is_not_read_anew(api: Api, files: City) -> None:
    directory = await newer_directory(api.services.directory) or api.services.directory
    await (await api.citizen()).take("dg-00", api.item("dg-00", "E"))
    assert await newer_directory(directory) is None
    await seed_city(files)
    newer = await newer_directory(directory)
    assert newer is not None
    assert newer.items == directory.items


async def test_the_catalogue_is_read_as_it_was_at_one_moment(
    api: Api, files: City, monkeypatch: pytest.MonkeyPatch
) -> None:
    mark = reading_module._mark

    async def seeded_meanwhile(tx: Transaction | None = None) -> str:
        before = await mark(tx)
        await seed_city(renamed(files))
        return before

    before = (await read_directory()).hall("dg-00").name
    monkeypatch.setattr(reading_module, "_mark", seeded_meanwhile)
    assert (await read_directory()).hall("dg-00").name == before
    monkeypatch.undo()
    assert (await read_directory()).hall("dg-00").name == "新市民服务中心"


async def test_a_lines_limit_is_seeded_where_the_files_tell_one(api: Api, files: City) -> None:
    hall_id = api.services.directory.hall("dg-00").id

    async def limits() -> dict[str, int | None]:
        found = await rows("SELECT code, help_after_min FROM line WHERE hall_id = $1", hall_id)
        return {row["code"]: row["help_after_min"] for row in found}

    told = {"A": 20, "B": 20, "C": 30, "D": 30, "E": None}
    assert await limits() == told
    async with transaction() as tx:
        await tx.run("UPDATE line SET help_after_min = 7 WHERE hall_id = $1", hall_id)
    await seed_city(files)
    assert await limits() == told | {"E": 7}
    async with transaction() as tx:
        await tx.run(
            "UPDATE line SET help_after_min = NULL WHERE hall_id = $1 AND code = 'E'", hall_id
        )
