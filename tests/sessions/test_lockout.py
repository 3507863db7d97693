"""Five wrong passwords in a quarter of an hour lock a name for as long, whoever has it."""

from asyncio import gather
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from models.database import rows, transaction
from server.sessions.lockout import LOCKED_FOR, TRIES, Tries, forget
from server.sessions.purging import purge
from tests.conftest import Api
from tests.people import PASSWORD

NOW = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)
NAME = "clerk.dg-06.01"


@pytest.fixture
async def name(api: Api) -> AsyncIterator[str]:
    """A name that is not locked, and will not be afterwards."""
    yield NAME
    async with transaction() as tx:
        for each in (NAME, "nobody.at-all"):
            await forget(tx, each)


async def sign_in(api: Api, name: str, password: str = PASSWORD) -> httpx.Response:
    body: dict[str, Any] = {"username": name, "password": password}
    return await api.http.post("/api/v1/staff/sessions", json=body)


async def fail(api: Api, name: str, times: int) -> list[str]:
    return [(await sign_in(api, name, "guess")).json()["code"] for _ in range(times)]


async def turn_back(by: timedelta) -> None:
    """As if what was tried had been tried earlier."""
    async with transaction() as tx:
        await tx.run(
            "UPDATE password_tries SET locked_until = locked_until - $1::interval,"
            " failed_at = ARRAY(SELECT at - $1::interval FROM unnest(failed_at) at)",
            by,
        )


async def test_the_sixth_try_is_refused_even_with_the_right_password(api: Api, name: str) -> None:
    assert await fail(api, name, 5) == ["wrong_password"] * 5
    reply = await sign_in(api, name)
    assert (reply.status_code, reply.json()["code"]) == (429, "account_locked")
    assert 880 < int(reply.headers["retry-after"]) <= 900


async def test_an_unknown_name_is_locked_in_the_same_words(api: Api, name: str) -> None:
    for each in (name, "nobody.at-all"):
        assert await fail(api, each, 5) == ["wrong_password"] * 5
    known, unknown = await sign_in(api, name), await sign_in(api, "nobody.at-all")
    assert known.status_code == unknown.status_code == 429
    assert known.json() == unknown.json()


async def test_a_lock_ends_after_a_quarter_of_an_hour(api: Api, name: str) -> None:
    await fail(api, name, 6)
    await turn_back(LOCKED_FOR)
    assert (await sign_in(api, name)).status_code == 200


async def test_success_counts_from_nought_again(api: Api, name: str) -> None:
    for _ in range(3):
        await fail(api, name, 4)
        assert (await sign_in(api, name)).status_code == 200


async def test_another_name_is_not_locked(api: Api, name: str) -> None:
    await fail(api, name, 5)
    assert (await sign_in(api, "clerk.dg-06.02")).status_code == 200


async def test_of_thirty_guesses_at_once_five_are_looked_at(api: Api, name: str) -> None:
    replies = await gather(*(sign_in(api, name, f"guess {nth}") for nth in range(30)))
    codes = [reply.json()["code"] for reply in replies]
    assert (codes.count("wrong_password"), codes.count("account_locked")) == (5, 25)


async def test_many_right_sign_ins_at_once_all_succeed(api: Api, name: str) -> None:
    replies = await gather(*(sign_in(api, name) for _ in range(12)))
    assert {reply.status_code for reply in replies} == {200}


async def test_names_are_not_kept_in_clear_and_not_for_long(api: Api, name: str) -> None:
    await fail(api, "hunter2-typed-in-the-wrong-field", 1)
    kept = await rows("SELECT * FROM password_tries")
    assert kept
    assert "hunter2" not in str(kept)
    async with transaction() as tx:
        await tx.run(
            "UPDATE password_tries SET changed_at = $1", datetime.now(UTC) - timedelta(minutes=31)
        )
    await purge()
    assert await rows("SELECT * FROM password_tries") == []


def minutes(*at: float) -> list[datetime]:
    return [NOW + timedelta(minutes=each) for each in at]


def after(*at: float) -> Tries:
    tries = Tries()
    for each in minutes(*at):
        tries = tries.failed(each)
    return tries


def test_five_within_any_quarter_of_an_hour_lock() -> None:
    assert after(0, 3, 6, 9).locked_until is None
    assert after(0, 3, 6, 9, 14.9).locked_until == NOW + timedelta(minutes=29.9)
    # Never five in a quarter of an hour, though ten in half an hour.
    assert after(*(4 * nth for nth in range(10))).locked_until is None
    # The window moves with the tries: it has no edge to wait for.
    assert after(0, 14, 14.1, 14.2, 15.1, 15.2).locked_until is not None


def test_what_is_remembered_of_tries_is_bounded() -> None:
    assert len(after(*range(1000)).failed_at) < TRIES
