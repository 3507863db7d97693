"""What a worker does about appointments: planning takes its time, and nothing else waits for it."""

import asyncio
from contextlib import suppress
from typing import Any

import pytest

from server.appointments import background
from server.appointments.background import AppointmentWork
from server.appointments.planning import Replanned
from tests.conftest import Api, until


@pytest.fixture
def work(api: Api) -> AppointmentWork:
    room = api.services
    return AppointmentWork(room.valkey, lambda: room.directory, room.clock)


async def test_appointments_are_tended_while_halls_are_planned(
    work: AppointmentWork, monkeypatch: pytest.MonkeyPatch
) -> None:
    planned, tended = asyncio.Event(), 0

    async def plan_for_long(*_: Any, **__: Any) -> Replanned:
        planned.set()
        await asyncio.Event().wait()
        return Replanned()

    async def tend(*_: Any) -> int:
        nonlocal tended
        tended += 1
        return 0

    monkeypatch.setattr(background, "TEND_EVERY_S", 0.01)
    monkeypatch.setattr(background, "plan_hall", plan_for_long)
    monkeypatch.setattr(background, "tend_appointments", tend)
    running = asyncio.create_task(work.run_forever())
    try:
        await planned.wait()
        so_far = tended
        await until(lambda: tended > so_far + 2)
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running


async def test_planning_leaves_most_of_the_time_to_others(
    work: AppointmentWork, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    took, planned = 0.01, []

    async def plan(hall: Any, **_: Any) -> Replanned:
        planned.append(hall.code)
        await asyncio.sleep(took)
        return Replanned()

    monkeypatch.setattr(background, "plan_hall", plan)
    loop = asyncio.get_running_loop()
    began = loop.time()
    await work.plan()
    assert planned == api.services.directory.codes
    assert loop.time() - began >= len(planned) * took / background.SHARE
