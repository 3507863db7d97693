"""Modules that come in one answer: over a slow network a request costs more than what it brings.

They stay as they are written, and as other pages load them. When the server starts, those of a page
are put one after the other, each in a function of its own, so that no name of one meets another's:
what the first look needs in one file, what later views need in a second one.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

_IMPORTED: Final = re.compile(r'^import \{ ([\w, ]+) \} from "(\.[^"]+)";$', re.MULTILINE)
_PASSED_ON: Final = re.compile(r'^export \{ ([\w, ]+) \} from "(\.[^"]+)";$', re.MULTILINE)
_EXPORTED: Final = re.compile(
    r"^export (?=(?:async function|function|class|const) (\w+))", re.MULTILINE
)
_LATER: Final = re.compile(r'\bimport\("(\.[^"]+)"\)')
# Whatever else begins so would be lost without a word; so would a binding that changes (`let`).
_UNKNOWN: Final = re.compile(r"^(?:import|export)\s.*$", re.MULTILINE)


class NotJoinable(ValueError):
    """A module is written in a way that cannot be joined: which, and the line."""


@dataclass(frozen=True, slots=True)
class Module:
    """A module by its name in the folder, such as `citizen/main.js`."""

    name: str
    source: str

    @property
    def needs(self) -> list[str]:
        """The modules that run before it."""
        found = (*_IMPORTED.finditer(self.source), *_PASSED_ON.finditer(self.source))
        return [self.seek(each[2]) for each in found]

    @property
    def later(self) -> list[str]:
        """The modules that it loads while it runs."""
        return [self.seek(each[1]) for each in _LATER.finditer(self.source)]

    def seek(self, address: str) -> str:
        """The name of the module at an address relative to this one."""
        parts = list(PurePosixPath(self.name).parent.parts)
        for part in PurePosixPath(address).parts:
            if part == "..":
                parts.pop()
            else:
                parts.append(part)
        return "/".join(parts)


def join(
    folder: Path, entry: str, *, early: Sequence[str], files: tuple[str, str]
) -> Mapping[str, str]:
    """Two files by name: `early` modules and the entry with all they need; and all they load later.

    Both files belong into the entry's folder. Raises NotJoinable.
    """
    modules = _all_of(folder, entry)
    first = _in_order([*early, entry], modules)
    others = [each for each in _in_order(sorted(modules), modules) if each not in first]
    home = {name: file for names, file in ((first, files[0]), (others, files[1])) for name in names}
    shared = ", ".join(map(_variable, sorted(first)))
    given = ", ".join(map(_variable, sorted(others)))
    return {
        files[0]: f"{_wrapped(first, modules, home)}\nexport {{ {shared} }};\n",
        files[1]: (
            f'import {{ {shared} }} from "./{PurePosixPath(files[0]).name}";\n'
            f"{_wrapped(others, modules, home)}\nexport {{ {given} }};\n"
        ),
    }


def _all_of(folder: Path, entry: str) -> dict[str, Module]:
    found: dict[str, Module] = {}
    waiting = [entry]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found[name] = Module(name, (folder / name).read_text())
            waiting += [*found[name].needs, *found[name].later]
    return found


def _in_order(names: Iterable[str], modules: Mapping[str, Module]) -> list[str]:
    """These and what they need, none before what it needs."""
    done: list[str] = []
    begun: set[str] = set()

    def take(name: str) -> None:
        if name in done:
            return
        if name in begun:
            raise NotJoinable(f"{name} needs itself")
        begun.add(name)
        for needed in modules[name].needs:
            take(needed)
        done.append(name)

    for name in names:
        take(name)
    return done


def _variable(name: str) -> str:
    return "$" + re.sub(r"\W", "_", name.removesuffix(".js"))


def _wrapped(names: Iterable[str], modules: Mapping[str, Module], home: Mapping[str, str]) -> str:
    return "\n".join(_as_function(modules[name], home) for name in names)


def _as_function(module: Module, home: Mapping[str, str]) -> str:
    """The module as a constant: what it exports by name."""
    exported = _EXPORTED.findall(module.source)
    for names, address in _PASSED_ON.findall(module.source):
        of = _variable(module.seek(address))
        exported += [f"{name}: {of}.{name}" for name in names.split(", ")]

    def given(found: re.Match[str]) -> str:
        names = found[1].replace(" as ", ": ")
        return f"const {{ {names} }} = {_variable(module.seek(found[2]))};"

    def loaded(found: re.Match[str]) -> str:
        wanted = module.seek(found[1])
        if home[wanted] == home[module.name]:
            return f"Promise.resolve({_variable(wanted)})"
        file = PurePosixPath(home[wanted]).name
        return f'import("./{file}").then((all) => all.{_variable(wanted)})'

    body = _EXPORTED.sub("", _PASSED_ON.sub("", _IMPORTED.sub(given, module.source)))
    if left := _UNKNOWN.search(body):
        raise NotJoinable(f"{module.name}: {left[0]}")
    body = _LATER.sub(loaded, body)
    returned = f"return {{ {', '.join(exported)} }};"
    return f"const {_variable(module.name)} = (() => {{\n{body}\n{returned}\n}})();"
