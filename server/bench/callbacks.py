"""Callbacks of channels: genuine ones stored and settled, forged ones turned away."""

import time
from itertools import cycle
from typing import Final

import asyncpg

from server.bench import client, wrk
from server.bench.bench import Bench, BenchFailed, Figure, Load, Pairs, measurement
from server.bench.callback_writing import PATH, Forger, Writer, orders, request, signed
from server.bench.client import drive
from server.bench.inserts import inserts

LIMIT: Final = "bare INSERT"
# More are signed than are ever answered in a second.
MOST_A_SECOND: Final = 3_500
HALLS: Final = 50
WITHIN_S: Final = 1.0
_SETTLE_WITHIN_S: Final = 120.0


@measurement("callbacks")
async def callbacks(bench: Bench) -> list[Figure]:
    """Genuine callbacks, each about another order: acknowledged once they are safely stored."""
    stored, _ = await _rounds(bench, HALLS)
    figure = stored.figure("callbacks", limit=LIMIT, bar=0.2, note="stored; settled meanwhile")
    slowest = max(load.p99_s for load in stored.loads)
    waits = Figure(what="callbacks: p99", value=slowest, unit="seconds", bar=WITHIN_S)
    return [figure, waits]


@measurement("callbacks_settled")
async def callbacks_settled(bench: Bench) -> list[Figure]:
    """The same, until the last of them is settled: of fifty halls' bills, and of one hall's alone.

    Receipts of one issuer are numbered without gaps, so its bills are settled one after the other.
    """
    figures = []
    for what, halls in (("callbacks_settled", HALLS), ("callbacks_settled: one issuer", 1)):
        _, settled = await _rounds(bench, halls)
        figures.append(settled.figure(what, limit=LIMIT, bar=0.1))
    return figures


async def _rounds(bench: Bench, halls: int) -> tuple[Pairs, Pairs]:
    """Rounds of callbacks: how many were stored a second, and how many settled."""
    plan, stored, settled = bench.plan, Pairs(), Pairs()
    writer = await Writer.of(bench)
    ours = await asyncpg.connect(bench.database_url)
    try:
        async with inserts(bench) as bare:
            await bare.drive(1)
            await _round(bench, ours, writer, halls, 1.0)
            for number in range(1, plan.rounds + 1):
                bench.say(f"round {number} of {plan.rounds}: bare INSERTs")
                limit = await bare.drive(plan.seconds)
                bench.say(f"round {number} of {plan.rounds}")
                taken, done = await _round(bench, ours, writer, halls, plan.seconds)
                stored.limits.append(limit)
                stored.loads.append(taken)
                settled.limits.append(limit)
                settled.loads.append(done)
    finally:
        await ours.close()
    return stored, settled


async def _round(
    bench: Bench, ours: asyncpg.Connection, writer: Writer, halls: int, seconds: float
) -> tuple[Load, Load]:
    bench.say("orders are placed")
    numbers = await orders(ours, round(MOST_A_SECOND * seconds), halls=halls)
    bench.say("callbacks are signed")
    told = await signed(writer, numbers)
    began = time.perf_counter()
    done = await drive(bench.api, told, connections=bench.plan.connections, seconds=seconds)
    load = done.load(204)
    if load.refused:
        raise BenchFailed(f"{load.refused} genuine callbacks were refused")
    many = await _until_settled(ours, numbers)
    if many != load.requests:
        raise BenchFailed(f"{load.requests} callbacks were thanked for, {many} orders are paid")
    took_s = time.perf_counter() - began
    return load, Load(many, took_s, load.p50_s, load.p99_s)


async def _until_settled(ours: asyncpg.Connection, numbers: list[str]) -> int:
    """How many of these orders are paid, once no news are left."""
    give_up = time.monotonic() + _SETTLE_WITHIN_S
    while await ours.fetchval("SELECT 1 FROM callback_inbox WHERE state = 'stored' LIMIT 1"):
        if time.monotonic() > give_up:
            raise BenchFailed(f"not all was settled within {_SETTLE_WITHIN_S:.0f} s")
    many: int = await ours.fetchval(
        "SELECT count(*) FROM pay_order WHERE order_no = ANY($1) AND state = 'paid'", numbers
    )
    return many


@measurement("forged_callbacks")
async def forged_callbacks(bench: Bench) -> list[Figure]:
    """Forgeries by whoever does not know our key's id, and the dearest ones: all right but for the
    signature, which has to be computed to be seen.
    """
    plan, writer = bench.plan, await Writer.of(bench)
    pairs: dict[Forger, Pairs] = {"a_stranger": Pairs(), "who_knows": Pairs()}
    for by in pairs:
        await _forge(bench, writer, by, 1.0)
    await _nothing(bench, 1.0)
    for number in range(1, plan.rounds + 1):
        bench.say(f"round {number} of {plan.rounds}: empty handler")
        limit = await _nothing(bench, plan.seconds)
        for by, kept in pairs.items():
            bench.say(f"round {number} of {plan.rounds}: by {by}")
            kept.limits.append(limit)
            kept.loads.append(await _forge(bench, writer, by, plan.seconds))
    notes: dict[Forger, str] = {
        "a_stranger": "by who does not know our key's id",
        "who_knows": "right but for the signature, which is computed",
    }
    return [
        kept.figure(f"forged_callbacks: {by}", limit="empty handler", bar=0.4, note=notes[by])
        for by, kept in pairs.items()
    ]


async def _nothing(bench: Bench, seconds: float) -> Load:
    if bench.wrk:
        return await wrk.drive(
            bench.wrk,
            bench.empty,
            [("/", "")],
            connections=bench.plan.connections,
            seconds=seconds,
            folder=bench.folder,
        )
    asked = cycle([client.request("GET", "/")])
    done = await drive(bench.empty, asked, connections=bench.plan.connections, seconds=seconds)
    return done.load(204)


async def _forge(bench: Bench, writer: Writer, by: Forger, seconds: float) -> Load:
    """A round of forgeries; whatever is answered other than 401 is refused."""
    headers, body = writer.forged(by=by)
    if bench.wrk:
        return await wrk.drive_post(
            bench.wrk,
            bench.api,
            PATH,
            headers,
            body,
            connections=bench.plan.connections,
            seconds=seconds,
            folder=bench.folder,
        )
    told = cycle([request(body, headers)])
    done = await drive(bench.api, told, connections=bench.plan.connections, seconds=seconds)
    return done.load(401)
