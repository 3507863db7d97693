"""A million bookings of the last weeks, written straight into the tables of the bench's city."""

import asyncpg

from server.bench.bench import Bench

BOOKINGS = 1_000_000

# Past the API, as it would take hours. Every row is as booking and checking in would have left it.
# Triggers are off meanwhile (`session_replication_role`): slots are written with what the one on
# places would have counted, and what the others look for, such as citizens, is written before.
_FILL = """
    SET LOCAL synchronous_commit = off;
    SET LOCAL work_mem = '128MB';
    SET LOCAL session_replication_role = replica;
    CREATE TEMPORARY TABLE bench_citizen ON COMMIT DROP AS
        SELECT nth, uuidv7() AS id FROM generate_series(0, 49999) nth;
    INSERT INTO citizen (id, created_at, level) SELECT id, now(), 0 FROM bench_citizen;
    CREATE TEMPORARY TABLE bench_slot ON COMMIT DROP AS
        SELECT uuidv7() AS id, line.hall_id, line.id AS line_id, offer.item_id,
               d::date AS day, d + interval '9 hours' + nth * interval '30 minutes' AS starts_at
        FROM generate_series(timestamptz '2026-06-01 00:00+08', '2026-11-20 00:00+08', '1 day') d
        CROSS JOIN line
        JOIN LATERAL (SELECT item_id FROM offering WHERE line_id = line.id LIMIT 1) offer ON true
        CROSS JOIN generate_series(0, 13) nth
        ORDER BY d DESC LIMIT 125000;
    INSERT INTO slot (id, hall_id, line_id, day, starts_at, ends_at, state, planned, capacity,
                      taken, serves)
        SELECT id, hall_id, line_id, (starts_at AT TIME ZONE 'Asia/Shanghai')::date, starts_at,
               starts_at + interval '30 minutes', 'open', 8, 8, 8, 8
        FROM bench_slot;
    CREATE TEMPORARY TABLE bench_booked ON COMMIT DROP AS
        SELECT uuidv7() AS id, s.id AS slot_id, s.hall_id, s.line_id, s.item_id, s.starts_at,
               (s.starts_at AT TIME ZONE 'Asia/Shanghai')::date AS day,
               row_number() OVER (ORDER BY s.starts_at, s.id) AS nth
        FROM bench_slot s CROSS JOIN generate_series(1, 8);
    INSERT INTO appointment (id, hall_id, line_id, item_id, items, citizen_id, part, day,
            slot_start, slot_end, state, made_at, booked_at, ended_at, check_in_code, version)
        SELECT b.id, hall_id, line_id, item_id, ARRAY[item_id], c.id, 'everybody', day,
               starts_at, starts_at + interval '30 minutes', 'checked_in',
               starts_at - interval '3 days', starts_at - interval '3 days', starts_at,
               lpad(to_hex(b.nth), 16, '0'), b.nth
        FROM bench_booked b JOIN bench_citizen c ON c.nth = b.nth % 50000;
    INSERT INTO appointment_place (appointment_id, slot_id, part)
        SELECT id, slot_id, 'everybody' FROM bench_booked;
    INSERT INTO appointment_once (person, item_id, day, appointment_id)
        SELECT c.id, item_id, day, b.id
        FROM bench_booked b JOIN bench_citizen c ON c.nth = b.nth % 50000
        ORDER BY 1;
    INSERT INTO appointment_event (appointment_id, hall_id, at, step, state, slot_start,
                                   actor_kind, actor_id)
        SELECT b.id, hall_id, starts_at - interval '3 days', 'book', 'booked', starts_at,
               'citizen', c.id
        FROM bench_booked b JOIN bench_citizen c ON c.nth = b.nth % 50000
        UNION ALL
        SELECT b.id, hall_id, starts_at, 'check_in', 'checked_in', starts_at, 'citizen', c.id
        FROM bench_booked b JOIN bench_citizen c ON c.nth = b.nth % 50000
        ORDER BY 3;
"""
_ANALYZE = (
    "ANALYZE appointment, appointment_place, appointment_once, appointment_event, slot, citizen"
)


async def fill(bench: Bench) -> int:
    """Let people have booked a million times; how many bookings there are. Once is enough."""
    connection = await asyncpg.connect(bench.database_url)
    try:
        there: int = await connection.fetchval("SELECT count(*) FROM appointment")
        if there < BOOKINGS:
            bench.say(f"{BOOKINGS:,} people have booked")
            async with connection.transaction():
                await connection.execute(_FILL)
            await connection.execute(_ANALYZE)
            await connection.execute("CHECKPOINT")
            there = await connection.fetchval("SELECT count(*) FROM appointment")
        return there
    finally:
        await connection.close()
