"""How our own processes are started: one that serves, and others of the same program."""

import faulthandler
import socket
import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from sanic import Sanic

from integrations.processes import Program, Supervisor
from server.running.metrics import forget_process
from server.settings import Settings

APP = Path(__file__).resolve().parents[2] / "app.py"
# Longer than requests under way may take, shorter than the supervisor's patience.
LONGEST_STOP_S = 14.0


def serve_here(app: Sanic[Any, Any], sock: socket.socket) -> None:
    """Serve an application in this very process until SIGTERM.

    A stop that hangs ends all the same and says where it hung: nobody else would start anew.
    """
    app.before_server_stop(lambda _: faulthandler.dump_traceback_later(LONGEST_STOP_S, exit=True))
    app.run(sock=sock, single_process=True, motd=False, access_log=False)


def child(name: str, *arguments: str, settings: Settings, **options: Any) -> Program:
    """Another command of `app.py` as a program to keep running."""
    env = settings.environment() | options.pop("env", {})
    return Program(name, [sys.executable, str(APP), *arguments], env=env, **options)


async def start_api(
    supervisor: Supervisor,
    settings: Settings,
    sock: socket.socket,
    *,
    env: Mapping[str, str] | None = None,
) -> None:
    """Start the API processes on one listening socket, which the caller keeps open.

    It outlives each of them: who connects while one is down waits a moment instead of failing.
    """
    metrics_dir = settings.data_dir / "metrics"
    metrics_dir.mkdir(parents=True, exist_ok=True)
    for old in metrics_dir.glob("*.db"):
        old.unlink()
    env = {"PROMETHEUS_MULTIPROC_DIR": str(metrics_dir.resolve()), **(env or {})}
    died = partial(forget_process, metrics_dir)
    fd = sock.fileno()
    for number in range(1, settings.workers + 1):
        arguments = (f"api-{number}", "api", "--fd", str(fd))
        await supervisor.start(
            child(*arguments, settings=settings, env=env, pass_fds=[fd], died=died)
        )
