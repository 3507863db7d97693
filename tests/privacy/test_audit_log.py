"""The audit log is one unbroken chain, however many write to it, and tampering shows."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from uuid import UUID, uuid4

import asyncpg
import pytest
from structlog.testing import capture_logs

from integrations.stores import StoreUrls
from models.audit import Entry, NotForTheLog, record
from models.database import rows, transaction
from models.sealing import Sealer, new_ring
from models.tickets import SYSTEM, Actor
from server.privacy.chain import Broken, Notary, NotNoted, Verdict, read_noted, verify
from server.privacy.key_file import write_personal_keys
from server.privacy.showing import entries_about, line_of
from tests.conftest import Api
from tests.house.test_commands import Surroundings, command, is_one_sentence

CLERK = Actor("staff", UUID("0190c0de-0000-7000-8000-00000000000a"))
LIN = UUID("0190c0de-0000-7000-8000-000000000001")
LOOKED = Entry(CLERK, "citizen.looked_at", "citizen", LIN, detail={"fields": ["name", "phone"]})


@pytest.fixture
def sealer() -> Sealer:
    return Sealer(new_ring())


@pytest.fixture
async def empty_log(api: Api) -> AsyncIterator[None]:
    """A log that a test may break; others find it empty again."""
    await wipe_log()
    yield
    await wipe_log()


async def wipe_log() -> None:
    await tamper(
        "TRUNCATE audit_entry, audit_head, audit_witness",
        "INSERT INTO audit_head (id, seq, hash) VALUES (1, 0, repeat('0', 64))",
    )


async def record_many(count: int) -> None:
    for number in range(count):
        async with transaction() as tx:
            await record(tx, replace(LOOKED, detail={"number": number}))


TRIGGERS = (
    "audit_entry ENABLE ALWAYS TRIGGER audit_entry_append_only",
    "audit_witness ENABLE ALWAYS TRIGGER audit_witness_append_only",
    "audit_head ENABLE ALWAYS TRIGGER audit_head_stays",
    "audit_head ENABLE ALWAYS TRIGGER audit_head_forward",
)


async def tamper(*statements: str) -> None:
    """Do what whoever owns the tables can do: the triggers off, any statement, the triggers on."""
    async with transaction() as tx:
        for trigger in TRIGGERS:
            await tx.run(f"ALTER TABLE {trigger.replace('ENABLE ALWAYS', 'DISABLE')}")
        for statement in statements:
            await tx.run(statement)
        for trigger in TRIGGERS:
            await tx.run(f"ALTER TABLE {trigger}")


REWRITE = """
DO $$
DECLARE
    one audit_entry;
    before text := repeat('0', 64);
BEGIN
    FOR one IN SELECT * FROM audit_entry ORDER BY seq LOOP
        UPDATE audit_entry SET previous = before, hash = encode(sha256(convert_to(
            before || E'\\n' || '["' || to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US')
            || '","staff","' || actor_id || '",null,"' || action || '","citizen","' || subject_id
            || '",' || replace(detail::text, ': ', ':') || ']', 'UTF8')), 'hex')
        WHERE seq = one.seq RETURNING hash INTO before;
    END LOOP;
    UPDATE audit_head SET hash = before, seq = (SELECT max(seq) FROM audit_entry);
END $$
"""


# --- writing ---


async def test_fifty_records_at_once_make_one_chain(empty_log: None, sealer: Sealer) -> None:
    async def one(number: int) -> int:
        async with transaction() as tx:
            await tx.run("SELECT pg_sleep(0.001 * $1)", float(number % 7))
            return await record(tx, replace(LOOKED, detail={"number": number}))

    places = await asyncio.gather(*(one(number) for number in range(50)))
    assert sorted(places) == list(range(1, 51))
    verdict = await verify(sealer)
    assert (verdict.seq, verdict.broken) == (50, None)
    numbers = {
        json.loads(row["detail"])["number"] for row in await rows("SELECT detail FROM audit_entry")
    }
    assert numbers == set(range(50))


async def test_what_is_rolled_back_leaves_no_gap(empty_log: None, sealer: Sealer) -> None:
    async def give_up() -> None:
        async with transaction() as tx:
            await record(tx, LOOKED)
            raise ZeroDivisionError

    await record_many(1)
    with pytest.raises(ZeroDivisionError):
        await give_up()
    await record_many(1)
    assert (await verify(sealer)).seq == 2


async def test_an_entry_keeps_who_did_what_for_whom(empty_log: None) -> None:
    async with transaction() as tx:
        await record(tx, replace(LOOKED, on_behalf_of=LIN, actor=Actor("citizen", CLERK.id)))
        await record(tx, Entry(SYSTEM, "keys.reencrypted", "key", "0011223344556677"))
    newest, first = await entries_about()
    assert "keys.reencrypted  key 0011223344556677" in line_of(newest)
    assert f"citizen {CLERK.id} for {LIN}  citizen.looked_at  citizen {LIN}" in line_of(first)
    assert await entries_about(subject=LIN) == [first]
    assert await entries_about(actor=LIN) == [first]
    async with transaction() as tx:
        taken = replace(LOOKED, subject_kind="ticket", subject_id=uuid4(), on_behalf_of=LIN)
        await record(tx, taken)
    assert len(await entries_about(subject=LIN)) == 2
    assert await entries_about(subject=uuid4()) == []


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_entry SET action = 'x'",
        "DELETE FROM audit_entry",
        "TRUNCATE audit_entry",
        "UPDATE audit_head SET hash = 'x'",
        "UPDATE audit_head SET seq = seq - 1",
        "UPDATE audit_head SET seq = seq + 2",
        "DELETE FROM audit_head",
        "TRUNCATE audit_head",
        "DELETE FROM audit_witness",
        "UPDATE audit_witness SET mac = 'x'",
        "SET LOCAL session_replication_role = replica; DELETE FROM audit_entry",
    ],
)
async def test_nothing_in_the_log_can_be_changed_or_taken_away(
    empty_log: None, statement: str
) -> None:
    await record_many(2)
    with pytest.raises(asyncpg.RestrictViolationError, match="append only"):
        async with transaction() as tx:
            await tx.run(statement)


@pytest.mark.parametrize(
    "entry",
    [
        replace(LOOKED, detail={"name": "林晓"}),
        replace(LOOKED, detail={"fields": ["name", "林晓"]}),
        replace(LOOKED, detail={"phone": "13912345678"}),
        replace(LOOKED, detail={"phone": 13912345678}),
        replace(LOOKED, detail={"said": "her number is 13912345678."}),
        replace(LOOKED, detail={"id": "11010519491231002X"}),
        replace(LOOKED, detail={"nested": {"a": 1}}),  # type: ignore[dict-item]
        replace(LOOKED, detail={"share": 0.5}),  # type: ignore[dict-item]
        replace(LOOKED, subject_id="11010519491231002X"),
        replace(LOOKED, detail={"long": "x" * 201}),
        replace(LOOKED, detail={"nul": "\0"}),
    ],
)
async def test_what_may_be_personal_is_refused(empty_log: None, entry: Entry) -> None:
    with pytest.raises(NotForTheLog) as refused:
        async with transaction() as tx:
            await record(tx, entry)
    for secret in ("林晓", "13912345678", "11010519491231002X"):
        assert secret not in str(refused.value)
    assert await rows("SELECT 1 FROM audit_entry") == []


# --- tampering ---


async def test_an_empty_log_and_an_honest_one_hold(empty_log: None, sealer: Sealer) -> None:
    assert await verify(sealer) == Verdict(0, "0" * 64, 0, None)
    await record_many(3)
    seen: list[tuple[int, int]] = []
    verdict = await verify(sealer, progress=lambda done, total: seen.append((done, total)))
    assert (verdict.seq, verdict.witnessed, verdict.broken) == (3, 0, None)
    assert seen == [(3, 3)]


CHANGED = Broken(4, "changed")


@pytest.mark.parametrize(
    ("statements", "found"),
    [
        (["UPDATE audit_entry SET action = 'citizen.slept' WHERE seq = 4"], CHANGED),
        (["UPDATE audit_entry SET at = at + '1 us' WHERE seq = 4"], CHANGED),
        (["UPDATE audit_entry SET at = 'infinity' WHERE seq = 4"], CHANGED),
        (["UPDATE audit_entry SET actor_id = NULL WHERE seq = 4"], CHANGED),
        (
            ["UPDATE audit_entry SET detail = '{\"number\": 3.0}' WHERE seq = 4"],
            CHANGED,
        ),
        (
            [
                "UPDATE audit_entry SET detail = ('[1' || repeat('0', 5000) || ']')::jsonb"
                " WHERE seq = 4"
            ],
            CHANGED,
        ),
        (["UPDATE audit_entry SET hash = repeat('a', 64) WHERE seq = 4"], CHANGED),
        (["DELETE FROM audit_entry WHERE seq = 4"], Broken(4, "missing")),
        (["DELETE FROM audit_entry WHERE seq = 1"], Broken(1, "missing")),
        (
            [
                "DELETE FROM audit_entry WHERE seq = 4",
                "UPDATE audit_entry SET seq = seq - 1 WHERE seq = 5",
                "UPDATE audit_entry SET seq = seq - 1 WHERE seq = 6",
                "UPDATE audit_head SET seq = 5",
            ],
            Broken(4, "out_of_order"),
        ),
        (
            [
                "UPDATE audit_entry SET seq = 99 WHERE seq = 4",
                "UPDATE audit_entry SET seq = 4 WHERE seq = 5",
                "UPDATE audit_entry SET seq = 5 WHERE seq = 99",
            ],
            Broken(4, "out_of_order"),
        ),
        (["DELETE FROM audit_entry WHERE seq > 4"], Broken(5, "cut_off")),
        (["DELETE FROM audit_entry"], Broken(1, "cut_off")),
        (
            ["DELETE FROM audit_entry WHERE seq > 4", "UPDATE audit_head SET seq = 4"],
            Broken(4, "head_changed"),
        ),
        (["DELETE FROM audit_head"], Broken(6, "head_changed")),
        (["UPDATE audit_head SET seq = 5"], Broken(6, "head_changed")),
        (
            [
                "INSERT INTO audit_entry SELECT 0, at, actor_kind, actor_id, on_behalf_of, action,"
                " subject_kind, subject_id, detail, previous, hash FROM audit_entry WHERE seq = 1"
            ],
            Broken(0, "out_of_order"),
        ),
        (
            [
                "INSERT INTO audit_entry SELECT 7, at, actor_kind, actor_id, on_behalf_of, action,"
                " subject_kind, subject_id, detail, previous, hash FROM audit_entry WHERE seq = 1"
            ],
            Broken(7, "out_of_order"),
        ),
    ],
)
async def test_the_first_broken_entry_is_found(
    empty_log: None, sealer: Sealer, statements: list[str], found: Broken
) -> None:
    await record_many(6)
    await tamper(*statements)
    assert (await verify(sealer)).broken == found
    assert await Notary(sealer).witness() == found


async def test_a_log_rewritten_with_every_hash_made_anew_contradicts_its_witness(
    empty_log: None, sealer: Sealer
) -> None:
    await record_many(3)
    await tamper(REWRITE)
    assert (await verify(sealer)).broken is None  # the rewriting rewrites nothing, so far
    assert await Notary(sealer).witness() is None
    await record_many(2)
    await tamper("UPDATE audit_entry SET action = 'citizen.slept' WHERE seq = 2", REWRITE)
    assert (await verify(sealer)).broken == Broken(3, "rewritten")
    # Without the keys nobody signs another witness.
    await tamper("UPDATE audit_witness SET hash = e.hash FROM audit_entry e WHERE e.seq = 3")
    assert (await verify(sealer)).broken == Broken(3, "witness_forged")
    assert (await Notary(sealer).witness()) == Broken(3, "witness_forged")


async def test_a_log_cut_off_together_with_its_head_contradicts_its_witness(
    empty_log: None, sealer: Sealer
) -> None:
    await record_many(5)
    await Notary(sealer).witness()
    await tamper(
        "DELETE FROM audit_entry WHERE seq > 3",
        "UPDATE audit_head SET seq = 3, hash = (SELECT hash FROM audit_entry WHERE seq = 3)",
    )
    assert (await verify(sealer)).broken == Broken(4, "cut_off")
    assert await Notary(sealer).witness() == Broken(5, "missing")


async def test_a_log_rewritten_without_its_witnesses_contradicts_what_was_noted_elsewhere(
    empty_log: None, sealer: Sealer
) -> None:
    await record_many(4)
    notary = Notary(sealer)
    with capture_logs() as logged:
        await notary.witness()
    [said] = [event for event in logged if event["event"] == "audit_witness"]
    noted = read_noted([f"{said['seq']}:{said['hash']}"])
    await tamper(
        "UPDATE audit_entry SET action = 'citizen.slept' WHERE seq = 2",
        "DELETE FROM audit_witness",
        REWRITE,
    )
    assert (await verify(sealer)).broken is None
    assert (await verify(sealer, noted=noted)).broken == Broken(4, "rewritten")
    # The worker that signed remembers; one that starts now has only the database.
    assert await notary.witness() == Broken(4, "rewritten")
    assert await Notary(sealer).witness() is None
    await tamper("DELETE FROM audit_entry WHERE seq = 4", "DELETE FROM audit_witness", REWRITE)
    assert (await verify(sealer, noted=noted)).broken == Broken(4, "cut_off")


async def test_a_notary_signs_once_for_what_came(empty_log: None, sealer: Sealer) -> None:
    notary = Notary(sealer)
    assert await notary.witness() is None
    assert await rows("SELECT 1 FROM audit_witness") == []
    for _ in range(2):
        await record_many(2)
        await notary.witness()
        await notary.witness()
    assert [row["seq"] for row in await rows("SELECT seq FROM audit_witness ORDER BY 1")] == [2, 4]
    verdict = await verify(sealer)
    assert (verdict.seq, verdict.witnessed, verdict.broken) == (4, 4, None)


async def test_other_keys_cannot_have_signed(empty_log: None, sealer: Sealer) -> None:
    await record_many(1)
    await Notary(Sealer(new_ring())).witness()
    assert (await verify(sealer)).broken == Broken(1, "witness_forged")


async def test_verifying_disturbs_no_writer(empty_log: None, sealer: Sealer) -> None:
    await record_many(20)
    verdicts, _ = await asyncio.gather(
        asyncio.gather(*(verify(sealer) for _ in range(5))), record_many(20)
    )
    assert all(verdict.broken is None for verdict in verdicts)


@pytest.mark.parametrize("text", ["", "4", "4:", "4:abc", f"x:{'0' * 64}", f"-1:{'0' * 64}"])
def test_what_was_noted_must_be_a_place_and_a_hash(text: str) -> None:
    with pytest.raises(NotNoted):
        read_noted([text])


# --- the commands ---


async def test_the_command_verifies_and_tells_the_first_broken_entry(
    empty_log: None, store_urls: StoreUrls, tmp_path: Path
) -> None:
    keys = tmp_path / "personal.json"
    write_personal_keys(keys)
    around = Surroundings(tmp_path, {}).but(
        database_url=store_urls.database, redis_url=store_urls.redis, personal_keys_file=str(keys)
    )
    await record_many(3)
    assert (await command(around, "audit", "verify")).exit_code == 0
    wrong = await command(around, "audit", "verify", "--noted", f"2:{'a' * 64}")
    assert wrong.exit_code == 3
    assert is_one_sentence(wrong, "Entry 2")
    unread = await command(around, "audit", "verify", "--noted", "what")
    assert unread.exit_code == 2
    assert is_one_sentence(unread, "1234:abcd")
    assert (await command(around, "audit", "show", "--subject", str(LIN))).exit_code == 0
    await tamper("UPDATE audit_entry SET action = 'x' WHERE seq = 3")
    broken = await command(around, "audit", "verify")
    assert broken.exit_code == 3
    assert is_one_sentence(broken, "Entry 3 was changed")
