"""Files of secrets: whole or not there, whenever a write is interrupted; their owner's alone.

Everything here raises OSError.
"""

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def write_new(path: Path, text: str) -> bool:
    """Write a file that nobody else can read; False, and nothing written, when there is one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # A temporary file is its owner's alone from the start.
    with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=f".{path.name}.") as file:
        _fill(file.fileno(), text)
        try:
            # Unlike a rename, a link never replaces what another command just wrote.
            os.link(file.name, path)
        except FileExistsError:
            return False
    _sync_folder(path.parent)
    return True


def replace(path: Path, text: str) -> None:
    """Put a new text in a file's place; who may read the file stays as it was."""
    before = path.stat()
    # Beside the file itself, not beside a link to it: the link is to stay.
    path = path.resolve()
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        try:
            _fill(descriptor, text)
            if (before.st_uid, before.st_gid) != (os.geteuid(), os.getegid()):
                os.fchown(descriptor, before.st_uid, before.st_gid)
            os.fchmod(descriptor, before.st_mode & 0o777)
        finally:
            os.close(descriptor)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


@contextmanager
def alone_with(path: Path) -> Iterator[None]:
    """Of several commands that change a file, one at a time; the others wait."""
    # The folder is locked, because the file itself is replaced meanwhile.
    folder = os.open(path.resolve().parent, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def _fill(descriptor: int, text: str) -> None:
    with open(descriptor, "w", closefd=False) as file:
        file.write(text)
    os.fsync(descriptor)


def _sync_folder(folder: Path) -> None:
    """Make the names in a folder outlive a power cut."""
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
