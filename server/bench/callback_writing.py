"""Orders that wait to be paid, and the callbacks that say they are, signed as WeChat Pay signs.

The measured city believes the keys of its sandbox; this signs with them, ahead of each round, for
signing costs ten times what verifying does.
"""

import asyncio
import base64
import secrets
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import asyncpg
import msgspec
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from server.bench.bench import Bench
from server.bench.own_database import city_environment

Forger = Literal["a_stranger", "who_knows"]

PATH: Final = "/callbacks/wechatpay"
FEN: Final = 1000
_KEY_FILE: Final = "wechat-pay-platform.pem"
# `$1` orders, over so many halls; nobody looks after them while they are measured.
_FILL: Final = """
    WITH place AS (
        SELECT nth, uuidv7() AS bill, uuidv7() AS pay FROM generate_series(1, $1::int) nth
    ), halls AS (
        SELECT id, row_number() OVER (ORDER BY code) - 1 AS nth FROM hall ORDER BY code LIMIT $2
    ), billed AS (
        INSERT INTO bill (id, bill_no, source, source_key, hall_id, title, amount_fen, state,
            made_at, made_by)
        SELECT bill, 'B' || $3 || lpad(place.nth::text, 8, '0'), 'counter', bill::text, halls.id,
            '证件工本费', $4, 'due', now(), 'staff'
        FROM place JOIN halls ON halls.nth = place.nth % (SELECT count(*) FROM halls)
    )
    INSERT INTO pay_order (id, order_no, bill_id, amount_fen, channel, state, placed_at,
        expires_at, close_at, look_at)
    SELECT pay, 'YT' || $3 || lpad(nth::text, 8, '0'), bill, $4, 'wechat', 'pending', now(),
        now() + interval '1 day', now() + interval '1 day', now() + interval '1 day'
    FROM place RETURNING order_no
"""


@dataclass(frozen=True, slots=True)
class Writer:
    """What WeChat Pay and our merchant know of each other."""

    app_id: str
    mch_id: str
    key_id: str
    api_v3_key: bytes
    key: RSAPrivateKey

    @classmethod
    async def of(cls, bench: Bench) -> "Writer":
        """The measured city's, from its own settings and its sandbox's key."""
        env = await city_environment(bench)
        [file] = bench.folder.rglob(_KEY_FILE)
        key: Any = load_pem_private_key(file.read_bytes(), password=None)
        return cls(
            env["YITING_WECHAT_APP_ID"],
            env["YITING_WECHAT_MCH_ID"],
            env["YITING_WECHAT_PAY_PUBLIC_KEY_ID"],
            env["YITING_WECHAT_API_V3_KEY"].encode(),
            key,
        )

    def genuine(self, order_no: str) -> bytes:
        """The whole request that says this order is paid."""
        body = self._body(order_no)
        timestamp, nonce = str(int(time.time())), secrets.token_hex(16)
        text = f"{timestamp}\n{nonce}\n".encode() + body + b"\n"
        signature = base64.b64encode(self.key.sign(text, PKCS1v15(), SHA256())).decode()
        return request(body, self._headers(timestamp, nonce, signature))

    def forged(self, *, by: Forger) -> tuple[dict[str, str], bytes]:
        """Headers and body as right as somebody can make them who has not got the key.

        Only `who_knows` has seen callbacks of ours, and with them the id of the key, which no page
        tells.
        """
        body = self._body("YT2026112300000000")
        timestamp, nonce = str(int(time.time())), secrets.token_hex(16)
        signature = base64.b64encode(b"\1" + secrets.token_bytes(255)).decode()
        headers = self._headers(timestamp, nonce, signature)
        if by == "a_stranger":
            headers["Wechatpay-Serial"] = f"PUB_KEY_ID_{secrets.randbelow(10**34):034d}"
        return headers, body

    def _headers(self, timestamp: str, nonce: str, signature: str) -> dict[str, str]:
        return {
            "Content-Type": "application/json",
            "Wechatpay-Timestamp": timestamp,
            "Wechatpay-Nonce": nonce,
            "Wechatpay-Serial": self.key_id,
            "Wechatpay-Signature": signature,
            "Wechatpay-Signature-Type": "WECHATPAY2-SHA256-RSA2048",
        }

    def _body(self, order_no: str) -> bytes:
        told = {
            "appid": self.app_id,
            "mchid": self.mch_id,
            "out_trade_no": order_no,
            "transaction_id": f"4200{order_no}",
            "trade_type": "JSAPI",
            "trade_state": "SUCCESS",
            "trade_state_desc": "支付成功",
            "bank_type": "OTHERS",
            "attach": "",
            "success_time": "2026-11-23T09:31:00+08:00",
            "payer": {"openid": "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"},
            "amount": {
                "total": FEN,
                "payer_total": FEN,
                "currency": "CNY",
                "payer_currency": "CNY",
            },
        }
        nonce = secrets.token_hex(6)
        sealed = AESGCM(self.api_v3_key).encrypt(
            nonce.encode(), msgspec.json.encode(told), b"transaction"
        )
        notice = {
            "id": secrets.token_hex(18),
            "create_time": "2026-11-23T09:31:01+08:00",
            "resource_type": "encrypt-resource",
            "event_type": "TRANSACTION.SUCCESS",
            "summary": "支付成功",
            "resource": {
                "original_type": "transaction",
                "algorithm": "AEAD_AES_256_GCM",
                "ciphertext": base64.b64encode(sealed).decode(),
                "associated_data": "transaction",
                "nonce": nonce,
            },
        }
        return msgspec.json.encode(notice)


def request(body: bytes, headers: dict[str, str]) -> bytes:
    """A whole request as bytes."""
    lines = [f"POST {PATH} HTTP/1.1", "Host: bench", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {told}" for name, told in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


async def orders(connection: asyncpg.Connection, many: int, *, halls: int) -> list[str]:
    """The numbers of so many new pending orders, each for a bill of its own of one of the halls."""
    found = await connection.fetch(_FILL, many, halls, secrets.token_hex(4).upper(), FEN)
    numbers = [row["order_no"] for row in found]
    for table in ("bill", "pay_order"):
        await connection.execute(f"VACUUM ANALYZE {table}")
    return numbers


async def signed(writer: Writer, numbers: Sequence[str]) -> Iterator[bytes]:
    """The callbacks of these orders."""
    return iter(await asyncio.to_thread(lambda: [writer.genuine(number) for number in numbers]))
