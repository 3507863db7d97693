"""The OpenAPI document is valid, whole, and its examples are what it says they are."""

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import msgspec
import pytest
import schemathesis
from schemathesis.core.result import Err

import server.application  # noqa: F401 declares every route
from server.errors import Refusal
from server.http.endpoint import DECLARED, Endpoint
from server.http.formats import IN_WORDS
from server.web import example_values
from server.web.examples import example_of
from server.web.openapi import document
from tests.conftest import Api

DOCUMENT = document()


def operations() -> dict[tuple[str, str], dict[str, Any]]:
    return {
        (method.upper(), path): operation
        for path, methods in DOCUMENT["paths"].items()
        for method, operation in methods.items()
    }


def path_of(declared: Endpoint) -> str:
    return re.sub(r"<(\w+):\w+>", r"{\1}", declared.path)


def valid(schema: dict[str, Any], value: Any) -> None:
    """Validate against a schema that may refer to the document's components."""
    jsonschema_rs.validate({**schema, "components": DOCUMENT["components"]}, value)


async def test_the_document_is_served_as_made(api: Api) -> None:
    reply = await api.http.get("/docs/openapi.json")
    assert reply.status_code == 200
    assert reply.headers["content-type"].startswith("application/json")
    assert reply.json() == msgspec.json.decode(msgspec.json.encode(DOCUMENT))
    assert reply.json()["openapi"].startswith("3.1")


def test_the_document_is_valid_openapi() -> None:
    schema = schemathesis.openapi.from_dict(DOCUMENT)
    schema.validate()
    found = list(schema.get_all_operations())
    assert [result for result in found if isinstance(result, Err)] == []
    assert len(found) == len(DECLARED)


def test_every_schema_is_a_schema() -> None:
    for name, schema in DOCUMENT["components"]["schemas"].items():
        assert jsonschema_rs.meta.is_valid(schema), name


def test_every_reference_leads_somewhere() -> None:
    text = msgspec.json.encode(DOCUMENT).decode()
    for name in set(re.findall(r'"#/components/schemas/([^"]+)"', text)):
        assert name in DOCUMENT["components"]["schemas"]


def test_every_declared_route_appears_and_nothing_else() -> None:
    assert set(operations()) == {(d.method, path_of(d)) for d in DECLARED}


async def test_every_route_of_the_server_is_declared_or_a_page(api: Api) -> None:
    documented = {(method, path) for method, path in operations()}
    pages = {
        "/",
        "/about",
        "/t",
        "/board/{hall}",
        "/counter",
        "/manager",
        "/province/back",
        "/payments/back",
        "/sw.js",
    }
    pages |= {"/assets/{name}", "/assets/{of}/{name}", "/api/v1/live"}
    for route in api.app.router.routes:
        path = "/" + re.sub(r"<(\w+)(:\w+)?>", r"{\1}", route.path)
        for method in route.methods - {"HEAD"}:  # of every GET, told once for all
            is_page = path in pages or path.startswith(("/docs", "/clerk", "/board", "/verify"))
            assert (method, path) in documented or is_page, (method, path)


def test_names_of_operations_are_unique() -> None:
    names = [operation["operationId"] for operation in operations().values()]
    assert sorted(names) == sorted(set(names))


def security_of(declared: Endpoint) -> list[dict[str, list[str]]]:
    """By what whoever asks is known: a token, or a department's system by its id and secret."""
    if declared.guard.systems:
        return [{"client": []}]
    return [{"bearer": []}] if declared.guard.signed_in else []


@pytest.mark.parametrize("declared", DECLARED, ids=lambda declared: declared.name)
def test_each_operation_is_described(declared: Endpoint) -> None:
    operation = operations()[declared.method, path_of(declared)]
    chinese, english = operation["summary"].split(" · ")
    assert not chinese.isascii()
    assert english.isascii()
    assert operation["description"].endswith((".", "…"))
    assert operation["tags"] == [declared.tag]
    assert declared.tag in {tag["name"] for tag in DOCUMENT["tags"]}
    assert str(declared.status) in operation["responses"]
    assert operation["security"] == security_of(declared)
    named = {p["name"] for p in operation["parameters"] if p["in"] == "path"}
    assert named == set(re.findall(r"{(\w+)}", path_of(declared)))


@pytest.mark.parametrize("declared", DECLARED, ids=lambda declared: declared.name)
def test_each_refusal_of_an_operation_is_documented_by_its_code(declared: Endpoint) -> None:
    responses = operations()[declared.method, path_of(declared)]["responses"]
    for refusal in declared.refuses:
        assert f"`{refusal.code}`" in responses[str(refusal.status)]["description"]
        assert "application/problem+json" in responses[str(refusal.status)]["content"]
    if declared.guard.signed_in:
        assert {"401", "403"} <= set(responses)
    assert "429" in responses


def contents(operation: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Where, of which type and what: everything that an operation takes and answers."""
    for kind, content in operation.get("requestBody", {}).get("content", {}).items():
        yield "body", kind, content
    for status, response in operation["responses"].items():
        for kind, content in response.get("content", {}).items():
            yield status, kind, content


def examples(content: dict[str, Any]) -> list[Any]:
    found = [content["example"]] if "example" in content else []
    for shown in content.get("examples", {}).values():
        name = shown.get("$ref", "").rpartition("/")[2]
        found.append((DOCUMENT["components"]["examples"][name] if name else shown)["value"])
    return found


@pytest.mark.parametrize("declared", DECLARED, ids=lambda declared: declared.name)
def test_every_answer_and_every_body_has_an_example_that_is_what_its_schema_says(
    declared: Endpoint,
) -> None:
    for where, kind, content in contents(operations()[declared.method, path_of(declared)]):
        if kind.endswith("json"):
            assert examples(content), f"{where}: add what it lacks to server/web/example_values/"
        for example in examples(content):
            valid(content["schema"], example)


def test_each_name_has_its_example_in_one_place() -> None:
    names = Counter(name for subject in example_values.SUBJECTS for name in subject.VALUES)
    assert [name for name, places in names.items() if places > 1] == []


def test_every_field_of_every_shape_has_an_example() -> None:
    schemas = DOCUMENT["components"]["schemas"]
    forms = {declared.form.__name__ for declared in DECLARED if declared.form is not None}
    for name in schemas.keys() - forms:
        example_of(schemas[name], schemas, at=name)  # raises NoExample with the field's name


def test_every_format_is_told_in_words() -> None:
    def patterns(schema: Any) -> Iterator[str]:
        if isinstance(schema, dict):
            if isinstance(schema.get("pattern"), str):
                yield schema["pattern"]
            schema = list(schema.values())
        if isinstance(schema, list):
            for below in schema:
                yield from patterns(below)

    assert set(patterns(DOCUMENT)) <= set(IN_WORDS)


def test_every_parameter_has_an_example_that_is_what_its_schema_says() -> None:
    for operation in operations().values():
        for parameter in operation["parameters"]:
            if "example" in parameter:
                valid(parameter["schema"], parameter["example"])
            elif parameter["in"] == "path":
                raise AssertionError(parameter["name"])


def test_every_refusal_is_shown_by_an_example() -> None:
    shown = DOCUMENT["components"]["examples"]
    for code, refusal in Refusal.known.items():
        value = shown[code]["value"]
        assert (value["code"], value["status"]) == (code, refusal.status)
        assert value["detail"] == refusal.sentence[0]


@pytest.mark.parametrize("declared", DECLARED, ids=lambda declared: declared.name)
def test_503_is_documented_wherever_something_may_be_away(declared: Endpoint) -> None:
    responses = operations()[declared.method, path_of(declared)]["responses"]
    may_be_away = not declared.from_memory or declared.name == "readyz"
    assert ("503" in responses) is may_be_away
    for status in {"429", "503"} & responses.keys():
        if declared.name != "readyz" or status == "429":
            assert "Retry-After" in responses[status]["headers"]


def test_readyz_shows_what_it_says_when_it_is_not_ready() -> None:
    answer = operations()["GET", "/readyz"]["responses"]["503"]["content"]["application/json"]
    assert answer["example"]["status"] == "not_ready"


def test_the_board_documents_its_tag_and_304() -> None:
    operation = operations()["GET", "/api/v1/halls/{hall}/board"]
    assert "If-None-Match" in {parameter["name"] for parameter in operation["parameters"]}
    assert "content" not in operation["responses"]["304"]
    for status in ("200", "304"):
        assert "ETag" in operation["responses"][status]["headers"]


def test_examples_inside_schemas_are_valid_too() -> None:
    def walk(node: Any) -> None:
        if isinstance(node, dict):
            for example in node.get("examples", ()) if "type" in node else ():
                valid(node, example)
            for below in node.values():
                walk(below)
        elif isinstance(node, list):
            for below in node:
                walk(below)

    walk(DOCUMENT)


async def test_real_answers_are_what_the_schemas_say(api: Api) -> None:
    for path in (
        "/api/v1/halls",
        "/api/v1/halls?lat=22.8&lng=113.6&limit=3",
        "/api/v1/halls/dg-01",
        "/api/v1/halls/dg-01/lines",
        "/api/v1/halls/dg-01/hours",
        "/api/v1/halls/dg-01/board",
        "/api/v1/items?limit=100",
        "/api/v1/items/social-card-renewal",
        "/about.json",
        "/healthz",
        "/readyz",
    ):
        bare = path.partition("?")[0].replace("dg-01", "{hall}")
        operation = operations()["GET", bare.replace("social-card-renewal", "{item}")]
        schema = operation["responses"]["200"]["content"]["application/json"]["schema"]
        valid(schema, (await api.http.get(path)).json())


async def test_problems_are_what_the_schema_says(api: Api) -> None:
    problem = DOCUMENT["components"]["schemas"]["Problem"]
    for path in ("/nowhere", "/api/v1/me", "/api/v1/halls?lat=x", "/api/v1/halls/dg-99"):
        valid(problem, (await api.http.get(path)).json())


def test_every_refusal_belongs_to_an_operation_or_to_all() -> None:
    text = msgspec.json.encode(DOCUMENT).decode()
    everywhere = {"method_not_allowed", "internal_error", "headers_too_large"}
    for code in Refusal.known.keys() - everywhere:
        assert f"`{code}`" in text, code
