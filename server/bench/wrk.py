"""Load by `wrk`, which costs the measured server the least of its two cores."""

import asyncio
import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from server.bench.bench import Address, BenchFailed, Load

# Requests are prepared before the clock starts; each thread begins at another place in the list.
_SCRIPT = """
local number = 0
function setup(thread) thread:set("number", number); number = number + 1 end
function init(args)
  prepared, at = {}, number * 997
  local file = io.open(args[1], "rb")
  if not file then return end
  for line in file:lines() do
    local path, token = line:match("^(%S+)%s*(%S*)$")
    local headers = { Host = "bench" }
    if token ~= "" then headers["Authorization"] = "Bearer " .. token end
    prepared[#prepared + 1] = wrk.format("GET", path, headers)
  end
  file:close()
end
function request() at = at % #prepared + 1; return prepared[at] end
"""
_POST = """
wrk.method = "POST"
function init(args)
  local file = io.open(args[1], "rb")
  wrk.body = file:read("*a")
  file:close()
  prepared = wrk.format()
end
function request() return prepared end
"""
_REPORT = """
function done(summary, latency, requests)
  local e = summary.errors
  io.write(string.format(
    '\\nRESULT {"requests": %d, "us": %d, "p50": %d, "p99": %d, "status": %d, "socket": %d}\\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
    e.status, e.connect + e.read + e.write + e.timeout))
end
"""


async def drive(
    wrk: str,
    address: Address,
    targets: list[tuple[str, str]],
    *,
    connections: int,
    seconds: float,
    folder: Path,
) -> Load:
    """GET these (path, token) in turn, as fast as it goes. One target alone goes without a list."""
    script, listed = folder / "load.lua", folder / "targets.txt"
    listed.write_text("".join(f"{path} {token}\n" for path, token in targets))
    alone = len(targets) == 1
    script.write_text(_REPORT if alone else _SCRIPT + _REPORT)
    url = f"http://{address[0]}:{address[1]}{targets[0][0]}"
    figures = await _run(wrk, script, url, listed, connections=connections, seconds=seconds)
    return _load(figures, figures["requests"] - figures["status"])


async def drive_post(
    wrk: str,
    address: Address,
    path: str,
    headers: Mapping[str, str],
    body: bytes,
    *,
    connections: int,
    seconds: float,
    folder: Path,
) -> Load:
    """POST this over and over; what is meant to be refused counts when it is."""
    script, content = folder / "post.lua", folder / "post.body"
    content.write_bytes(body)
    named = "".join(
        f"wrk.headers[{json.dumps(name)}] = {json.dumps(headers[name])}\n" for name in headers
    )
    script.write_text(_POST + named + _REPORT)
    url = f"http://{address[0]}:{address[1]}{path}"
    figures = await _run(wrk, script, url, content, connections=connections, seconds=seconds)
    return _load(figures, figures["status"])


async def _run(
    wrk: str, script: Path, url: str, given: Path, *, connections: int, seconds: float
) -> dict[str, int]:
    threads = min(2, os.cpu_count() or 1, connections)
    command = [
        wrk,
        *(f"-t{threads}", f"-c{connections}", f"-d{max(1, round(seconds))}s"),
        *("-s", str(script), url, "--", str(given)),
    ]
    done = await asyncio.to_thread(
        subprocess.run, command, capture_output=True, text=True, check=False
    )
    _, _, found = done.stdout.partition("RESULT ")
    if done.returncode or not found:
        raise BenchFailed(f"wrk failed: {done.stderr.strip() or done.stdout.strip()}")
    figures: dict[str, int] = json.loads(found)
    if figures["socket"]:
        raise BenchFailed(f"wrk lost {figures['socket']} connections")
    return figures


def _load(figures: Mapping[str, int], good: int) -> Load:
    return Load(
        good,
        figures["us"] / 1e6,
        figures["p50"] / 1e6,
        figures["p99"] / 1e6,
        figures["requests"] - good,
    )
