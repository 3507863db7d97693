"""How it went: what platforms say to an attempt, and what is done about it."""

from dataclasses import dataclass
from typing import Final

from integrations.ports import NotDone, PlatformRefused, PlatformUnavailable
from models.notice_delivery import Credit, Outcome
from models.notice_kinds import Urgency
from models.notices import AttemptResult, NoticeState
from server.notices.choosing import Due, Route, has_failed

# The longest that a platform that is away is left alone, for what is urgent and for the rest.
_MOST_WAIT_S: Final = {Urgency.TURN: 5.0, Urgency.MATTER: 300.0, Urgency.CAMPAIGN: 300.0}
_HELD_UP_S: Final = 0.2
_MOST_HELD_UP_S: Final = 3.0


@dataclass(frozen=True, slots=True)
class Errand:
    """A notice on its way: by which route, the attempt that was begun, whether another is open."""

    due: Due
    route: Route
    attempt_id: int
    has_other: bool


def outcome(due: Due, state: NoticeState, **more: object) -> Outcome:
    """How it went with a claimed notice; `more` as `Outcome` has it."""
    return Outcome(notice_id=due.id, tries=due.tries, state=state, **more)  # type: ignore[arg-type]


def again(due: Due, wait_s: float) -> Outcome:
    """It goes on waiting, for so many seconds."""
    return outcome(due, NoticeState.WAITING, wait_s=wait_s)


def held_up(due: Due) -> Outcome:
    """Another to the same person by the same template goes first: it looks again, ever more rarely
    where many wait for one.
    """
    return again(due, min(_HELD_UP_S * 2.0 ** min(due.tries - 1, 10), _MOST_HELD_UP_S))


def unreached(due: Due) -> Outcome:
    """No channel is left: it stays in her inbox, and is dead where one should have told her."""
    if due.kind in due.muted:
        return outcome(due, NoticeState.KEPT, fault="muted")
    if has_failed(due):
        return outcome(due, NoticeState.DEAD, fault=due.tried[-1].code or "failed")
    return outcome(due, NoticeState.KEPT, fault="no_channel")


def refused(errand: Errand, refused: PlatformRefused) -> Outcome:
    """A channel said no: the next one is asked at once; one that is asked too often, later."""
    due, channel = errand.due, errand.route.channel
    code = f"{refused.reason}:{refused.platform_code or ''}"[:64].rstrip(":")
    was_unsure = bool(due.tried) and due.tried[-1].is_unsure and due.tried[-1].channel == channel
    if refused.reason == "not_wanted" and was_unsure:
        # What she had allowed is used up: by the attempt of which nobody knew.
        return outcome(
            due,
            NoticeState.SENT,
            channel=channel,
            attempt_id=errand.attempt_id,
            result=AttemptResult.ACCEPTED,
            code=code,
            credit=Credit.VOID,
        )
    if refused.reason == "too_often":
        return outcome(
            due,
            NoticeState.WAITING,
            wait_s=_wait(due, 0.0, has_other=errand.has_other),
            fault=code,
            attempt_id=errand.attempt_id,
            result=AttemptResult.FAILED,
            code=code,
            credit=Credit.BACK,
        )
    return outcome(
        due,
        NoticeState.WAITING,
        fault=code,
        attempt_id=errand.attempt_id,
        result=AttemptResult.REFUSED,
        code=code,
        credit=Credit.VOID if refused.reason == "not_wanted" else Credit.BACK,
    )


def failed(errand: Errand, away: PlatformUnavailable) -> Outcome:
    """No answer, or none of use: later, or by another channel where it was surely not sent."""
    due = errand.due
    is_sure = isinstance(away, NotDone)
    return outcome(
        due,
        NoticeState.WAITING,
        wait_s=_wait(due, away.retry_after_s, has_other=is_sure and errand.has_other),
        fault="unavailable" if is_sure else "unsure",
        attempt_id=errand.attempt_id,
        result=AttemptResult.FAILED if is_sure else AttemptResult.UNSURE,
        code="unavailable" if is_sure else "unsure",
        credit=Credit.BACK if is_sure else Credit.SPENT,
    )


def _wait(due: Due, least: float, *, has_other: bool) -> float:
    """Seconds until it is tried again: longer each time; none where another can be asked."""
    if has_other and due.urgency == Urgency.TURN:
        return 0.0
    most = _MOST_WAIT_S[due.urgency]
    return min(max(least, 2.0 ** min(due.tries - 1, 10)), most)
