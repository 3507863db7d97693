"""Bills of WeChat Pay on their way: packed, endless, cut off, not made yet."""

import gzip
import hashlib
import zlib
from datetime import date
from pathlib import Path

import pytest

from integrations.ports_payment import ChannelUnavailable
from integrations.wechat.pay import bill_files
from integrations.wechat.pay.bill_files import TooBig, Unpacking
from tests.payments.channels import wechat

CONTENT = "\ufeff交易时间,公众账号ID\r\n".encode() * 50_000


@pytest.mark.parametrize("piece", [1, 1000, 1 << 20])
def test_what_comes_in_pieces_is_written_whole(tmp_path: Path, piece: int) -> None:
    content = CONTENT if piece > 1 else CONTENT[:5000]
    for sent in (content, gzip.compress(content)):
        file = tmp_path / "bill"
        unpacking = Unpacking(file)
        for at in range(0, len(sent), piece):
            unpacking.take(sent[at : at + piece])
        unpacking.close()
        assert unpacking.size == len(content)
        assert unpacking.is_whole
        assert file.read_bytes() == content
        assert unpacking.sha1 == hashlib.sha1(content).hexdigest()


def test_what_is_cut_off_is_not_whole(tmp_path: Path) -> None:
    unpacking = Unpacking(tmp_path / "bill")
    unpacking.take(gzip.compress(CONTENT)[:-20])
    unpacking.close()
    assert not unpacking.is_whole
    broken = Unpacking(tmp_path / "bill")
    with pytest.raises(zlib.error):
        broken.take(b"\x1f\x8b" + b"\xff" * 100)
    broken.close()


def test_what_unpacks_without_end_is_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bill_files, "_MOST_BYTES", 5_000_000)
    bomb = gzip.compress(bytes(30_000_000))
    unpacking = Unpacking(tmp_path / "bill")
    with pytest.raises(TooBig):
        unpacking.take(bomb)
    unpacking.close()
    assert (tmp_path / "bill").stat().st_size <= 5_000_000


@pytest.mark.parametrize("word", ["STATEMENT_CREATING", "SYSTEM_ERROR", "NO_AUTH"])
async def test_a_bill_that_is_not_made_yet_is_asked_for_later(tmp_path: Path, word: str) -> None:
    async with wechat() as played:
        await played.break_down("bill", "error", errcode=word)
        with pytest.raises(ChannelUnavailable) as fault:
            await played.channel.fetch_bill(date(2026, 11, 20), tmp_path)
        assert (fault.value.retry_after_s >= 600) == (word == "STATEMENT_CREATING")
