"""Processes die; what was acknowledged is there, and the city is back within seconds."""

import asyncio
import os
import signal
import socket
import subprocess
import time
from asyncio import gather
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import connect

from integrations.stores import wipe
from tests.conftest import City, start_city, stop_city
from tests.people import Person, a_citizen, a_member_of_staff

HALL = "dg-20"


def a_client(city: City) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=city.url, trust_env=False, timeout=20)


async def an_item(http: httpx.AsyncClient, hall: str) -> str:
    found = (await http.get("/api/v1/items", params={"hall": hall, "limit": 100})).json()["data"]
    found_one: str = next(item["code"] for item in found if item["level_required"] == 0)
    return found_one


async def until_ready(http: httpx.AsyncClient, within_s: float) -> float:
    """Seconds until the city answers twenty requests in a row."""
    began = time.monotonic()
    good = 0
    while good < 20:
        assert time.monotonic() - began < within_s, "it was not back in time"
        try:
            good = good + 1 if (await http.get("/readyz")).status_code == 200 else 0
        except httpx.HTTPError:
            good = 0
            await asyncio.sleep(0.02)
    return time.monotonic() - began


async def test_killing_the_api_during_200_takes_loses_no_acknowledged_ticket(city: City) -> None:
    async with a_client(city) as http:
        item = await an_item(http, HALL)
        people = [await a_citizen(http, city.sandbox_url) for _ in range(20)]
        people += list(await gather(*(a_citizen(http, city.sandbox_url) for _ in range(180))))
        acknowledged: list[tuple[Person, dict[str, Any]]] = []

        async def take(person: Person, nth: int) -> None:
            await asyncio.sleep(nth * 0.004)
            try:
                reply = await person.take(HALL, item)
            except httpx.HTTPError:
                return  # its process died: nothing was promised
            if reply.status_code == 201:
                acknowledged.append((person, reply.json()))

        async def kill() -> None:
            await asyncio.sleep(0.35)
            for pid in city.pids("api"):
                os.kill(pid, signal.SIGKILL)

        await gather(kill(), *(take(person, nth) for nth, person in enumerate(people)))
        assert await until_ready(http, within_s=10) < 5
        assert len(acknowledged) > 10
        numbers = [ticket["number"] for _, ticket in acknowledged]
        assert len(numbers) == len(set(numbers))
        for person, ticket in acknowledged:
            reply = await person.get(f"/tickets/{ticket['id']}")
            assert reply.status_code == 200, ticket
            assert reply.json()["number"] == ticket["number"]


async def test_a_killed_api_process_leaves_no_gauges_behind(city: City) -> None:
    def gauges_of(pid: int) -> list[Path]:
        return list((city.data_dir / "metrics").glob(f"gauge_live*_{pid}.db"))

    async with a_client(city) as http:
        await until_ready(http, within_s=10)
        pid = city.pids("api")[0]
        assert gauges_of(pid)
        os.kill(pid, signal.SIGKILL)
        deadline = time.monotonic() + 10
        while gauges_of(pid):
            assert time.monotonic() < deadline
            await asyncio.sleep(0.05)
        await until_ready(http, within_s=10)


async def test_a_killed_worker_is_back_and_the_board_lives_on(city: City) -> None:
    async with a_client(city) as http:
        item = await an_item(http, "dg-10")
        [pid] = city.pids("work")
        os.kill(pid, signal.SIGKILL)
        began = time.monotonic()
        ticket = (await (await a_citizen(http, city.sandbox_url)).take("dg-10", item)).json()
        while True:
            board = (await http.get("/api/v1/halls/dg-10/board")).json()
            [line] = [line for line in board["lines"] if line["code"] == ticket["line"]]
            if line["waiting"]:
                break
            assert time.monotonic() - began < 20
            await asyncio.sleep(0.05)
        assert city.pids("work") != [pid]


@pytest.mark.parametrize("store", ["valkey", "postgres"])
async def test_a_killed_store_is_back_and_no_request_hangs(city: City, store: str) -> None:
    async with a_client(city) as http:
        person = await a_citizen(http, city.sandbox_url)
        os.kill(pid_of_store(city, store), signal.SIGKILL)
        statuses = set()
        for _ in range(30):
            reply = await asyncio.wait_for(person.get("/tickets"), 10)
            statuses.add(reply.status_code)
            assert reply.status_code in {200, 503}, reply.text
            await asyncio.sleep(0.05)
        await until_ready(http, within_s=10)
        assert (await person.get("/tickets")).status_code == 200


def pid_of_store(city: City, store: str) -> int:
    found = subprocess.run(
        ["ps", "--ppid", str(city.process.pid), "-o", "pid=,comm="],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    [pid] = [int(line.split()[0]) for line in found if store in line]
    return pid


def alive(pids: list[int]) -> list[int]:
    return [pid for pid in pids if Path(f"/proc/{pid}").exists()]


def descendants(pid: int) -> list[int]:
    found = subprocess.run(
        ["ps", "--ppid", str(pid), "-o", "pid="], capture_output=True, text=True, check=False
    ).stdout.split()
    children = [int(child) for child in found]
    return children + [grand for child in children for grand in descendants(child)]


async def test_ctrl_c_stops_everything_and_a_second_start_continues(tmp_path: Path) -> None:
    data_dir = tmp_path / "again"
    began = time.monotonic()
    city = start_city(data_dir, "--no-crowd")
    first = time.monotonic() - began
    try:
        async with a_client(city) as http:
            item = await an_item(http, HALL)
            lin = await a_citizen(http, city.sandbox_url)
            ticket = (await lin.take(HALL, item)).json()
        started = descendants(city.process.pid)
        assert len(started) >= 6
        stop_city(city)
        assert city.process.returncode == 0
        assert alive(started) == []
        began = time.monotonic()
        city = start_city(data_dir, "--no-crowd")
        # What the first start makes is made; a machine that is busy is slow for both.
        assert time.monotonic() - began < max(30, first)
        async with a_client(city) as http:
            lin = Person(http, lin.token, {})
            assert (await lin.get(f"/tickets/{ticket['id']}")).json()["number"] == ticket["number"]
            assert (await (await a_citizen(http, city.sandbox_url)).take(HALL, item)).json()[
                "number"
            ] == f"{ticket['number'][0]}002"
    finally:
        stop_city(city)
        wipe(data_dir)


async def test_a_start_on_the_next_day_begins_with_nobody_of_the_day_before(tmp_path: Path) -> None:
    data_dir = tmp_path / "overnight"
    city = start_city(data_dir, "--no-crowd")
    try:
        async with a_client(city) as http:
            item = await an_item(http, HALL)
            lin = await a_citizen(http, city.sandbox_url)
            assert (await lin.take(HALL, item)).status_code == 201
            clerk = await a_member_of_staff(http, f"clerk.{HALL}.01")
            assert (await clerk.at(HALL, "01", "open")).status_code == 200
        stop_city(city)
        city = start_city(data_dir, "--no-crowd", "--clock", "2026-11-24T09:30:00+08:00")
        async with a_client(city) as http:
            clerk = await a_member_of_staff(http, f"clerk.{HALL}.01")
            board = (await http.get(f"/api/v1/halls/{HALL}/board")).json()
            assert sum(line["waiting"] for line in board["lines"]) == 0
            assert {counter["state"] for counter in board["counters"]} == {"closed"}
            await clerk.at(HALL, "01", "open")
            assert (await clerk.at(HALL, "01", "call-next")).json()["code"] == "nobody_waiting"
            lin = Person(http, lin.token, {})
            ticket = (await lin.take(HALL, item)).json()
            assert ticket["number"].endswith("001")
    finally:
        stop_city(city)
        wipe(data_dir)


async def test_killing_the_supervisor_leaves_nothing_behind(tmp_path: Path) -> None:
    data_dir = tmp_path / "killed"
    city = start_city(data_dir, "--no-crowd")
    started = descendants(city.process.pid)
    city.process.kill()
    city.process.wait()
    deadline = time.monotonic() + 15
    while alive(started):
        assert time.monotonic() < deadline, f"still there: {alive(started)}"
        await asyncio.sleep(0.1)
    wipe(data_dir)


async def test_a_taken_port_is_one_sentence(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(AssertionError, match="Cannot listen on"):
            start_city(tmp_path / "taken", "--no-crowd", port=taken.getsockname()[1])
    wipe(tmp_path / "taken")


async def test_stopping_says_goodbye_to_sockets(city: City) -> None:
    async with connect(city.url.replace("http", "ws") + "/api/v1/live", proxy=None) as ws:
        await ws.send('{"op":"watch","topic":"hall:dg-00"}')
        await asyncio.wait_for(ws.recv(), 10)
        for pid in city.pids("api"):
            os.kill(pid, signal.SIGTERM)
        async with asyncio.timeout(30):
            heard = [str(message) async for message in ws]
        assert '"bye"' in heard[-1]
    async with a_client(city) as http:
        await until_ready(http, within_s=10)
