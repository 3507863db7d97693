"""What is remembered because it is likely to be needed again, within so many bytes."""

from collections import OrderedDict
from collections.abc import Hashable
from typing import Final, Generic, Protocol, TypeVar

MOST_BYTES: Final = 64 * 2**20
# What one thing costs besides its arrays: its key, its place here, the objects that hold arrays.
EACH_BYTES: Final = 1_500


class Sized(Protocol):
    """Something of which it is known how many bytes its arrays take."""

    @property
    def nbytes(self) -> int:
        """How many bytes its arrays take."""


Thing = TypeVar("Thing", bound=Sized)


class Remembered(Generic[Thing]):
    """Things by their keys. When they are too many bytes, what is unused the longest is forgotten.

    A thing counts as large as it is when it is put here: it must not grow afterwards.
    """

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most = most_bytes
        self._things: OrderedDict[Hashable, Thing] = OrderedDict()
        self.nbytes = 0

    def __len__(self) -> int:
        return len(self._things)

    def get(self, key: Hashable) -> Thing | None:
        """What is remembered by this key."""
        thing = self._things.get(key)
        if thing is not None:
            self._things.move_to_end(key)
        return thing

    def put(self, key: Hashable, thing: Thing) -> None:
        """Remember it by this key, instead of what was there."""
        before = self._things.pop(key, None)
        if before is not None:
            self.nbytes -= before.nbytes + EACH_BYTES
        self._things[key] = thing
        self.nbytes += thing.nbytes + EACH_BYTES
        while self.nbytes > self._most:
            _, forgotten = self._things.popitem(last=False)
            self.nbytes -= forgotten.nbytes + EACH_BYTES
