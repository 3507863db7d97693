"""Which actions a board message already contains, and since when each socket knows of them."""

import json
import time
from collections import defaultdict


class Following:
    """Actions come one after another, so what a board shows says how many of them it contains.

    A call whose ticket is finished has left the board; a later one of ours, at another counter or
    at the same, is there and tells as much.
    """

    def __init__(self) -> None:
        self._parsed: dict[bytes, tuple[int, list[str]]] = {}
        self._heard: list[tuple[int, float, bytes]] = []
        self._before = 0
        # Of each action: when it was answered, then how many calls and takes there were.
        self._actions: list[tuple[float, int, int]] = []
        self._calls: list[str] = []
        self._takes = 0

    def hear(self, socket: int, message: bytes) -> None:
        """A socket got a message; that all still stands as it was is no news."""
        if b'"data":' not in message:
            return
        self._heard.append((socket, time.perf_counter(), message))

    def begin(self) -> None:
        """From now on there are actions; what was heard last is how things stood before."""
        self._before, _ = self._read(self._heard[-1][2])
        self._heard.clear()

    def took(self, at: float) -> None:
        """A ticket was taken."""
        self._takes += 1
        self._actions.append((at, len(self._calls), self._takes))

    def called(self, number: str, at: float) -> None:
        """A number was called."""
        self._calls.append(number)
        self._actions.append((at, len(self._calls), self._takes))

    def delays(self, sockets: int) -> list[float]:
        """Seconds from each action's answer to each socket's first message that contains it."""
        waiting_for: defaultdict[int, int] = defaultdict(int)
        found: list[float] = []
        for socket, heard_at, message in self._heard:
            calls, takes = self._contained(message)
            at = waiting_for[socket]
            while at < len(self._actions):
                answered_at, calls_then, takes_then = self._actions[at]
                if calls < calls_then or takes < takes_then:
                    break
                # The message may overtake the answer.
                found.append(max(0.0, heard_at - answered_at))
                at += 1
            waiting_for[socket] = at
        return found

    def _contained(self, message: bytes) -> tuple[int, int]:
        """How many of our calls and takes the message contains."""
        waiting, shown = self._read(message)
        calls = next(
            (
                len(self._calls) - back
                for back, own in enumerate(reversed(self._calls))
                if own in shown
            ),
            0,
        )
        return calls, waiting - self._before + calls

    def _read(self, message: bytes) -> tuple[int, list[str]]:
        """How many wait in the hall, and the numbers that are at counters."""
        if message not in self._parsed:
            board = json.loads(message)["data"]
            waiting = sum(line["waiting"] for line in board["lines"])
            self._parsed[message] = waiting, [call["number"] for call in board["called"]]
        return self._parsed[message]
