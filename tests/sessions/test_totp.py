"""One-time codes: enrolled by showing one, asked for at sign-in, good once."""

import time
from asyncio import gather
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pyotp
import pytest

from models.database import rows, transaction
from server.sessions import totp
from server.sessions.lockout import forget
from tests.conftest import Api
from tests.people import PASSWORD, Person, a_member_of_staff

NAME = "manager.dg-08"


@pytest.fixture
async def manager(api: Api) -> AsyncIterator[Person]:
    """A manager without a device, signed in; afterwards without one again."""
    yield await a_member_of_staff(api.http, NAME)
    [row] = await rows("SELECT id FROM staff WHERE username = $1", NAME)
    async with transaction() as tx:
        await forget(tx, NAME)
        await totp.forget(tx, row["id"])


async def sign_in(api: Api, otp: str | None = None, password: str = PASSWORD) -> httpx.Response:
    body: dict[str, Any] = {"username": NAME, "password": password, "otp": otp}
    return await api.http.post("/api/v1/staff/sessions", json=body)


def said(reply: httpx.Response) -> tuple[int, str]:
    return reply.status_code, reply.json().get("code", "")


async def begin(manager: Person) -> pyotp.TOTP:
    reply = await manager.post("/staff/me/totp")
    assert reply.status_code == 200, reply.text
    return pyotp.TOTP(reply.json()["secret"])


async def enrol(manager: Person) -> tuple[pyotp.TOTP, list[str]]:
    """A device, with the code of the step before used up, and recovery codes."""
    device = await begin(manager)
    code = device.generate_otp(now_step() - 1)
    reply = await manager.post("/staff/me/totp/confirm", {"otp": code})
    assert reply.status_code == 200, reply.text
    return device, reply.json()["recovery_codes"]


def now_step() -> int:
    """The present step; not within a second of the next, so that a test stays in one."""
    while time.time() % 30 > 28.5:
        time.sleep(0.1)
    return int(time.time()) // 30


async def test_the_uri_is_what_an_authenticator_reads(manager: Person) -> None:
    reply = (await manager.post("/staff/me/totp")).json()
    parsed = pyotp.parse_uri(reply["otpauth_uri"])
    assert isinstance(parsed, pyotp.TOTP)
    assert (parsed.secret, parsed.name, parsed.digits, parsed.interval) == (
        reply["secret"],
        NAME,
        6,
        30,
    )
    assert "Yiting" in str(parsed.issuer)


async def test_a_secret_not_confirmed_is_not_asked_for(api: Api, manager: Person) -> None:
    first, second = await begin(manager), await begin(manager)
    assert first.secret != second.secret
    assert (await sign_in(api)).status_code == 200
    wrong = await manager.post("/staff/me/totp/confirm", {"otp": first.generate_otp(now_step())})
    assert said(wrong) == (401, "otp_wrong")


async def test_confirming_without_beginning_is_refused(manager: Person) -> None:
    reply = await manager.post("/staff/me/totp/confirm", {"otp": "123456"})
    assert said(reply) == (409, "no_enrolment_begun")


async def test_after_enrolling_a_code_is_asked_for(api: Api, manager: Person) -> None:
    device, _ = await enrol(manager)
    assert said(await sign_in(api)) == (401, "otp_required")
    assert said(await sign_in(api, "")) == (401, "otp_required")
    assert said(await sign_in(api, device.generate_otp(now_step() + 9))) == (401, "otp_wrong")
    assert (await sign_in(api, device.generate_otp(now_step()))).status_code == 200
    reply = await manager.get("/staff/me")
    assert reply.status_code == 200, reply.text
    account = reply.json()
    assert (account["totp"], account["recovery_codes_left"]) == (True, 10)


async def test_a_wrong_password_is_told_alike_with_and_without_a_device(
    api: Api, manager: Person
) -> None:
    before = await sign_in(api, "123456", password="guess")
    device, _ = await enrol(manager)
    after = await sign_in(api, device.generate_otp(now_step()), password="guess")
    assert said(before) == said(after) == (401, "wrong_password")


async def test_a_code_works_once(api: Api, manager: Person) -> None:
    device, _ = await enrol(manager)
    code = device.generate_otp(now_step())
    assert (await sign_in(api, code)).status_code == 200
    assert said(await sign_in(api, code)) == (401, "otp_wrong")
    # And none from before one that was used.
    assert said(await sign_in(api, device.generate_otp(now_step() - 1))) == (401, "otp_wrong")


async def test_the_code_that_confirmed_does_not_sign_in(api: Api, manager: Person) -> None:
    device = await begin(manager)
    code = device.generate_otp(now_step())
    assert (await manager.post("/staff/me/totp/confirm", {"otp": code})).status_code == 200
    assert said(await sign_in(api, code)) == (401, "otp_wrong")
    assert (await sign_in(api, device.generate_otp(now_step() + 1))).status_code == 200


async def test_of_five_sign_ins_at_once_with_one_code_one_succeeds(
    api: Api, manager: Person
) -> None:
    device, _ = await enrol(manager)
    code = device.generate_otp(now_step())
    replies = await gather(*(sign_in(api, code) for _ in range(5)))
    assert sorted(reply.status_code for reply in replies) == [200, 401, 401, 401, 401]


async def test_a_clock_may_be_a_step_off_and_no_more(api: Api, manager: Person) -> None:
    secret = pyotp.random_base32()
    now, step = 1_800_000_010.0, 1_800_000_010 // 30
    for off in range(-4, 5):
        code = pyotp.TOTP(secret).generate_otp(step + off)
        found = totp.step_of(secret, code, now=now, after=None)
        assert found == (step + off if abs(off) <= 1 else None)


async def test_codes_cannot_be_tried_without_end(api: Api, manager: Person) -> None:
    device, _ = await enrol(manager)
    for _ in range(4):
        assert said(await sign_in(api, "000000")) == (401, "otp_wrong")
        assert said(await sign_in(api)) == (401, "otp_required")
    assert said(await sign_in(api, "000000"))[0] == 401
    right = await sign_in(api, device.generate_otp(now_step()))
    assert said(right) == (429, "account_locked")


async def test_a_recovery_code_signs_in_once(api: Api, manager: Person) -> None:
    _, codes = await enrol(manager)
    assert len(set(codes)) == 10
    assert (await sign_in(api, codes[0])).status_code == 200
    assert said(await sign_in(api, codes[0])) == (401, "otp_wrong")
    assert (await sign_in(api, codes[1].upper().replace("-", ""))).status_code == 200
    assert (await manager.get("/staff/me")).json()["recovery_codes_left"] == 8


async def test_a_second_device_is_not_taken_on(manager: Person) -> None:
    await enrol(manager)
    assert said(await manager.post("/staff/me/totp")) == (409, "totp_already_enrolled")
    again = await manager.post("/staff/me/totp/confirm", {"otp": "123456"})
    assert said(again) == (409, "totp_already_enrolled")


@pytest.mark.parametrize("otp", ["é", "１２３４５６", "12345", "1234567", " 12345", "x" * 32, "-"])
async def test_what_is_no_code_is_wrong(api: Api, manager: Person, otp: str) -> None:
    device, _ = await enrol(manager)
    assert said(await sign_in(api, otp)) == (401, "otp_wrong")
    assert device.secret


async def test_neither_secret_nor_recovery_codes_are_stored_in_clear(
    api: Api, manager: Person
) -> None:
    device, codes = await enrol(manager)
    kept = str(await rows("SELECT * FROM staff WHERE username = $1", NAME))
    kept += str(await rows("SELECT * FROM recovery_code"))
    assert device.secret not in kept
    assert pyotp.TOTP(device.secret).byte_secret().hex() not in kept
    for code in codes:
        assert code not in kept
        assert code.replace("-", "") not in kept
