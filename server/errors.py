"""Refusals: named exceptions that become RFC 9457 problem documents, in Chinese or English."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar
from uuid import UUID

import msgspec
from sanic.response import HTTPResponse

from server.http.answers import Answer

PROBLEM_PAGE = "/docs/problems"


# What is said to people, in Chinese and in English.
Sentence = tuple[str, str]


class FieldError(msgspec.Struct, frozen=True):
    """One fault in a body or query.

    `pointer` is a JSON Pointer (RFC 6901) into the body, or into the query as an object of its
    parameters: `/lng` is the member or the parameter `lng`. No operation has both.
    """

    pointer: str
    detail: str


@dataclass(frozen=True, slots=True)
class FieldFault:
    """A FieldError before its reader's language is known."""

    pointer: str
    detail: Sentence


class Problem(msgspec.Struct, frozen=True, omit_defaults=True):
    """`application/problem+json`, RFC 9457. `errors` are the faults of single fields.

    `ticket_id` is the ticket that stands in the way, with `already_in_line` and
    `missed_number_kept`; `state` that in which
    the thing is (the ticket, the counter, the line), with `wrong_state`.
    """

    type: str
    title: str
    status: int
    detail: str
    code: str
    instance: str
    errors: list[FieldError] = []
    ticket_id: UUID | None = None
    state: str | None = None


class Refusal(Exception):
    """A request that is refused, and why. Subclasses name the reason and are its documentation.

    `detail` replaces the class's own sentence, given as (Chinese, English).
    """

    status: ClassVar[int] = 400
    code: ClassVar[str] = "refused"
    sentence: ClassVar[Sentence] = ("请求被拒绝。", "The request was refused.")
    known: ClassVar[dict[str, type["Refusal"]]] = {}
    ticket_id: UUID | None = None
    state: str | None = None

    def __init_subclass__(cls) -> None:
        Refusal.known[cls.code] = cls

    def __init__(
        self,
        detail: Sentence | None = None,
        *,
        errors: Sequence[FieldFault] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.detail = detail or self.sentence
        self.errors = errors
        self.headers = dict(headers or {})
        super().__init__(self.detail[1])


class NotFound(Refusal):
    """There is no such thing, or it is somebody else's."""

    status, code = 404, "not_found"
    sentence = ("没有找到您要的内容。", "There is no such thing here.")


class MethodNotAllowed(Refusal):
    """The address exists, but not for this method."""

    status, code = 405, "method_not_allowed"
    sentence = ("该地址不支持此方法。", "This address does not take that method.")


class MalformedRequest(Refusal):
    """The request cannot be read: no HTTP, no JSON, or a query that is none."""

    status, code = 400, "malformed_request"
    sentence = ("请求无法解析。", "The request cannot be read.")


class InvalidRequest(Refusal):
    """The body or the query is not of the documented shape; `errors` says where."""

    status, code = 422, "invalid_request"
    sentence = ("请求内容不符合要求。", "The request is not of the documented shape.")

    def __init__(
        self, detail: Sentence | None = None, *, errors: Sequence[FieldFault] = ()
    ) -> None:
        super().__init__(detail or (_SEE_FIELDS if errors else None), errors=errors)


_SEE_FIELDS = ("请求内容有误，请检查标出的字段。", "The request is wrong; see the fields named.")


class TooLarge(Refusal):
    """The body is larger than this API ever needs: 64 KiB."""

    status, code = 413, "body_too_large"
    sentence = ("请求内容过大。", "The body is too large.")


class UriTooLong(Refusal):
    """The address is longer than this API ever needs: 8 KiB, its query 2,000 characters."""

    status, code = 414, "uri_too_long"
    sentence = ("请求地址过长。", "The address is too long.")


class UnsupportedMediaType(Refusal):
    """The body is not sent as JSON: `Content-Type: application/json`, or none at all."""

    status, code = 415, "unsupported_media_type"
    sentence = (
        "请以 Content-Type: application/json 发送 JSON。",
        "Send JSON, with Content-Type: application/json.",
    )

    def __init__(self) -> None:
        super().__init__(headers={"Accept": "application/json"})


class HeadersTooLarge(Refusal):
    """The headers are larger than this API ever needs: 8 KiB in all."""

    status, code = 431, "headers_too_large"
    sentence = ("请求头过大。", "The headers are too large.")


class NotSignedIn(Refusal):
    """No access token, or one that is not valid any more."""

    status, code = 401, "not_signed_in"
    sentence = ("请先登录。", "Please sign in first.")

    def __init__(self) -> None:
        super().__init__(headers={"WWW-Authenticate": "Bearer"})


class NotAllowed(Refusal):
    """Signed in, but without the right to do this."""

    status, code = 403, "not_allowed"
    sentence = ("您没有权限进行此操作。", "You may not do this.")


class PasswordChangeRequired(Refusal):
    """The password was given to be used once: choose your own first."""

    status, code = 403, "password_change_required"
    sentence = ("请先修改初始密码。", "Choose a password of your own first.")


class TotpEnrolmentRequired(Refusal):
    """This role signs in with a one-time code as well: enrol a device first."""

    status, code = 403, "totp_enrolment_required"
    sentence = ("请先绑定动态口令。", "Enrol a device for one-time codes first.")


class TooManyRequests(Refusal):
    """Over the rate limit; `Retry-After` says when to come back."""

    status, code = 429, "too_many_requests"
    sentence = ("操作太频繁，请稍后再试。", "Too many requests; please try again shortly.")

    def __init__(self, retry_after_s: int) -> None:
        super().__init__(headers={"Retry-After": str(retry_after_s)})


class LevelTooLow(Refusal):
    """This asks for a surer identity."""

    status, code = 403, "level_too_low"
    sentence = ("该事项需要更高的实名等级。", "This item needs a surer identity.")


class IdempotencyKeyReused(Refusal):
    """The Idempotency-Key was used before with another request."""

    status, code = 422, "idempotency_key_reused"
    sentence = (
        "该 Idempotency-Key 已用于另一个请求。",
        "This Idempotency-Key was used with another request.",
    )


class WrongStateRefusal(Refusal):
    """The thing is not in a state in which this can be done; `state` and `detail` say in which."""

    status, code = 409, "wrong_state"
    sentence = ("当前状态不允许此操作。", "This cannot be done in the present state.")


class NotAvailable(Refusal):
    """The city has no account with this platform: that door is closed here."""

    status, code = 404, "not_available"
    sentence = ("本市未开通此方式。", "This city does not offer that way.")


class Unavailable(Refusal):
    """Something this needs does not answer just now; `Retry-After` says when to try again."""

    status, code = 503, "unavailable"
    sentence = (
        "服务暂时不可用，请稍后再试。",
        "The service is briefly unavailable; try again soon.",
    )

    def __init__(self, retry_after_s: int = 2, detail: Sentence | None = None) -> None:
        super().__init__(detail, headers={"Retry-After": str(retry_after_s)})


class InternalError(Refusal):
    """A fault of ours. It is logged: its type and where it was."""

    status, code = 500, "internal_error"
    sentence = (
        "系统出现错误，我们已记录。",
        "Something went wrong on our side; it has been logged.",
    )


_encode = msgspec.json.Encoder().encode


def wants_english(accept_language: str | None) -> bool:
    """Whether English is wanted more than Chinese, which is the default (RFC 9110, 12.5.4).

    Of two wanted alike the one named first counts; `*` is every language that is not named.
    """
    wanted: dict[str, float] = {}
    for part in (accept_language or "").lower().split(","):
        tag, _, weight = part.partition(";")
        language = tag.strip().partition("-")[0]
        wanted[language] = max(_weight(weight), wanted.get(language, 0.0))
    others = wanted.get("*", 0.0)
    english, chinese = wanted.get("en", others), wanted.get("zh", others)
    if english != chinese:
        return english > chinese
    named = [language for language in wanted if language in ("en", "zh")]
    return english > 0 and named[:1] == ["en"]


def _weight(text: str) -> float:
    name, _, value = text.partition("=")
    if name.strip() != "q":
        return 1.0
    try:
        weight = float(value)
    except ValueError:
        return 0.0
    return weight if 0 <= weight <= 1 else 0.0


def problem_response(refusal: Refusal, *, instance: str, english: bool) -> HTTPResponse:
    """The answer to a refused request. `instance` is its path; a query might hold personal data."""
    problem = Problem(
        type=f"{PROBLEM_PAGE}#{refusal.code}",
        title=type(refusal).sentence[english],
        status=refusal.status,
        detail=refusal.detail[english],
        code=refusal.code,
        instance=instance,
        errors=[FieldError(fault.pointer, fault.detail[english]) for fault in refusal.errors],
        ticket_id=refusal.ticket_id,
        state=refusal.state,
    )
    return Answer(
        _encode(problem),
        status=refusal.status,
        headers={
            **refusal.headers,
            "Content-Language": "en" if english else "zh-CN",
            "Vary": "Accept-Language",
        },
        content_type="application/problem+json",
    )
