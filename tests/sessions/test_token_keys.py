"""Keys rotate while processes run, and nobody is signed out by it."""

import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

import jwt
import pytest
from typer.testing import CliRunner

import app as yiting
from models.sessions import PersonKind
from server.auth import Principal, Tokens
from server.errors import NotSignedIn
from server.keys.token_keys import (
    KeyFile,
    Seldom,
    TokenKeys,
    WrongKeys,
    drop_token_key,
    key_names,
    rotate_token_keys,
    write_token_keys,
)
from tests.conftest import Api


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "token-keys.json"
    write_token_keys(path)
    return path


def a_process(path: Path) -> Tokens:
    """Tokens as a process has them that started with this file."""
    file = KeyFile(path)
    return Tokens(file.first, "yiting", file.newer)


def somebody() -> Principal:
    return Principal(PersonKind.CITIZEN, uuid4(), uuid4())


def signed_by(token: str) -> str:
    kid: str = jwt.get_unverified_header(token)["kid"]
    return kid


def test_a_new_key_signs_and_the_old_one_still_verifies(path: Path) -> None:
    tokens, lin = a_process(path), somebody()
    before = tokens.issue(lin)
    [old] = key_names(path)
    new, second = rotate_token_keys(path)
    assert second == old
    assert path.stat().st_mode & 0o077 == 0
    tokens.take_newer_keys()
    after = tokens.issue(lin)
    assert (signed_by(before), signed_by(after)) == (old, new)
    assert tokens.read(before) == tokens.read(after) == lin
    assert a_process(path).read(before) == lin


def test_a_process_that_has_not_noticed_yet_believes_the_new_key_at_once(path: Path) -> None:
    unaware, lin = a_process(path), somebody()
    rotate_token_keys(path)
    assert unaware.read(a_process(path).issue(lin)) == lin


def test_a_dropped_key_is_not_believed_any_more_though_its_tokens_were_remembered(
    path: Path,
) -> None:
    tokens, lin = a_process(path), somebody()
    token = tokens.issue(lin)
    assert tokens.read(token) == lin
    new, old = rotate_token_keys(path)
    tokens.take_newer_keys()
    assert tokens.read(token) == lin
    assert drop_token_key(path, old) == [new]
    tokens.take_newer_keys()
    with pytest.raises(NotSignedIn):
        tokens.read(token)


def test_the_key_that_signs_is_not_dropped_nor_one_that_is_not_there(path: Path) -> None:
    [only] = key_names(path)
    for kid in (only, "another"):
        with pytest.raises(WrongKeys, match=kid):
            drop_token_key(path, kid)
    assert key_names(path) == [only]


def test_keys_nobody_has_cause_one_look_a_second_at_most(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[int] = []
    file = KeyFile(path)

    def look() -> TokenKeys | None:
        looks.append(1)
        return file.newer()

    tokens = Tokens(file.first, "yiting", look)
    forged = [
        jwt.encode({}, "x" * 32, headers={"kid": f"k{nth}", "typ": "at+jwt"}) for nth in range(50)
    ]
    now = time.monotonic()
    monkeypatch.setattr("server.keys.token_keys.time.monotonic", lambda: now)
    for _ in range(3):
        for token in forged:
            with pytest.raises(NotSignedIn):
                tokens.read(token)
        now += 1.01
    assert len(looks) == 3


def test_seldom_does_it_the_first_time_asked() -> None:
    done: list[int] = []
    seldom = Seldom(lambda: done.append(1), 3600)
    seldom()
    seldom()
    assert done == [1]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda path: path.write_text("{"),
        lambda path: path.write_text('{"keys": []}'),
        lambda path: path.unlink(),
        lambda path: path.write_text(json.dumps(public_half(path))),
    ],
    ids=["half written", "empty", "gone", "without private keys"],
)
def test_a_spoilt_file_changes_nothing_while_it_is_spoilt(
    path: Path, spoil: Callable[[Path], object]
) -> None:
    tokens, lin = a_process(path), somebody()
    whole = path.read_text()
    spoil(path)
    tokens.take_newer_keys()
    assert tokens.read(tokens.issue(lin)) == lin
    path.write_text(whole)
    rotate_token_keys(path)
    tokens.take_newer_keys()
    assert signed_by(tokens.issue(lin)) == key_names(path)[0]


def public_half(path: Path) -> dict[str, list[dict[str, str]]]:
    [key] = json.loads(path.read_text())["keys"]
    return {"keys": [{name: value for name, value in key.items() if name != "d"}]}


def test_of_many_rotations_at_once_none_loses_a_key(path: Path) -> None:
    with ThreadPoolExecutor(8) as many:
        list(many.map(rotate_token_keys, [path] * 16))
    assert len(set(key_names(path))) == 17
    assert list(path.parent.iterdir()) == [path]


@pytest.fixture
def rotated(api: Api) -> Path:
    """The key file with a newer key first. It stays: to drop a key would sign others out."""
    path = api.settings.token_keys
    rotate_token_keys(path)
    return path


async def test_over_http_nobody_is_signed_out_by_a_rotation(api: Api, rotated: Path) -> None:
    new, old, *_ = key_names(rotated)
    lin = await api.citizen()
    api.services.tokens.take_newer_keys()
    chen = await api.citizen()
    assert signed_by(chen.token) == new
    for person in (lin, chen):
        assert (await person.get("/me")).status_code == 200
    body = {"refresh_token": lin.session["refresh_token"]}
    pair = (await api.http.post("/api/v1/sessions/refresh", json=body)).json()
    assert signed_by(pair["access_token"]) == new
    assert signed_by(lin.token) in {old, new}


# --- the command ---------------------------------------------------------------------------


def keys(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(yiting.cli, ["keys", *arguments])
    return done.exit_code, done.output


def test_the_command_makes_keeps_rotates_and_drops(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    assert keys(str(path))[0] == 0
    [first] = key_names(path)
    assert keys("new", str(path))[0] == 0
    assert key_names(path) == [first]
    code, said = keys("rotate", str(path))
    new, old = key_names(path)
    assert (code, old) == (0, first)
    assert said.index(new) < said.index(old)
    assert keys("rotate", str(path), "--drop", old)[0] == 0
    assert key_names(path) == [new]


def test_the_command_says_what_is_wrong_in_a_sentence(tmp_path: Path) -> None:
    nothing = tmp_path / "nothing.json"
    assert keys("rotate", str(nothing))[0] == 1
    nothing.write_text("not keys")
    assert keys("rotate", str(nothing)) == (2, f"{nothing} holds no keys that sign tokens.\n")
    assert nothing.read_text() == "not keys"
