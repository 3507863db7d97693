"""Names, numbers and messages are tried a few times only: they cost money, and guesses tell."""

from asyncio import gather
from dataclasses import replace
from datetime import date
from uuid import uuid4

import httpx
import pytest
import redis.asyncio as aioredis

from server.errors import TooManyRequests
from server.http.limits import (
    CONSENT_PERSON,
    FACES_PERSON,
    NAMING_NUMBER,
    NAMING_PERSON,
    OTP_PERSON,
    Limits,
    Rate,
)
from server.identity import otp, real_names
from tests.conftest import Api, free_port
from tests.identity.families import (
    a_named_citizen,
    add,
    messages_to,
    nothing_under_way,
    with_a_phone,
)
from tests.identity.people import Persona, a_persona, real_name, sandbox, through
from tests.people import Person, an_id_number

REAL_NAMES = {"endpoint": "identity.real_name", "kind": "http_500"}


@pytest.fixture(autouse=True)
def _limited(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """Limits are on; all tests come from one address, which each counts anew."""
    monkeypatch.setattr(api.services, "limits", Limits(api.services.valkey, enabled=True))
    for module, name in ((real_names, "NAMING_ADDRESS"), (otp, "OTP_ADDRESS")):
        rate: Rate = getattr(module, name)
        monkeypatch.setattr(module, name, replace(rate, name=f"{rate.name}-{uuid4().hex}"))


async def somebody(api: Api) -> tuple[Person, Persona]:
    persona = await a_persona(api)
    return await through(api, "wechat", persona), persona


def statuses(replies: list[httpx.Response]) -> list[int]:
    return sorted(reply.status_code for reply in replies)


def is_asked_to_wait(reply: httpx.Response, *, at_most_s: int) -> bool:
    assert (reply.status_code, reply.json()["code"]) == (429, "too_many_requests"), reply.text
    return 0 < int(reply.headers["retry-after"]) <= at_most_s


async def test_one_person_is_wrong_five_times_a_day_however_fast(api: Api) -> None:
    lin, persona = await somebody(api)
    replies = await gather(*(real_name(lin, persona, name=f"王伟{nth}") for nth in range(20)))
    assert statuses(list(replies)) == [422] * NAMING_PERSON.most + [429] * 15
    # Not even the right one now: else she would know it by the answer.
    assert is_asked_to_wait(await real_name(lin, persona), at_most_s=NAMING_PERSON.window_s)
    started = await lin.post(
        "/me/face-checks", {"name": persona.name, "id_number": persona.id_number}
    )
    assert is_asked_to_wait(started, at_most_s=NAMING_PERSON.window_s)


async def test_one_number_is_guessed_at_ten_times_a_day_by_all_together(api: Api) -> None:
    people = [(await somebody(api))[0] for _ in range(5)]
    persona = await a_persona(api)
    replies = await gather(
        *(real_name(who, persona, name=f"王伟{nth}") for who in people for nth in range(4))
    )
    assert statuses(list(replies)) == [422] * NAMING_NUMBER.most + [429] * 10
    # Nothing that Valkey keeps says which number it was.
    valkey: aioredis.Redis = api.services.valkey
    names = b" ".join([key async for key in valkey.scan_iter("limit:naming_*")])
    assert NAMING_NUMBER.name.encode() in names
    assert persona.id_number.encode() not in names


async def test_one_address_is_wrong_so_often_an_hour(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = Rate(f"naming-address-{uuid4().hex}", 3, 3600)
    monkeypatch.setattr(real_names, "NAMING_ADDRESS", few)
    people = [await somebody(api) for _ in range(4)]
    replies = [await real_name(*each, name="王伟") for each in people]
    assert [reply.status_code for reply in replies] == [422, 422, 422, 429]
    assert is_asked_to_wait(replies[-1], at_most_s=3600)


async def test_what_is_right_or_not_answered_is_not_counted(api: Api) -> None:
    lin, persona = await somebody(api)
    await sandbox(api, "PUT", "/faults", REAL_NAMES)
    try:
        for _ in range(NAMING_PERSON.most + 1):
            assert (await real_name(lin, persona)).status_code == 503
    finally:
        await sandbox(api, "DELETE", "/faults")
    for _ in range(NAMING_PERSON.most - 1):
        assert (await real_name(lin, persona, name="王伟")).status_code == 422
    for _ in range(NAMING_PERSON.most + 1):
        assert (await real_name(lin, persona)).status_code == 200


async def test_a_fixed_identity_is_told_before_anybody_is_asked(api: Api) -> None:
    lin, persona = await somebody(api)
    assert (await real_name(lin, persona)).status_code == 200
    await sandbox(api, "PUT", "/faults", REAL_NAMES)
    try:
        replies = [await real_name(lin, persona, id_number=an_id_number()) for _ in range(7)]
    finally:
        await sandbox(api, "DELETE", "/faults")
    assert {(reply.status_code, reply.json()["code"]) for reply in replies} == {
        (409, "identity_fixed")
    }
    assert "另一证件" in replies[0].json()["detail"]


async def test_face_checks_are_started_ten_times_a_day(api: Api) -> None:
    lin, persona = await somebody(api)
    said = {"name": persona.name, "id_number": persona.id_number}
    # Of many at once some wait for the tries at her name that the others give back.
    at_once = await gather(*(lin.post("/me/face-checks", said) for _ in range(15)))
    after = [await lin.post("/me/face-checks", said) for _ in range(15)]
    assert statuses([*at_once, *after]) == [201] * FACES_PERSON.most + [429] * 20
    assert is_asked_to_wait(after[-1], at_most_s=FACES_PERSON.window_s)


async def test_one_account_is_sent_five_codes_an_hour_and_its_neighbour_goes_on(api: Api) -> None:
    (lin, _), (chen, _) = await somebody(api), await somebody(api)
    replies = await gather(
        *(lin.post("/me/phone/otp", {"phone": f"1351234{nth:04d}"}) for nth in range(20))
    )
    assert statuses(list(replies)) == [200] * OTP_PERSON.most + [429] * 15
    refused = await lin.post("/me/phone/otp", {"phone": "13512340099"})
    assert is_asked_to_wait(refused, at_most_s=OTP_PERSON.window_s)
    assert (await chen.post("/me/phone/otp", {"phone": "13512340098"})).status_code == 200


async def test_people_asked_for_consent_are_counted_whoever_they_are(api: Api) -> None:
    lin = await a_named_citizen(api)
    _, known = await with_a_phone(api)
    strangers = [an_id_number(date(1990, 3, 7)) for _ in range(CONSENT_PERSON.most)]
    replies = [
        await add(lin, number, name=known.name, relation="other")
        for number in [known.id_number, *strangers]
    ]
    assert statuses(replies) == [201] * CONSENT_PERSON.most + [429]
    await nothing_under_way(api)
    assert len(await messages_to(api, known.phone)) == 1
    # Her own codes are counted apart: they do not tell how many of these were sent one.
    for nth in range(OTP_PERSON.most):
        sent = await lin.post("/me/phone/otp", {"phone": f"1341234{nth:04d}"})
        assert sent.status_code == 200, nth


async def test_a_code_to_her_phone_does_not_tell_that_she_was_asked_for_consent(api: Api) -> None:
    lin = await a_named_citizen(api)
    wang, known = await with_a_phone(api)
    await add(lin, known.id_number, name=known.name, relation="other")
    await nothing_under_way(api)
    assert len(await messages_to(api, known.phone)) == 1
    sent = await lin.post("/me/phone/otp", {"phone": known.phone})
    assert sent.status_code == 200, sent.text
    await api.services.valkey.delete(
        *[key async for key in api.services.valkey.scan_iter("limit:otp*")]
    )
    # Nor does anybody use her own up by asking her.
    await add(lin, known.id_number, name=known.name, relation="other")
    await nothing_under_way(api)
    assert (await wang.post("/me/phone/otp", {"phone": known.phone})).status_code == 200


async def test_what_is_refused_by_one_limit_counts_for_no_other(api: Api) -> None:
    limits: Limits = api.services.limits
    narrow, wide = Rate(uuid4().hex, 1, 60), Rate(uuid4().hex, 2, 60)
    await limits.take([(narrow, "lin"), (wide, "lin")])
    for _ in range(3):
        with pytest.raises(TooManyRequests):
            await limits.take([(narrow, "lin"), (wide, "lin")])
    await limits.take([(wide, "lin")])
    with pytest.raises(TooManyRequests):
        await limits.take([(wide, "lin")])
    await limits.give_back([(narrow, "lin"), (wide, "lin")])
    await limits.take([(narrow, "lin"), (wide, "lin")])
    assert 0 < await api.services.valkey.pttl(f"limit:{narrow.name}:lin") <= 60_000


async def test_what_was_found_out_is_not_lost_with_a_valkey_that_dies_meanwhile() -> None:
    nobody_there = aioredis.from_url(f"redis://127.0.0.1:{free_port()}")
    limits = Limits(nobody_there, enabled=True)
    with pytest.raises(aioredis.RedisError):
        await limits.take([(NAMING_PERSON, "lin")])
    await limits.give_back([(NAMING_PERSON, "lin")])
    await nobody_there.aclose()


async def test_switched_off_nothing_is_counted(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api.services, "limits", Limits(api.services.valkey, enabled=False))
    lin, persona = await somebody(api)
    replies = await gather(*(real_name(lin, persona, name=f"王伟{nth}") for nth in range(12)))
    assert statuses(list(replies)) == [422] * 12
