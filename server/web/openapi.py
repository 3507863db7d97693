"""The OpenAPI 3.1 document, made from the routes as they are declared."""

import re
import typing
from collections import defaultdict
from collections.abc import Mapping
from contextlib import suppress
from functools import lru_cache
from typing import Any

import msgspec

from models.sessions import PersonKind
from server.errors import (
    FieldError,
    InvalidRequest,
    MalformedRequest,
    NotAllowed,
    NotSignedIn,
    PasswordChangeRequired,
    Problem,
    Refusal,
    TooLarge,
    TooManyRequests,
    TotpEnrolmentRequired,
    Unavailable,
    UnsupportedMediaType,
    UriTooLong,
)
from server.http.answers import JSON
from server.http.endpoint import DECLARED, Endpoint
from server.http.idempotency import HEADER
from server.web.example_values import VALUES
from server.web.examples import NoExample, example_of, refusal_shown, with_examples

DESCRIPTION = """\
一厅通 · the backend behind a city's WeChat and Alipay government-service mini-programs.

Times are RFC 3339 with offset; durations whole seconds (`_s`), money whole fen (`_fen`), distances
metres (`_m`). Refusals are RFC 9457 `application/problem+json` with a stable `code`; `detail` is
Chinese, or English where `Accept-Language` prefers it; `Content-Language` says which. Over the rate
limit: 429 with `Retry-After`; while a store or a platform is away: 503 with `Retry-After`.

What is wrong with single fields is in `errors`: `pointer` is a JSON Pointer (RFC 6901) into the
body, or into the query read as an object of its parameters (`/lng`); `detail` is a sentence for
people, in the same language. A query may hold each parameter once, and only those documented. A
body is JSON: sent as `application/json`, or without a Content-Type; as anything else it is 415.
Headers beyond 8 KiB are 431 `headers_too_large`. `HEAD` is answered wherever `GET` is.

`WS /api/v1/live` is one socket for everything that changes. Send
`{"op": "sign_in", "token": "…"}` (not needed for halls), then
`{"op": "watch", "topic": "hall:dg-01"}`, or a topic such as `ticket:<id>` or
`appointment:<id>`, or for who manages a hall `staff:dg-01` (its open emergency calls, as
`{"alerts": […]}`); who has a ticket's code sends `{"op": "follow", "code": "…"}` instead, and need
not sign in. Each answer is
`{"type": "state", "topic", "version", "data"}` with the full present state: once at once, then at
each change, with a rising `version`; `{"type": "fresh", "topic", "version", "as_of"}` now and then
says that the last state still stands. `unwatch` and `ping` do what they say; mistakes are answered
with `{"type": "error", "code", "detail"}`; `{"type": "signed_out"}` says that the sign-in is over
and its tickets are no longer shown, while halls are; `{"type": "unfollowed", "topic"}` that a
ticket may not be followed any more; before a restart comes `{"type": "bye"}`.
"""
TAGS = {
    "sessions": "登录 · sign-in of citizens and staff",
    "identity": "身份 · my phone, my real name, my channels, my data",
    "staff": "工作人员 · staff and their accounts",
    "halls": "大厅 · halls, lines, opening hours",
    "items": "事项 · the catalogue",
    "appointments": "预约 · slots, bookings, who waits for a place",
    "bundles": "一件事 · items that belong together",
    "visits": "联办 · one sign-in for several items",
    "notices": "通知 · what people are told",
    "consents": "授权 · what people let be used of them, certificates, topics",
    "audiences": "受众 · rules of personalised service, and dry runs",
    "campaigns": "政策通知 · a notice to everybody whom it concerns",
    "cases": "办件 · how far what people asked departments to do has come",
    "ratings": "评价 · how people found their service",
    "tickets": "号票 · numbers, from the citizen's side",
    "counters": "窗口 · counters, from the clerk's side",
    "payments": "缴费 · bills, payments, refunds",
    "departments": "部门系统 · what departments' systems ask for, by client id and secret",
    "reconciling": "对账 · channels' statements against our ledger",
    "callbacks": "支付通知 · what payment channels tell us",
    "kiosks": "自助机 · machines of a hall that give out numbers",
    "managing": "大厅管理 · what a hall's manager arranges, and what calls for her",
    "lines": "队列 · lines, from the manager's side",
    "board": "叫号屏 · the public board",
    "admin": "管理 · accounts of staff",
    "single_sign_on": "单点登录 · single sign-on for departments' systems (OpenID Connect)",
    "operations": "运维 · health and metrics",
}
FORM = "application/x-www-form-urlencoded"
_REFERENCE = "#/components/schemas/{name}"
_TEXT = {"type": "string"}
_ETAG = {"description": "The tag of this state of it.", "schema": _TEXT, "example": 'W/"17953974"'}
_RETRY_AFTER = {
    "description": "In how many seconds to come back.",
    "schema": {"type": "integer", "minimum": 1},
    "example": 2,
}
_IF_NONE_MATCH = {
    "name": "If-None-Match",
    "in": "header",
    "description": "Tags as `ETag` gave them, weak or strong, or `*`: 304 where one still stands.",
    "schema": _TEXT,
    "example": 'W/"17953974"',
}


def document() -> dict[str, Any]:
    """The whole document."""
    components = _components()
    paths: defaultdict[str, dict[str, Any]] = defaultdict(dict)
    for declared in DECLARED:
        paths[_path(declared)][declared.method.lower()] = _operation(declared)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "一厅通 Yiting",
            "version": "1",
            "description": DESCRIPTION,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "tags": [{"name": name, "description": text} for name, text in TAGS.items()],
        "paths": dict(sorted(paths.items())),
        "components": {
            "schemas": components,
            "examples": _refusals_shown(),
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
                "client": {"type": "http", "scheme": "basic"},
            },
        },
    }


@lru_cache
def _components() -> dict[str, Any]:
    """The schemas of all shapes, each field with an example."""
    types: list[Any] = [Problem, FieldError]
    for declared in DECLARED:
        shapes = (declared.body, declared.returns, declared.form)
        types += [shape for shape in shapes if shape is not None]
        types += [also.shape for also in declared.also if also.shape is not None]
    _, components = msgspec.json.schema_components(types, ref_template=_REFERENCE)
    return with_examples(components)


def _refusals_shown() -> dict[str, Any]:
    """An example of each refusal, as it is in Chinese; its summary is the English."""
    return {
        code: {"summary": refusal.sentence[1], "value": refusal_shown(refusal)}
        for code, refusal in sorted(Refusal.known.items())
    }


def _path(declared: Endpoint) -> str:
    return re.sub(r"<(\w+):\w+>", r"{\1}", declared.path).rstrip("/") or "/"


def _operation(declared: Endpoint) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": declared.name,
        "summary": " · ".join(declared.summary),
        "description": " ".join(declared.description.split()),
        "tags": [declared.tag],
        "parameters": [*_path_parameters(declared), *_query_parameters(declared)],
        "responses": _responses(declared),
        "security": _security(declared),
    }
    if declared.idempotent:
        operation["parameters"].append(
            {
                "name": HEADER,
                "in": "header",
                "description": "The same key gets the first answer again.",
                "schema": {"type": "string", "minLength": 1, "maxLength": 128},
            }
        )
    if declared.conditional:
        operation["parameters"].append(_IF_NONE_MATCH)
    if declared.body is not None:
        # Of several shapes one must be given.
        structs = typing.get_args(declared.body) or (declared.body,)
        required = len(structs) > 1 or any(
            field.required for field in msgspec.structs.fields(structs[0])
        )
        operation["requestBody"] = {
            "required": required,
            "content": {"application/json": _body(structs, declared.body)},
        }
    if declared.form is not None:
        operation["requestBody"] = {
            "required": True,
            "content": {FORM: {"schema": _schema(declared.form)}},
        }
    return operation


def _security(declared: Endpoint) -> list[dict[str, Any]]:
    if declared.guard.systems:
        return [{"client": []}]
    return [{"bearer": []}] if declared.guard.signed_in else []


def _body(structs: tuple[Any, ...], body: Any) -> dict[str, Any]:
    """A body's schema, with an example of each shape that it may have."""
    if len(structs) == 1:
        return _content(body)
    shown = {struct.__name__: {"value": _content(struct).get("example")} for struct in structs}
    return {"schema": _schema(body), "examples": shown}


def _content(shape: Any, overlay: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The schema of JSON, with an example; `overlay` is what an operation's says otherwise."""
    content = {"schema": _schema(shape)}
    # A field without an example leaves the whole without one, and a test says which.
    with suppress(NoExample):
        made = example_of(content["schema"], _components())
        content["example"] = made | overlay if overlay else made
    return content


def _schema(shape: Any) -> dict[str, Any]:
    (schema,), _ = msgspec.json.schema_components([shape], ref_template=_REFERENCE)
    return dict(schema)


def _path_parameters(declared: Endpoint) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "in": "path",
            "required": True,
            "schema": {"type": "string", "minLength": 1},
            "example": VALUES[name],
        }
        for name in re.findall(r"<(\w+):\w+>", declared.path)
    ]


def _query_parameters(declared: Endpoint) -> list[dict[str, Any]]:
    shape = declared.query or declared.asks
    if shape is None:
        return []
    _, components = msgspec.json.schema_components([shape], ref_template=_REFERENCE)
    properties = with_examples(components)[shape.__name__]["properties"]
    return [
        {"name": name, "in": "query", "required": False, "schema": schema}
        for name, schema in properties.items()
    ]


def _responses(declared: Endpoint) -> dict[str, Any]:
    responses: dict[str, Any] = {str(declared.status): _success(declared)}
    for also in declared.also:
        said = responses.setdefault(str(also.status), {"description": also.description})
        if also.shape is not None:
            is_json = also.content_type == JSON
            said.setdefault("content", {})[also.content_type] = (
                _content(also.shape, also.example) if is_json else {"schema": _schema(also.shape)}
            )
    by_status: defaultdict[int, list[type[Refusal]]] = defaultdict(list)
    for refusal in _refusals(declared):
        by_status[refusal.status].append(refusal)
    for status, refusals in sorted(by_status.items()):
        said = responses.setdefault(str(status), {})
        named = [f"`{refusal.code}`: {refusal.sentence[1]}" for refusal in refusals]
        before = [said["description"]] if "description" in said else []
        said["description"] = "; ".join(before + named)
        said.setdefault("content", {})["application/problem+json"] = {
            "schema": _schema(Problem),
            "examples": {
                refusal.code: {"$ref": f"#/components/examples/{refusal.code}"}
                for refusal in refusals
            },
        }
        if status in (429, 503):
            said["headers"] = {"Retry-After": _RETRY_AFTER}
    if declared.conditional:
        responses["304"] = {"description": "What `If-None-Match` names still stands."}
        for tagged in (str(declared.status), "304"):
            responses[tagged]["headers"] = {"ETag": _ETAG}
    return responses


def _success(declared: Endpoint) -> dict[str, Any]:
    if declared.returns is None:
        return {"description": "Done."}
    is_json = declared.content_type == JSON
    content = (
        _content(declared.returns, declared.example)
        if is_json
        else {"schema": _schema(declared.returns)}
    )
    return {"description": "OK", "content": {declared.content_type: content}}


def _refusals(declared: Endpoint) -> list[type[Refusal]]:
    found: list[type[Refusal]] = [*declared.refuses, TooManyRequests]
    if not declared.from_memory:
        found += [Unavailable]
    if declared.body is not None or declared.query is not None or declared.idempotent:
        found += [InvalidRequest]
    if declared.query is not None:
        found += [MalformedRequest, UriTooLong]
    if declared.body is not None:
        found += [MalformedRequest, TooLarge, UnsupportedMediaType]
    if declared.guard.signed_in:
        found += [NotSignedIn, NotAllowed]
        if declared.guard.kind is not PersonKind.CITIZEN and not declared.guard.before_duty:
            found += [PasswordChangeRequired, TotpEnrolmentRequired]
    return sorted(set(found), key=lambda refusal: refusal.code)
