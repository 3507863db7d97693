"""Access tokens as stable_token gives them."""

import secrets
from collections import deque
from dataclasses import dataclass
from typing import Literal

_DAY_S = 86_400.0
_FORCED_APART_S = 30.0
_FORCED_A_DAY = 20

# How a token may end before its time: it expired (42001), it became void (40001), or the API
# refuses it (40001) while stable_token goes on giving it until a refresh is forced.
Ending = Literal["expired", "void", "refused"]


@dataclass(frozen=True, slots=True)
class Token:
    """An access token and when it dies."""

    text: str
    dies_at: float


class StableTokens:
    """One mini-program's access tokens.

    Asked normally it gives the same token until `overlap_s` before its end, then a new one, and
    both work until the old one dies. Forced, the old one is void at once.
    """

    def __init__(self, life_s: float, overlap_s: float) -> None:
        self._life_s = life_s
        self._overlap_s = overlap_s
        self._current: Token | None = None
        # Enough to tell a dead token from one that never was.
        self._older: deque[Token] = deque(maxlen=32)
        self._forced: deque[float] = deque(maxlen=_FORCED_A_DAY)
        self._refused: str | None = None

    def normal(self, now: float) -> Token:
        """Return the current token, renewed when its end is near."""
        if self._current is None or self._current.dies_at - now < self._overlap_s:
            if self._current is not None:
                self._older.append(self._current)
            self._current = self._fresh(now)
        return self._current

    def forced(self, now: float) -> Token | None:
        """Return a new token and void the old; None when that was asked too often today.

        Within 30 s of the last time nothing is refreshed and the current token comes back.
        """
        if self._forced and now - self._forced[-1] < _FORCED_APART_S:
            return self.normal(now)
        if len(self._forced) == _FORCED_A_DAY and now - self._forced[0] < _DAY_S:
            return None
        self._forced.append(now)
        self._older.clear()
        self._current = self._fresh(now)
        return self._current

    def end(self, ending: Ending, now: float) -> None:
        """End every token before its time."""
        if ending == "refused":
            self._refused = self.normal(now).text
            return
        known = [] if self._current is None else [*self._older, self._current]
        self._current = None
        self._older.clear()
        if ending == "expired":
            self._older.extend(Token(token.text, min(token.dies_at, now)) for token in known)

    def standing(self, text: str, now: float) -> Literal["good", "expired", "unknown"]:
        """Tell whether a token opens the door."""
        if text == self._refused:
            return "unknown"
        known = [*self._older] if self._current is None else [self._current, *self._older]
        for token in known:
            if token.text == text:
                return "good" if now < token.dies_at else "expired"
        return "unknown"

    def _fresh(self, now: float) -> Token:
        return Token(secrets.token_urlsafe(102), now + self._life_s)
