"""What ships: trees grown on simulated halls, for the time before a city has waits of its own."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np

from scheduler.wait.trees import Trees, trees_from

SHIPPED: Final = Path(__file__).with_name("prior.npz")


@cache
def shipped_trees() -> Mapping[str, Trees]:
    """The shipped trees of each kind, read once. Raises OSError or ValueError for a broken file."""
    return read_trees(SHIPPED)


def read_trees(path: Path) -> dict[str, Trees]:
    """Trees as `write_trees` keeps them. Raises OSError or ValueError."""
    with np.load(path, allow_pickle=False) as kept:
        kinds = {name.partition(".")[0] for name in kept.files if "." in name}
        return {
            kind: trees_from(
                {
                    name.partition(".")[2]: kept[name]
                    for name in kept.files
                    if name.startswith(f"{kind}.")
                }
            )
            for kind in kinds
        }


def provenance_of(path: Path) -> str:
    """Where a file's trees come from. Raises OSError, ValueError or KeyError."""
    with np.load(path, allow_pickle=False) as kept:
        return str(kept["provenance"])


def write_trees(path: Path, trees: Mapping[str, Trees], provenance: str) -> None:
    """Keep trees as a file, and with them where they come from."""
    arrays: dict[str, Any] = {
        f"{kind}.{name}": array
        for kind, each in trees.items()
        for name, array in each.as_arrays().items()
    }
    with path.open("wb") as file:
        np.savez_compressed(file, provenance=np.array(provenance), **arrays)
