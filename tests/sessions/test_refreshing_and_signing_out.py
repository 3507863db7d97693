"""A refresh token works once; signing out is at once and for good."""

from asyncio import gather
from datetime import UTC, datetime, timedelta
from uuid import UUID

import httpx
import jwt
import pytest

from models.database import rows, transaction
from server.sessions.purging import purge
from tests.conftest import Api
from tests.people import Person, a_member_of_staff


async def refresh(api: Api, refresh_token: str) -> httpx.Response:
    body = {"refresh_token": refresh_token}
    return await api.http.post("/api/v1/sessions/refresh", json=body)


async def me(api: Api, access_token: str) -> int:
    reply = await api.http.get("/api/v1/me", headers={"Authorization": f"Bearer {access_token}"})
    return reply.status_code


def assert_over(reply: httpx.Response, code: str) -> None:
    assert (reply.status_code, reply.json()["code"]) == (401, code)


async def test_a_refresh_gives_a_new_pair_of_the_same_sign_in(api: Api, lin: Person) -> None:
    reply = await refresh(api, lin.session["refresh_token"])
    assert reply.status_code == 200
    pair = reply.json()
    assert set(pair) == {"access_token", "token_type", "expires_in", "refresh_token"}
    assert pair["refresh_token"] != lin.session["refresh_token"]
    assert await me(api, pair["access_token"]) == 200
    assert await me(api, lin.token) == 200
    third = await refresh(api, pair["refresh_token"])
    assert third.status_code == 200


async def test_a_refresh_token_used_twice_ends_the_whole_sign_in(api: Api, lin: Person) -> None:
    stolen = lin.session["refresh_token"]
    pair = (await refresh(api, stolen)).json()
    assert_over(await refresh(api, stolen), "refresh_token_reused")
    assert await me(api, pair["access_token"]) == 401
    assert await me(api, lin.token) == 401
    assert_over(await refresh(api, pair["refresh_token"]), "refresh_token_invalid")
    assert_over(await refresh(api, stolen), "refresh_token_invalid")


async def test_another_sign_in_of_the_same_person_lives_on(api: Api) -> None:
    id_number = "441900199001010018"
    phone, tablet = await api.citizen(id_number), await api.citizen(id_number)
    await phone.delete("/sessions/current")
    assert await me(api, phone.token) == 401
    assert await me(api, tablet.token) == 200


async def test_of_ten_refreshes_at_once_exactly_one_wins(api: Api, lin: Person) -> None:
    replies = await gather(*(refresh(api, lin.session["refresh_token"]) for _ in range(10)))
    assert sorted(reply.status_code for reply in replies) == [200] + [401] * 9
    codes = {reply.json()["code"] for reply in replies if reply.status_code == 401}
    assert "refresh_token_reused" in codes
    [won] = [reply.json() for reply in replies if reply.status_code == 200]
    assert await me(api, won["access_token"]) == 401


async def test_signing_out_kills_both_tokens_at_once(api: Api, lin: Person) -> None:
    assert (await lin.get("/me")).status_code == 200
    reply = await lin.delete("/sessions/current")
    assert (reply.status_code, reply.content) == (204, b"")
    after = await lin.get("/me")
    assert_over(after, "not_signed_in")
    assert after.headers["www-authenticate"] == "Bearer"
    assert_over(await lin.delete("/sessions/current"), "not_signed_in")
    assert_over(await refresh(api, lin.session["refresh_token"]), "refresh_token_invalid")


async def test_staff_refresh_and_sign_out_too(api: Api) -> None:
    clerk = await a_member_of_staff(api.http, "clerk.dg-01.02")
    pair = (await refresh(api, clerk.session["refresh_token"])).json()
    claims = jwt.decode(pair["access_token"], options={"verify_signature": False})
    assert (claims["role"], claims["halls"]) == ("clerk", ["dg-01"])
    clerk.token = pair["access_token"]
    assert (await clerk.get("/halls/dg-01/counters")).status_code == 200
    assert (await clerk.delete("/sessions/current")).status_code == 204
    assert (await clerk.get("/halls/dg-01/counters")).status_code == 401


async def test_disabled_staff_cannot_refresh(api: Api) -> None:
    clerk = await a_member_of_staff(api.http, "clerk.dg-01.03")
    name = "clerk.dg-01.03"
    async with transaction() as tx:
        await tx.run("UPDATE staff SET disabled = true WHERE username = $1", name)
    try:
        reply = await refresh(api, clerk.session["refresh_token"])
        assert_over(reply, "refresh_token_invalid")
        again = {"username": name, "password": "yiting-demo"}
        assert_over(await api.http.post("/api/v1/staff/sessions", json=again), "wrong_password")
    finally:
        async with transaction() as tx:
            await tx.run("UPDATE staff SET disabled = false WHERE username = $1", name)


@pytest.mark.parametrize("token", ["nonsense", "e" * 256, "刷新", "%"])
async def test_an_unknown_refresh_token_is_refused(api: Api, token: str) -> None:
    assert_over(await refresh(api, token), "refresh_token_invalid")


async def test_an_access_token_is_no_refresh_token(api: Api, lin: Person) -> None:
    assert (await refresh(api, lin.token[:256])).status_code == 401
    lin.token = lin.session["refresh_token"]
    assert_over(await lin.get("/me"), "not_signed_in")


async def test_a_refresh_token_dies_after_a_month_and_is_forgotten(api: Api, lin: Person) -> None:
    sign_in = UUID(jwt.decode(lin.token, options={"verify_signature": False})["sid"])
    async with transaction() as tx:
        await tx.run(
            "UPDATE refresh_token SET expires_at = $2 WHERE sign_in_id = $1",
            sign_in,
            datetime.now(UTC) - timedelta(seconds=1),
        )
    assert_over(await refresh(api, lin.session["refresh_token"]), "refresh_token_invalid")
    await purge()
    async with transaction() as tx:
        assert not await tx.rows("SELECT 1 FROM refresh_token WHERE sign_in_id = $1", sign_in)


async def test_a_sign_in_is_forgotten_half_a_year_after_it_ended(api: Api) -> None:
    long_ago, lately, still = [await api.citizen() for _ in range(3)]
    for who in (long_ago, lately):
        await who.delete("/sessions/current")
    ids = [UUID(who.session["citizen"]["id"]) for who in (long_ago, lately, still)]
    for person_id, days in zip(ids, (181, 179, 181), strict=True):
        await rows(
            "UPDATE sign_in SET ended_at = ended_at - make_interval(days => $2),"
            " started_at = started_at - make_interval(days => $2) WHERE person_id = $1",
            person_id,
            days,
        )
    await rows(
        "UPDATE refresh_token SET expires_at = now() FROM sign_in s"
        " WHERE s.id = sign_in_id AND s.person_id = $1",
        ids[0],
    )
    await purge()
    kept = await rows("SELECT person_id FROM sign_in WHERE person_id = ANY($1)", ids)
    assert {row["person_id"] for row in kept} == set(ids[1:])


async def test_the_token_of_a_citizen_who_is_gone_signs_nobody_in(api: Api) -> None:
    lin = await api.citizen()
    await rows("DELETE FROM channel_link WHERE citizen_id = $1", UUID(lin.session["citizen"]["id"]))
    await rows("DELETE FROM citizen WHERE id = $1", UUID(lin.session["citizen"]["id"]))
    reply = await lin.get("/me")
    assert (reply.status_code, reply.json()["code"]) == (401, "not_signed_in")
