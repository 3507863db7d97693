"""Examples for the OpenAPI document, made from those that the schemas carry.

Each field brings an example; a whole answer is made of them, so it says what its schema says.
"""

from typing import Any

import msgspec

from server.errors import (
    PROBLEM_PAGE,
    FieldError,
    InvalidRequest,
    Problem,
    Refusal,
    WrongStateRefusal,
)
from server.numbers.refusals import AlreadyInLine, MissedNumberKept
from server.web.example_values import VALUES

Schema = dict[str, Any]
Components = dict[str, Schema]


class NoExample(LookupError):
    """A schema whose values cannot be guessed carries no example."""


def example_of(schema: Schema, components: Components, *, at: str = "") -> Any:
    """A value of that schema. Raises NoExample with where one is missing."""
    for word in ("examples", "enum"):
        if word in schema:
            return schema[word][0]
    if "const" in schema:
        return schema["const"]
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return example_of(components[name], components, at=name)
    if "anyOf" in schema:
        kinds = [kind for kind in schema["anyOf"] if kind.get("type") != "null"]
        return example_of(kinds[0], components, at=at)
    return _by_type(schema, components, at)


def _by_type(schema: Schema, components: Components, at: str) -> Any:
    match schema.get("type"):
        case "object":
            properties: Components = schema.get("properties", {})
            return {
                name: example_of(below, components, at=f"{at}.{name}")
                for name, below in properties.items()
            }
        case "array" if not schema.get("default"):
            entries = schema["prefixItems"] if "prefixItems" in schema else [schema["items"]]
            return [example_of(entry, components, at=f"{at}[]") for entry in entries]
        case "boolean":
            return schema.get("default", False)
        case "null":
            return None
    if schema.get("default") is None:
        raise NoExample(at)
    return schema["default"]


def with_examples(components: Components) -> Components:
    """The schemas, with an example in each field whose name tells what its values look like."""
    for shape, schema in components.items():
        for name, field in schema.get("properties", {}).items():
            own = f"{shape}.{name}"
            known = own if own in VALUES else name
            plain = "$ref" not in field and "enum" not in field and "const" not in field
            if known in VALUES and "examples" not in field and (plain or known == own):
                field["examples"] = [VALUES[known]]
    return components


def refusal_shown(refusal: type[Refusal]) -> Any:
    """A refusal as it is answered, in Chinese."""
    wrong = [FieldError(VALUES["FieldError.pointer"], VALUES["FieldError.detail"])]
    return msgspec.to_builtins(
        Problem(
            type=f"{PROBLEM_PAGE}#{refusal.code}",
            title=refusal.sentence[0],
            status=refusal.status,
            detail=refusal.sentence[0],
            code=refusal.code,
            instance="/api/v1/halls",
            errors=wrong if refusal is InvalidRequest else [],
            ticket_id=VALUES["ticket"] if refusal in (AlreadyInLine, MissedNumberKept) else None,
            state="waiting" if refusal is WrongStateRefusal else None,
        )
    )
