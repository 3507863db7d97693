"""Sealed texts open where they belong and nowhere else; keys rotate without a restart."""

import json
import os
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.sealing import (
    KeyMissing,
    KeyRing,
    NotOpened,
    Sealer,
    key_of,
    new_ring,
    read_ring,
    with_new_first,
    with_waiting,
    write_ring,
)
from server.privacy.key_file import (
    FollowedKeys,
    KeyInUse,
    drop,
    prepare,
    read_key_file,
    rotate,
    write_personal_keys,
)

LIN = UUID("0190c0de-0000-7000-8000-000000000001")
CHEN = UUID("0190c0de-0000-7000-8000-000000000002")
RING = new_ring()
SEALER = Sealer(RING)


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_what_was_sealed_opens_as_it_was(text: str) -> None:
    sealed = SEALER.seal(text, field="citizen.name", owner=LIN)
    assert SEALER.open(sealed, field="citizen.name", owner=LIN) == text
    assert key_of(sealed) == RING.first.id


def test_the_same_name_sealed_twice_looks_different() -> None:
    one, other = (SEALER.seal("林晓", field="citizen.name", owner=LIN) for _ in range(2))
    assert one != other
    assert "林晓".encode() not in one


@pytest.mark.parametrize(
    ("field", "owner"), [("citizen.phone", LIN), ("citizen.name", CHEN), ("citizen.nam", LIN)]
)
def test_a_sealed_text_moved_to_another_row_or_column_does_not_open(
    field: str, owner: UUID
) -> None:
    sealed = SEALER.seal("林晓", field="citizen.name", owner=LIN)
    with pytest.raises(NotOpened) as refused:
        SEALER.open(sealed, field=field, owner=owner)
    assert "林晓" not in str(refused.value)


def test_no_byte_of_a_sealed_text_can_be_changed() -> None:
    sealed = SEALER.seal("林晓", field="citizen.name", owner=LIN)
    for place in range(len(sealed)):
        for changed in (
            sealed[:place] + bytes([sealed[place] ^ 1]) + sealed[place + 1 :],
            sealed[:place],
        ):
            with pytest.raises(NotOpened):
                SEALER.open(changed, field="citizen.name", owner=LIN)


def test_a_header_cannot_be_lent_to_another_key() -> None:
    twice = with_new_first(RING)
    sealed = Sealer(twice).seal("林晓", field="citizen.name", owner=LIN)
    with pytest.raises(NotOpened):
        Sealer(twice).open(RING.first.header + sealed[9:], field="citizen.name", owner=LIN)


def test_an_older_key_opens_what_it_sealed_until_it_is_gone() -> None:
    sealed = SEALER.seal("林晓", field="citizen.name", owner=LIN)
    rotated = with_new_first(RING)
    assert Sealer(rotated).open(sealed, field="citizen.name", owner=LIN) == "林晓"
    assert key_of(Sealer(rotated).seal("林", field="citizen.name", owner=LIN)) != RING.first.id
    without = replace(rotated, keys=rotated.keys[:1])
    with pytest.raises(KeyMissing) as missing:
        Sealer(without).open(sealed, field="citizen.name", owner=LIN)
    assert missing.value.key_id == RING.first.id


def test_a_blind_index_tells_numbers_and_kinds_apart_and_outlives_rotations() -> None:
    index = SEALER.blind_index("phone", "13800000000")
    assert index == Sealer(with_new_first(RING)).blind_index("phone", "13800000000")
    others = {
        SEALER.blind_index("phone", "13800000001"),
        SEALER.blind_index("passport", "13800000000"),
        Sealer(new_ring()).blind_index("phone", "13800000000"),
    }
    assert len(others) == 3
    assert index not in others
    assert len(index) == 64


def test_no_repr_of_keys_shows_them() -> None:
    said = f"{RING!r} {RING.first!r} {RING}"
    for secret in (RING.first.secret, RING.index_secret):
        assert repr(secret) not in said


# --- the file ---


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "keys" / "personal.json"
    assert write_personal_keys(path)
    return path


def test_a_ring_survives_its_file(file: Path) -> None:
    ring = with_waiting(with_new_first(read_key_file(file)))
    assert read_ring(write_ring(ring)) == ring
    assert file.stat().st_mode & 0o777 == 0o600


def test_an_existing_file_is_kept(file: Path) -> None:
    before = file.read_text()
    assert not write_personal_keys(file)
    assert file.read_text() == before


def spoilt(ring: KeyRing) -> list[str]:
    said = json.loads(write_ring(ring))
    [key] = said["keys"]
    return [
        json.dumps(said | {"keys": [key, key]}),
        json.dumps(said | {"keys": []}),
        json.dumps(said | {"index_key": key["key"]}),
        json.dumps(said | {"keys": [key | {"id": "ab"}]}),
        json.dumps(said | {"keys": [key | {"id": key["id"].upper() + "é"}]}),
        json.dumps(said | {"keys": [key | {"key": key["key"][:-4]}]}),
        json.dumps(said | {"keys": [key | {"made": "2026-11-23T09:30:00"}]}),
        json.dumps(said | {"keys": {"first": key}}),
    ]


def test_a_spoilt_file_is_refused_without_quoting_it() -> None:
    ring = new_ring()
    [key] = json.loads(write_ring(ring))["keys"]
    for text in spoilt(ring):
        with pytest.raises(ValueError) as refused:
            read_ring(text)
        assert key["key"][:-4] not in str(refused.value)


def test_rotating_puts_a_new_key_first_and_keeps_the_rest(file: Path) -> None:
    old = read_key_file(file)
    new = rotate(file)
    assert new == read_key_file(file)
    assert new.keys[1:] == old.keys
    assert new.first not in old.keys
    assert new.index_secret == old.index_secret
    third = rotate(file)
    assert third.keys[1:] == new.keys


def test_a_prepared_key_opens_before_the_rotation_that_lets_it_seal(file: Path) -> None:
    old = read_key_file(file)
    prepared = prepare(file)
    assert prepared.first == old.first
    assert len(prepared.keys) == 2
    assert prepare(file) == prepared
    rotated = rotate(file)
    assert rotated.first == prepared.keys[1]
    assert len(rotated.keys) == 2


def test_rotations_at_the_same_moment_lose_no_key(file: Path) -> None:
    with ThreadPoolExecutor(8) as many:
        seen = list(many.map(lambda _: rotate(file).first.id, range(8)))
    kept = {key.id for key in read_key_file(file).keys}
    assert set(seen) <= kept
    assert len(kept) == 9


def test_a_new_file_may_be_read_by_whoever_might_read_the_old_one(file: Path) -> None:
    file.chmod(0o640)
    rotate(file)
    assert file.stat().st_mode & 0o777 == 0o640
    assert [path.name for path in file.parent.iterdir()] == [file.name]


def test_a_rotation_through_a_link_leaves_the_link(file: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.json"
    link.symlink_to(file)
    rotate(link)
    assert link.is_symlink()
    assert len(read_key_file(file).keys) == 2


def test_the_first_key_cannot_be_dropped_and_others_can(file: Path) -> None:
    old = read_key_file(file).first
    with pytest.raises(KeyInUse):
        drop(file, old.id)
    rotate(file)
    assert old not in drop(file, old.id).keys
    with pytest.raises(KeyMissing):
        drop(file, old.id)


def test_a_process_that_meets_a_new_key_reads_the_file_anew(file: Path) -> None:
    running = Sealer(FollowedKeys(file))
    rotate(file)
    owner = uuid4()
    sealed = Sealer(FollowedKeys(file)).seal("林晓", field="citizen.name", owner=owner)
    assert running.open(sealed, field="citizen.name", owner=owner) == "林晓"
    assert running.header == read_key_file(file).first.header


def test_a_running_process_seals_with_the_new_key_within_seconds(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    running = Sealer(FollowedKeys(file))
    new = rotate(file).first
    now = time.monotonic()
    monkeypatch.setattr("server.privacy.key_file.time.monotonic", lambda: now + 1.1)
    assert key_of(running.seal("林晓", field="citizen.name", owner=LIN)) == new.id


def test_a_file_spoilt_or_gone_under_a_running_process_changes_nothing(file: Path) -> None:
    keys = FollowedKeys(file)
    ring = keys.now()
    file.write_text("half a fi")
    assert keys.anew() == ring
    os.unlink(file)  # noqa: PTH108
    assert keys.anew() == ring
