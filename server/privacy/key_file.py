"""The file of personal keys: made, rotated, and followed by every process while it changes."""

import os
import time
from pathlib import Path

import structlog

from models.sealing import (
    KeyRing,
    new_ring,
    read_ring,
    with_new_first,
    with_waiting,
    write_ring,
)
from server.keys.whole_files import alone_with, replace, write_new

log = structlog.get_logger()
LOOK_EVERY_S = 1.0


class KeyInUse(Exception):
    """The first key seals, so it cannot be dropped."""


class FollowedKeys:
    """A key file as it is now: looked at once a second, so that a rotation needs no restart.

    A file that is gone or spoilt while the process runs changes nothing: the keys at hand are kept.
    """

    def __init__(self, path: Path) -> None:
        """Raises OSError or ValueError when the file holds no keys."""
        self._path = path
        self._mark = _mark(path)
        self._ring = read_key_file(path)
        self._looked = time.monotonic()

    def now(self) -> KeyRing:
        """The keys, at most a second old."""
        if time.monotonic() - self._looked >= LOOK_EVERY_S:
            return self.anew()
        return self._ring

    def anew(self) -> KeyRing:
        """The keys as they are in the file."""
        self._looked = time.monotonic()
        try:
            mark = _mark(self._path)
            if mark != self._mark:
                self._ring, self._mark = read_key_file(self._path), mark
                log.info("personal_keys_read", keys=len(self._ring.keys), first=self._ring.first.id)
        except (OSError, ValueError) as fault:
            log.error("personal_keys_unreadable", fault=type(fault).__name__)
        return self._ring


def _mark(path: Path) -> tuple[int, int, int]:
    about = os.stat(path)  # noqa: PTH116 three times as fast as through Path
    return about.st_ino, about.st_mtime_ns, about.st_size


def read_key_file(path: Path) -> KeyRing:
    """The keys of a file. Raises OSError, or ValueError when it is no file of personal keys."""
    return read_ring(path.read_text())


def write_personal_keys(path: Path) -> bool:
    """Make a new file of personal keys that only its owner can read; False when there is one.

    The file is there whole or not at all, whenever this is interrupted. Raises OSError.
    """
    return write_new(path, write_ring(new_ring()))


def rotate(path: Path) -> KeyRing:
    """Put a newer key first: one that waits in the file, else a new one.

    Raises OSError, ValueError.
    """
    with alone_with(path):
        ring = with_new_first(read_key_file(path))
        replace(path, write_ring(ring))
        return ring


def prepare(path: Path) -> KeyRing:
    """Add a key that opens everywhere before a rotation lets it seal.

    Raises OSError, ValueError.
    """
    with alone_with(path):
        ring = with_waiting(read_key_file(path))
        replace(path, write_ring(ring))
        return ring


def drop(path: Path, key_id: str) -> KeyRing:
    """Take a key away for ever; whatever it sealed can be opened no more.

    Raises KeyInUse for the first one, KeyMissing, OSError, ValueError.
    """
    with alone_with(path):
        ring = read_key_file(path)
        if ring.find(key_id) == ring.first:
            raise KeyInUse
        keys = tuple(key for key in ring.keys if key.id != key_id)
        ring = KeyRing(keys, ring.index_secret)
        replace(path, write_ring(ring))
        return ring
