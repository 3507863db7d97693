"""Keys rotate and everything is sealed anew while people go on using the city."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest
from uuid_utils.compat import uuid7

from integrations.stores import StoreUrls
from models.database import rows, transaction
from models.knowing import SEALED_COLUMNS, known, remember_phone
from models.sealing import Sealer, key_of, new_ring, with_new_first
from server.privacy import resealing
from server.privacy.key_file import (
    LOOK_EVERY_S,
    FollowedKeys,
    drop,
    read_key_file,
    rotate,
    write_personal_keys,
)
from server.privacy.resealing import StillSealed, require_unused, reseal
from tests.conftest import Api
from tests.house.test_commands import Surroundings, command, is_one_sentence

NOW = datetime(2026, 11, 23, 1, 30, tzinfo=UTC)


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    path = tmp_path / "personal.json"
    write_personal_keys(path)
    return path


@pytest.fixture(autouse=True)
async def _nobody_else(api: Api) -> AsyncIterator[None]:
    """What other tests sealed, they sealed with other keys."""
    await forget_all()
    yield
    await forget_all()


async def forget_all() -> None:
    async with transaction() as tx:
        for column in SEALED_COLUMNS:
            await tx.run(f"UPDATE {column.table} SET {column.column} = NULL")


async def citizens_with_phones(sealer: Sealer, count: int) -> list[UUID]:
    made: list[UUID] = [uuid7() for _ in range(count)]
    async with transaction() as tx:
        for number, citizen_id in enumerate(made):
            await tx.run(
                "INSERT INTO citizen (id, level, created_at) VALUES ($1, 0, $2)", citizen_id, NOW
            )
            await remember_phone(tx, sealer, citizen_id, phone=f"139{number:08d}", at=NOW)
    return made


async def keys_in_use() -> set[str]:
    found = await rows("SELECT phone FROM citizen WHERE phone IS NOT NULL")
    return {key_of(row["phone"]) for row in found}


async def test_everything_is_sealed_anew_while_a_writer_is_active(
    keys: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resealing, "BATCH", 7)
    old = read_key_file(keys).first
    writing = Sealer(FollowedKeys(keys))  # another process, which follows the file a second behind
    people = await citizens_with_phones(writing, 60)
    last: dict[UUID, str] = {}
    stop = asyncio.Event()

    async def write() -> None:
        turn = 0
        while not stop.is_set():
            turn += 1
            who, phone = people[turn * 7 % 60], f"138{turn:08d}"
            async with transaction() as tx:
                await remember_phone(tx, writing, who, phone=phone, at=NOW)
            last[who] = phone
            await asyncio.sleep(0.002)

    writer = asyncio.create_task(write())
    await asyncio.sleep(0.05)
    new = rotate(keys).first
    runs = [Sealer(FollowedKeys(keys)) for _ in range(2)]
    first, second = await asyncio.gather(*(reseal(sealer) for sealer in runs))
    assert first.texts + second.texts >= 40
    await asyncio.sleep(LOOK_EVERY_S + 0.2)  # the writer has followed the file
    await reseal(runs[0])
    assert await keys_in_use() == {new.id}
    await asyncio.sleep(0.1)
    stop.set()
    await writer
    assert await keys_in_use() == {new.id}
    await require_unused(old.id)
    drop(keys, old.id)
    afterwards = Sealer(FollowedKeys(keys))
    for number, who in enumerate(people):
        expected = last.get(who, f"139{number:08d}")
        assert (await known(None, afterwards, who)).phone == expected


async def test_a_row_that_somebody_holds_is_waited_for_and_not_overwritten(keys: Path) -> None:
    sealer = Sealer(FollowedKeys(keys))
    [lin, chen] = await citizens_with_phones(sealer, 2)
    rotate(keys)
    renewing = Sealer(FollowedKeys(keys))
    async with transaction() as tx:
        await remember_phone(tx, sealer, lin, phone="13700000000", at=NOW)
        running = asyncio.create_task(reseal(renewing))
        await asyncio.sleep(0.3)
        assert not running.done()
    await asyncio.wait_for(running, 10)
    assert (await known(None, renewing, lin)).phone == "13700000000"
    assert (await known(None, renewing, chen)).phone == "13900000001"
    assert await keys_in_use() == {read_key_file(keys).first.id}


async def test_a_run_that_was_stopped_is_gone_on_with(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(resealing, "BATCH", 5)
    ring = new_ring()
    await citizens_with_phones(Sealer(ring), 20)
    renewing = Sealer(with_new_first(ring))

    def stop(done: int, _: int) -> None:
        if done >= 10:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await reseal(renewing, tell=stop)
    seen: list[tuple[int, int]] = []
    done = await reseal(renewing, tell=lambda *counts: seen.append(counts))
    assert done.texts == 10
    assert seen[0] == (0, 10)
    assert seen[-1] == (10, 10)
    assert (await reseal(renewing)).texts == 0


async def test_what_no_key_opens_is_told_and_kept() -> None:
    ring = new_ring()
    [lin, chen] = await citizens_with_phones(Sealer(ring), 2)
    async with transaction() as tx:
        await tx.run("UPDATE citizen SET phone = 'rubbish' WHERE id = $1", lin)
    renewing = Sealer(with_new_first(ring))
    done = await reseal(renewing)
    assert (done.texts, done.unopened) == (1, {("citizen.phone", lin)})
    [row] = await rows("SELECT phone FROM citizen WHERE id = $1", lin)
    assert row["phone"] == b"rubbish"
    assert (await known(None, renewing, chen)).phone == "13900000001"


async def test_sealing_anew_is_recorded(keys: Path) -> None:
    await citizens_with_phones(Sealer(FollowedKeys(keys)), 3)
    new = rotate(keys).first
    await reseal(Sealer(FollowedKeys(keys)))
    [entry, *_] = await rows("SELECT action, subject_id, detail FROM audit_entry ORDER BY seq DESC")
    assert (entry["action"], entry["subject_id"]) == ("personal_keys.reencrypted", new.id)


async def test_the_commands_rotate_seal_anew_and_drop(
    keys: Path, store_urls: StoreUrls, tmp_path: Path
) -> None:
    around = Surroundings(tmp_path, {}).but(
        database_url=store_urls.database, redis_url=store_urls.redis, personal_keys_file=str(keys)
    )
    old = read_key_file(keys).first.id
    [lin] = await citizens_with_phones(Sealer(FollowedKeys(keys)), 1)
    in_use = await command(around, "personal-keys", "drop", old)
    assert in_use.exit_code == 2
    assert (await command(around, "personal-keys", "rotate", str(keys))).exit_code == 0
    refused = await command(around, "personal-keys", "drop", old)
    assert refused.exit_code == 2
    assert is_one_sentence(refused, "1 texts", old)
    with pytest.raises(StillSealed):
        await require_unused(old)
    assert (await command(around, "personal-keys", "reencrypt")).exit_code == 0
    assert (await command(around, "personal-keys", "drop", old)).exit_code == 0
    assert old not in {key.id for key in read_key_file(keys).keys}
    gone = await command(around, "personal-keys", "drop", old)
    assert gone.exit_code == 2
    assert is_one_sentence(gone, "has no key")
    assert (await known(None, Sealer(FollowedKeys(keys)), lin)).phone == "13900000000"
    around.folder.joinpath("spoilt.json").touch()
    spoilt = await command(around, "personal-keys", "list", "spoilt.json")
    assert spoilt.exit_code == 2
    assert is_one_sentence(spoilt, "holds no personal keys")
