"""A client proves itself in one way, and few tries are given."""

import pytest

from server.http.limits import Limits
from tests.conftest import Api
from tests.people import Person
from tests.sso.departments import (
    Browser,
    Department,
    code_of,
    register,
)
from tests.sso.refusing import assert_refused


async def test_a_wrong_secret_is_refused_and_challenged(
    api: Api, admin: Person, department: Department
) -> None:
    other = await register(api, admin)
    for secret in ("wrong", "", other.secret, (department.secret or "") + "x"):
        basic = await api.http.post(
            "/oauth2/token",
            data={"grant_type": "refresh_token"},
            auth=(department.client_id, secret or ""),
        )
        assert_refused(basic, 401, "invalid_client")
        assert basic.headers["www-authenticate"].startswith("Basic")
        posted = {"client_id": department.client_id, "client_secret": secret or "-"}
        by_form = await api.http.post("/oauth2/token", data=posted)
        assert_refused(by_form, 401, "invalid_client")
    without = await api.http.post("/oauth2/token", data={"client_id": department.client_id})
    assert_refused(without, 401, "invalid_client")
    unknown = await api.http.post("/oauth2/token", data={"x": "y"}, auth=("nobody", "x"))
    assert_refused(unknown, 401, "invalid_client")


@pytest.mark.parametrize("header", ["Basic", "Basic !!!", "Basic eA==", "Bearer x", "Basic /w=="])
async def test_a_malformed_authorization_header_is_refused(api: Api, header: str) -> None:
    answer = await api.http.post(
        "/oauth2/token", data={"grant_type": "x"}, headers={"Authorization": header}
    )
    assert_refused(answer, 401, "invalid_client")


async def test_two_ways_of_authentication_at_once_are_refused(department: Department) -> None:
    answer = await department.post("/oauth2/token", client_secret=department.secret)
    assert_refused(answer, 400, "invalid_request")


async def test_a_public_client_needs_its_verifier_and_may_have_no_secret(
    api: Api, admin: Person, browser: Browser
) -> None:
    public = await register(api, admin, public=True)
    assert public.secret is None
    code = await code_of(browser, public)
    assert_refused(await public.redeem(code, code_verifier="x" * 43), 400, "invalid_grant")
    assert_refused(await public.redeem(code, client_secret="x"), 401, "invalid_client")
    assert (await public.redeem(code)).status_code == 200


async def test_trying_secrets_out_is_limited(
    api: Api, department: Department, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api.services, "limits", Limits(api.services.valkey, enabled=True))
    statuses = set()
    for _ in range(130):
        answer = await api.http.post(
            "/oauth2/token", data={"x": "y"}, auth=(department.client_id, "x")
        )
        statuses.add(answer.status_code)
        if answer.status_code == 429:
            break
    assert statuses == {401, 429}
    assert int(answer.headers["retry-after"]) > 0
