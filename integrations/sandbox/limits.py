"""How often something may happen."""


class PerWindow:
    """Counts what each key does within a span of time and says when it was too much.

    Forgets all keys when the next span begins, so it holds no more than one span's callers.
    """

    def __init__(self, most: int, window_s: float) -> None:
        self._most = most
        self._window_s = window_s
        self._window = 0
        self._counts: dict[str, int] = {}

    def allows(self, key: str, now: float) -> bool:
        """Count one more for this key; False when it is past the limit."""
        window = int(now // self._window_s)
        if window != self._window:
            self._window = window
            self._counts.clear()
        count = self._counts.get(key, 0) + 1
        self._counts[key] = count
        return count <= self._most
