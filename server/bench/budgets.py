"""How many statements a change costs, `BEGIN` and `COMMIT` included, when nothing else happens."""

import secrets
from collections.abc import Awaitable, Callable

from server.bench.bench import Bench, Figure, measurement
from server.bench.city import (
    Wish,
    admin,
    citizens,
    hall_codes,
    items_by_line,
    open_counters,
    settled,
    statements,
    take,
)
from server.bench.client import request, send, send_all

BAR = 8
TIMES = 50
TRIES = 3


@measurement("statements")
async def statement_budgets(bench: Bench) -> list[Figure]:
    """Statements a take, with and without an Idempotency-Key, and a call-next."""
    halls = await hall_codes(bench)
    lines = await items_by_line(bench, halls)
    items = [code for codes in lines.values() for code in codes]
    people = iter(await citizens(bench, 3 * TIMES * TRIES))
    token = await admin(bench)

    async def take_once(*, key: str | None = None) -> None:
        await send(bench.api, Wish(next(people), halls[1], items[0]).request(key=key))

    async def take_with_key() -> None:
        await take_once(key=secrets.token_hex(8))

    bench.say("taking one by one")
    figures = [
        await _budget(bench, "statements a take", take_once),
        await _budget(bench, "statements a take, with key", take_with_key),
    ]
    bench.say("calling one by one")
    opened = await open_counters(bench, token, halls)
    free = [path for path, skills in opened.items() if skills[0] in lines][:TIMES]
    wishes = [Wish(next(people), path.split("/")[4], lines[opened[path][0]][0]) for path in free]
    await take(bench, wishes)
    await settled()
    costs = []
    for verb in ("call-next", "start", "finish"):
        each = [request("POST", f"{path}/{verb}", token=token, body={}) for path in free]
        before = await statements(bench)
        for answer in await send_all(bench.api, each, connections=1):
            answer.json()
        costs.append((await statements(bench) - before) / len(each))
    note = f"start: {costs[1]:.2f}, finish: {costs[2]:.2f}"
    figures.append(_figure("statements a call-next", costs[0], note=note))
    return figures


async def _budget(bench: Bench, what: str, once: Callable[[], Awaitable[None]]) -> Figure:
    """The lowest of some tries: what an API process does by itself now and then is not counted."""
    values = []
    await once()
    for _ in range(TRIES):
        before = await statements(bench)
        for _ in range(TIMES - 1):
            await once()
        values.append((await statements(bench) - before) / (TIMES - 1))
    return _figure(what, min(values))


def _figure(what: str, value: float, *, note: str = "") -> Figure:
    return Figure(what=what, value=value, unit="statements", bar=BAR, note=note)
