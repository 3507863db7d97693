"""Every new operation by every wrong person, at the wrong hall, on what is not there: a table."""

from typing import Any

import httpx
import pytest

from models.database import rows
from tests.conftest import Api
from tests.counters.halls import code_of
from tests.people import Person

# Method, path in the hall, body, and whether a clerk may.
OPERATIONS: dict[str, tuple[str, str, Any, bool]] = {
    "hand over": ("POST", "/counters/{counter}/hand-over", {}, True),
    "emergency": ("POST", "/counters/{counter}/emergency", {}, True),
    "skills": ("PUT", "/counters/{counter}/skills", {"own": ["A"]}, False),
    "pause a line": ("POST", "/lines/{line}/pause", {"reason": "系统故障"}, False),
    "limits": ("PATCH", "/lines/{line}", {"waiting_limit": 5}, False),
    "overflow": ("POST", "/lines/{line}/overflow", {"counters": ["01"]}, False),
    "end overflow": ("DELETE", "/lines/{line}/overflow", None, False),
    "announce": ("POST", "/announcements", {"text": "公告"}, False),
    "take down": ("DELETE", "/announcements/{thing}", None, False),
    "acknowledge": ("POST", "/alerts/{thing}/acknowledge", {}, False),
    "alerts": ("GET", "/alerts", None, True),
}
THERE = {"counter": "01", "line": "E", "thing": "01900000-0000-7000-8000-000000000000"}
NOT_THERE = [
    {"counter": "98", "line": "Z", "thing": THERE["thing"]},
    {"counter": "💥", "line": "💥", "thing": "nonsense"},
    {"counter": "x" * 300, "line": "E;--", "thing": "0"},
]


async def do(who: Person, hall: str, name: str, **named: str) -> httpx.Response:
    method, path, body, _ = OPERATIONS[name]
    where = {**THERE, **named}
    address = f"/api/v1/halls/{hall}{path.format(**where)}"
    return await who.http.request(method, address, json=body, headers=who.headers)


async def now(api: Api, hall: str) -> list[dict[str, Any]]:
    """All that could have changed in the hall."""
    hall_id = api.services.directory.hall(hall).id
    found: list[dict[str, Any]] = []
    for table in ("counter", "line", "announcement", "alert"):
        sql = f"SELECT * FROM {table} WHERE hall_id = $1 ORDER BY id"
        found += [dict(row) for row in await rows(sql, hall_id)]
    return found


@pytest.mark.parametrize("name", OPERATIONS)
async def test_whoever_may_not_changes_nothing(api: Api, name: str) -> None:
    hall, other = await api.quiet_hall(), await api.quiet_hall()
    before = await now(api, hall)
    nobody = Person(api.http, "nobody", {})
    assert code_of(await do(nobody, hall, name)) == (401, "not_signed_in")
    strangers = [await api.citizen(), await api.clerk(other), await api.manager(other)]
    if not OPERATIONS[name][3]:
        strangers.append(await api.clerk(hall))
    for who in strangers:
        assert code_of(await do(who, hall, name)) == (403, "not_allowed")
        assert code_of(await do(who, "dg-99", name)) == (403, "not_allowed")
    assert await now(api, hall) == before


@pytest.mark.parametrize("named", NOT_THERE, ids=["none", "odd", "wrong"])
@pytest.mark.parametrize(
    "name", [name for name, (_, path, _, _) in OPERATIONS.items() if "{" in path]
)
async def test_what_is_not_there_is_not_found_and_nothing_changes(
    api: Api, name: str, named: dict[str, str]
) -> None:
    hall = await api.quiet_hall()
    before = await now(api, hall)
    assert code_of(await do(await api.manager(hall), hall, name, **named)) == (404, "not_found")
    assert await now(api, hall) == before


@pytest.mark.parametrize("name", OPERATIONS)
async def test_a_body_that_is_none_is_refused_and_nothing_changes(api: Api, name: str) -> None:
    hall = await api.quiet_hall()
    method, path, body, _ = OPERATIONS[name]
    if body is None:
        pytest.skip("it takes none")
    manager, before = await api.manager(hall), await now(api, hall)
    address = f"/api/v1/halls/{hall}{path.format(**THERE)}"
    for sent in (b"[]", b"{", b'{"unknown": 1}', b"\xff", b"[" * 3000):
        headers = {**manager.headers, "Content-Type": "application/json"}
        reply = await api.http.request(method, address, content=sent, headers=headers)
        if name == "acknowledge":  # it takes no body, so what is sent does not matter
            assert code_of(reply) == (404, "not_found")
        else:
            assert reply.status_code in {400, 422}, reply.text
    assert await now(api, hall) == before
