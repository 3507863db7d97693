"""A bank's counter, played: it writes the batch file of what it took, signed or spoiled."""

import base64
import hashlib
import hmac
import json
import secrets
from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta, Struct
from sanic import HTTPResponse, Request, raw

from integrations.sandbox.endpoints import App
from integrations.sandbox.payments.clock import CityClock, beijing
from integrations.sandbox.replies import problem, read
from integrations.yuan import yuan_of

BANK: Final = "YITING-DEMO"
KEY_ID: Final = "demo"
KEYS_FILE: Final = "bank-keys.json"

_Number = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[0-9A-Za-z_\-]+\Z")]


class Taken(Struct, forbid_unknown_fields=True):
    """One payment at the counter, in fen."""

    bill_no: _Number
    fen: Annotated[int, Meta(ge=1, le=10**12)]
    serial: _Number | None = None


class BatchRequest(Struct, forbid_unknown_fields=True):
    """What the counter took. `total` is a file whose sum is a fen too much, signed all the same."""

    payments: Annotated[list[Taken], Meta(max_length=1000)]
    number: _Number | None = None
    tamper: Literal["signature", "body", "key", "total"] | None = None


_request = msgspec.json.Decoder(BatchRequest)


def make_bank_keys(folder: Path) -> None:
    """Write a secret of ours and the demo's bank into a folder, where there is none yet."""
    file = folder / KEYS_FILE
    if file.exists():
        return
    secret = base64.b64encode(secrets.token_bytes(32)).decode()
    fresh = file.with_suffix(".new")
    fresh.touch(mode=0o600)
    fresh.write_text(json.dumps([{"bank": BANK, "key_id": KEY_ID, "secret": secret}]))
    fresh.replace(file)


class BankCounter:
    """The counter of one bank; without a folder of keys it has none that anybody knows."""

    def __init__(self, keys: Path | None, clock: CityClock) -> None:
        self._keys = keys
        self._clock = clock

    def open(self, app: App) -> None:
        """Put its door on the app."""
        app.add_route(self.batch, "/_sandbox/bank/batch", methods=["POST"], name="bank_batch")

    async def batch(self, request: Request) -> HTTPResponse:
        """Write a batch file of these payments, all made now."""
        asked = read(_request, request.body)
        if isinstance(asked, HTTPResponse):
            return asked
        if self._keys is None:
            return problem(409, "no_key", "This sandbox was started without keys of a bank.")
        secret = base64.b64decode(json.loads((self._keys / KEYS_FILE).read_text())[0]["secret"])
        if asked.tamper == "key":
            secret = secrets.token_bytes(32)
        content = self._written(asked)
        digest = hmac.digest(secret, content, hashlib.sha256)
        if asked.tamper == "signature":
            digest = digest[::-1]
        signature = base64.b64encode(digest).decode()
        if asked.tamper == "body":
            content = content.replace(b"+08:00", b"+09:00")
        line = f"signature,HMAC-SHA256,{KEY_ID},{signature}\n".encode()
        return raw(content + line, content_type="text/csv; charset=utf-8")

    def _written(self, asked: BatchRequest) -> bytes:
        now = beijing(self._clock.now())
        number = asked.number or f"{now:%Y%m%d}-{secrets.token_hex(4)}"
        total = sum(one.fen for one in asked.payments) + (asked.tamper == "total")
        head = ("yiting-bank-batch,1", BANK, number, f"{now:%Y-%m-%d}", str(len(asked.payments)))
        rows = [
            ",".join((*head, yuan_of(total))),
            "bill_no,amount,paid_at,serial",
            *(
                f"{one.bill_no},{yuan_of(one.fen)},{now.isoformat(timespec='seconds')},"
                f"{one.serial or secrets.token_hex(8)}"
                for one in asked.payments
            ),
        ]
        return "".join(row + "\n" for row in rows).encode()
