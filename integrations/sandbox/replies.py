"""How the sandbox itself answers, and how it reads what it is sent."""

import re
from typing import TypeVar

import msgspec
from sanic import HTTPResponse, raw

T = TypeVar("T")

# msgspec's texts end in where it went wrong: "... - at `$.topics[0]`".
_PLACE = re.compile(r" - at `\$(?P<path>[^`]*)`$")
_MISSING = re.compile(r"missing required field `(?P<field>[^`]+)`")


def answer(body: object, status: int = 200) -> HTTPResponse:
    """Answer in JSON."""
    return raw(msgspec.json.encode(body), status=status, content_type="application/json")


def problem(
    status: int, code: str, detail: str, errors: list[dict[str, str]] | None = None
) -> HTTPResponse:
    """Answer that something was wrong with the request (RFC 9457)."""
    body: dict[str, object] = {
        "type": "about:blank",
        "title": code.replace("_", " "),
        "status": status,
        "detail": detail,
        "code": code,
    }
    if errors is not None:
        body["errors"] = errors
    return raw(msgspec.json.encode(body), status=status, content_type="application/problem+json")


def read(decoder: msgspec.json.Decoder[T], body: bytes) -> T | HTTPResponse:
    """Decode a body, or return the 400 that says why not."""
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        return invalid([_explained(str(error))])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return problem(400, "not_json", "The body is not JSON.")


def invalid(errors: list[dict[str, str]]) -> HTTPResponse:
    """Answer 400 with what is wrong and where."""
    return problem(400, "invalid_request", "The request does not have the right shape.", errors)


def _explained(text: str) -> dict[str, str]:
    place = _PLACE.search(text)
    path = place["path"] if place else ""
    pointer = re.sub(r"\[(\d+|\.\.\.)\]", r"/\1", path.replace(".", "/"))
    if missing := _MISSING.search(text):
        pointer += "/" + missing["field"]
    return {"pointer": pointer, "detail": _PLACE.sub("", text)}
