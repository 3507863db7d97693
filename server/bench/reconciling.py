"""Reconciling a day of a million payments, against what Python's csv module needs to read the file.

The command runs as it does every night, in a process of its own, on a database of its own; only
the download is left out. Memory is that process's at its highest.
"""

import asyncio
import csv
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import asyncpg

from server.bench.bench import Bench, BenchFailed, Figure, measurement
from server.bench.own_database import GIB, own_database
from server.commands.serving import APP

LINES: Final = 1_000_000
DAY: Final = "2026-11-22"
_DATABASE: Final = "bench_reconciling"
_HEAD: Final = (
    "交易时间,公众账号ID,商户号,特约商户号,设备号,微信订单号,商户订单号,用户标识,交易类型,交易状态,"
    "付款银行,货币种类,应结订单金额,代金券金额,微信退款单号,商户退款单号,退款金额,充值券退款金额,退款类型,"
    "退款状态,商品名称,商户数据包,手续费,费率,订单金额,申请退款金额,费率备注"
)
_TOTALS: Final = (
    "总交易单数,应结订单总金额,退款总金额,充值券退款总金额,手续费总金额,订单总金额,申请退款总金额"
)
# Ours: a payment for each line, without the bills that only keys would look at.
_FILL: Final = """
    SET session_replication_role = replica;
    INSERT INTO pay_order (id, order_no, bill_id, amount_fen, channel, state, placed_at, expires_at,
        close_at, channel_no, paid_at, settles)
    SELECT uuidv7(), 'YT20261122' || lpad(nth::text, 14, '0'), uuidv7(), 1000 + nth % 5000,
        'wechat', 'paid', at, at, at, '4200' || lpad(nth::text, 24, '0'), at, true
    FROM generate_series(0, 999999) nth,
        LATERAL (SELECT timestamptz '2026-11-22 08:00+08' + nth % 40000 * interval '1 s' AS at);
    INSERT INTO ledger_entry (at, kind, debit_id, credit_id, amount_fen, order_id)
    SELECT paid_at, 'paid', 'at_wechat', 'collected', amount_fen, id FROM pay_order
"""


@measurement("reconcile")
async def reconcile(bench: Bench) -> list[Figure]:
    """A million lines that agree but for ten of each kind, which must be found."""
    file = bench.folder / "statement.csv"
    bench.say(f"a statement of {LINES:,} lines is written")
    await asyncio.to_thread(_write, file)
    env = await _database(bench)
    bench.say("the csv module reads it")
    before_s = await asyncio.to_thread(_read_s, file)
    bench.say("it is reconciled")
    took_s, peak, found = await asyncio.to_thread(_reconciled, file, env)
    bench.say("the csv module reads it again")
    csv_s = (before_s + await asyncio.to_thread(_read_s, file)) / 2
    _require_right(found)
    rates: dict[str, Any] = {"limit": "csv.reader", "limit_rate": LINES / csv_s}
    note = f"{took_s:.1f} s with the start of Python; csv {csv_s:.1f} s; all differences found"
    return [
        Figure(
            what="reconcile: time",
            value=took_s / csv_s,
            unit="times",
            bar=6.0,
            rate=LINES / took_s,
            note=note,
            **rates,
        ),
        Figure(
            what="reconcile: memory, of 1 GiB",
            value=peak / GIB,
            unit="times",
            bar=1.0,
            note=f"{peak >> 20} MiB at most",
        ),
    ]


def _require_right(found: Mapping[str, Any]) -> None:
    """Raise BenchFailed unless just what was planted was found."""
    (run,) = found["runs"]
    kinds = {one["kind"]: one["open"] for one in run["differences"]}
    wanted = {"missing_here": 10, "missing_there": 10, "different_amount": 10, "different_state": 0}
    if kinds != wanted or run["matched"] != LINES - 20:
        raise BenchFailed(f"reconciling found {kinds} and {run['matched']} lines that agree")


def _lines() -> Iterator[str]:
    for nth in range(LINES):
        fen = 1000 + nth % 5000 + (nth % 100_000 == 7)
        # Ten of ours are missing there, and ten strangers stand in their place.
        number = f"YT{'20261122' if nth % 100_000 != 9 else '19990101'}{nth:014}"
        second = nth % 40_000
        at = f"{8 + second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}"
        yuan = f"{fen // 100}.{fen % 100:02}"
        yield (
            f"`{DAY} {at},`wx8888888888888888,`1900000109,`0,`,`4200{nth:024},`{number},"
            f"`oUpF8u{nth:022},`JSAPI,`SUCCESS,`OTHERS,`CNY,`{yuan},`0.00,`0,`0,`0.00,`0.00,`,`,"
            f"`证件工本费,`,`0.06000,`0.60%,`{yuan},`0.00,`\r\n"
        )


def _write(file: Path) -> None:
    fen = sum(1000 + nth % 5000 for nth in range(LINES)) + 10
    yuan = f"{fen // 100}.{fen % 100:02}"
    fees = f"{LINES * 6 // 100}.{LINES * 6 % 100:02}"
    totals = f"`{LINES},`{yuan},`0.00,`0.00,`{fees},`{yuan},`0.00"
    with file.open("w", encoding="utf-8-sig", newline="") as out:
        out.write(f"{_HEAD}\r\n")
        out.writelines(_lines())
        out.write(f"{_TOTALS}\r\n{totals}\r\n")


def _read_s(file: Path) -> float:
    began = time.perf_counter()
    with file.open(encoding="utf-8-sig", newline="") as text:
        for _ in csv.reader(text):
            pass
    return time.perf_counter() - began


async def _database(bench: Bench) -> dict[str, str]:
    """A database with our side of it; the variables that name it and the city's channels."""
    bench.say("our side of it is written")
    env = await own_database(bench, _DATABASE)
    connection = await asyncpg.connect(env["YITING_DATABASE_URL"])
    try:
        await connection.execute(_FILL)
        await connection.execute("VACUUM ANALYZE pay_order")
        await connection.execute("VACUUM ANALYZE ledger_entry")
        await connection.execute("CHECKPOINT")
    finally:
        await connection.close()
    return env


def _reconciled(file: Path, env: Mapping[str, str]) -> tuple[float, int, dict[str, Any]]:
    """How long the command took, its memory at the highest in bytes, and what it said."""
    command = [sys.executable, str(APP), "reconcile", DAY, "--channel", "wechat", "--json"]
    began = time.perf_counter()
    with subprocess.Popen(  # noqa: S603 our own command
        [*command, "--file", str(file)], env=env, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        said = process.stdout.read()
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    took_s = time.perf_counter() - began
    if process.returncode not in (0, 3):
        raise BenchFailed(f"reconcile ended with {process.returncode}")
    return took_s, used.ru_maxrss * 1024, json.loads(said)
