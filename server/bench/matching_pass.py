"""One pass over everybody who consents, by fifty rules; and PostgreSQL streaming the same columns.

A program of its own, so that its memory is just what a pass takes. It prints one JSON object.
"""

import asyncio
import json
import os
import resource
import time
from datetime import date
from typing import Final

from models.audiences import pages, streamed_only
from models.consents import Purpose
from models.opening import open_database
from scheduler.matching.rules import Rule, rule
from server.matching.rule_files import shipped

RULES: Final = 50
TODAY: Final = date(2026, 11, 23)
# What is counted once more by plain SQL.
ELDERS: Final = "elder-card-60"
_TOPICS: Final = ("medical", "school", "home", "work")


def fifty() -> list[Rule]:
    """The city's own rules, and as many of towns as are missing to fifty."""
    found = [each.rule for each in shipped().of(Purpose.SERVICES)]
    for nth in range(RULES - len(found)):
        text = (
            f'residence in ("dg-{nth + 1:02}", "dg-{nth + 2:02}") and 18 <= age < {40 + nth}'
            f' and (follows("{_TOPICS[nth % 4]}") or days_until("id-card") <= {30 * nth + 30})'
        )
        reads = ["residence", "age", "topics", "certificates"]
        found.append(rule(f"town-{nth}", text, reads))
    return found[:RULES]


async def main() -> None:
    """Stream, match, stream again: what each took in seconds, and how many each rule concerns."""
    rules = fifty()
    async with open_database(os.environ["YITING_DATABASE_URL"], timeout_s=120):
        before_s, sent = await _streamed(rules)
        began = time.perf_counter()
        looked_at, concerned = 0, dict.fromkeys((each.code for each in rules), 0)
        async for page in pages(rules, Purpose.SERVICES, today=TODAY):
            looked_at += len(page)
            for each in rules:
                concerned[each.code] += int(each.concerned(page.columns, len(page)).sum())
        took_s = time.perf_counter() - began
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        after_s, _ = await _streamed(rules)
    told = {
        "looked_at": looked_at,
        "concerned": concerned,
        "took_s": took_s,
        "streamed_s": (before_s + after_s) / 2,
        "sent": sent,
        "peak": peak,
    }
    print(json.dumps(told))  # noqa: T201 what this program is for


async def _streamed(rules: list[Rule]) -> tuple[float, int]:
    began = time.perf_counter()
    sent = await streamed_only(rules, Purpose.SERVICES)
    return time.perf_counter() - began, sent


if __name__ == "__main__":
    asyncio.run(main())
