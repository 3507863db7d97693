"""Every operation of the OpenAPI document, asked as its schemas allow and as they do not.

It runs against a whole city in its own processes: schemathesis asks synchronously, and a server on
the tests' own loop could not answer it. What a citizen and a clerk are answered must be what the
document says, and never a fault of ours.
"""

from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import CheckFunction
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance

import server.application  # noqa: F401 declares every route
from server.web.openapi import document
from tests.conftest import City
from tests.people import PASSWORD, an_id_number

# Not claimed: that every value a schema allows is taken (a cursor must be one of ours, `lat` needs
# `lng`, and NUL is refused everywhere), nor that an empty parameter differs from an absent one.
NOT_CLAIMED: list[CheckFunction] = [positive_data_acceptance, negative_data_rejection]
schema = schemathesis.openapi.from_dict(document())
each_operation = schema.parametrize()
a_few = settings(
    max_examples=15,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)


def a_citizens_token(city: City) -> str:
    with httpx.Client(trust_env=False) as http:
        persona = http.post(
            f"{city.sandbox_url}/_sandbox/personas", json={"id_number": an_id_number()}
        )
        code = persona.json()["wechat_code"]
        reply = http.post(f"{city.url}/api/v1/sessions/wechat", json={"code": code})
        token: str = reply.json()["access_token"]
        return token


def a_clerks_token(city: City) -> str:
    with httpx.Client(trust_env=False) as http:
        reply = http.post(
            f"{city.url}/api/v1/staff/sessions",
            json={"username": "clerk.dg-01.01", "password": PASSWORD},
        )
        token: str = reply.json()["access_token"]
        return token


# A token for each operation: one of them ends the sign-in.
@pytest.fixture
def citizen(city: City) -> dict[str, str]:
    return {"Authorization": f"Bearer {a_citizens_token(city)}"}


@pytest.fixture
def clerk(city: City) -> dict[str, str]:
    return {"Authorization": f"Bearer {a_clerks_token(city)}"}


@each_operation
@a_few
def test_a_citizen_is_answered_as_documented(
    case: schemathesis.Case[Any], city: City, citizen: dict[str, str]
) -> None:
    case.call_and_validate(base_url=city.url, headers=citizen, excluded_checks=NOT_CLAIMED)


@each_operation
@a_few
def test_a_clerk_is_answered_as_documented(
    case: schemathesis.Case[Any], city: City, clerk: dict[str, str]
) -> None:
    case.call_and_validate(base_url=city.url, headers=clerk, excluded_checks=NOT_CLAIMED)
