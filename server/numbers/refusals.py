"""Why a number is not given."""

from typing import ClassVar
from uuid import UUID

from models.spoken_for import Missed
from scheduler.calendar import SHANGHAI
from server.errors import Refusal, Sentence

FULL_TODAY: Sentence = (
    "今天剩余的时间已排满，该队列不再取号。",
    "The time left today is full: this line gives out no more numbers.",
)
NO_MORE_TODAY: Sentence = (
    "该队列今天不再取号。",
    "This line gives out no more numbers today.",
)


class HallClosed(Refusal):
    """The hall is closed now."""

    status, code = 409, "hall_closed"
    sentence = ("大厅现在不开放。", "The hall is closed now.")


class LineClosed(Refusal):
    """The line gives out no numbers now."""

    status, code = 409, "line_closed"
    sentence = ("该队列暂停取号。", "This line gives out no numbers now.")

    @classmethod
    def because(cls, reason: str | None, reason_en: str | None) -> "LineClosed":
        """The same with the reason that the board says, where it says one."""
        zh, en = cls.sentence
        if reason is None:
            return cls()
        return cls((f"{zh[:-1]}：{reason}。", f"{en[:-1]}: {reason_en or reason}."))


class LineFull(Refusal):
    """As many wait as the line takes."""

    status, code = 409, "line_full"
    sentence = ("该队列等候人数已满。", "This line is full.")


class TooFar(Refusal):
    """The phone is farther from the hall than it lets people take numbers from."""

    status, code = 409, "too_far"
    sentence = ("您离大厅太远，暂不能远程取号。", "You are too far from the hall to take a number.")


class PlaceRequired(Refusal):
    """This hall gives numbers by phone only to phones that say where they are."""

    status, code = 409, "place_required"
    sentence = (
        "该大厅远程取号须提供位置，请允许小程序获取定位。",
        "This hall asks phones where they are: let the mini-program use your location.",
    )


class DailyCapReached(Refusal):
    """She took as many numbers by phone on this day, of the line or the hall, as one may.

    Those that she gave up or missed count too. At the hall she gets one all the same.
    """

    status, code = 409, "daily_cap_reached"
    sentence = (
        "今天手机取号次数已达上限，请到大厅现场取号。",
        "You took as many numbers by phone today as one may: take one at the hall.",
    )


class NotAtHall(Refusal):
    """Her phone says that she is not at the hall: she checks in when she is."""

    status, code = 409, "not_at_hall"
    sentence = ("您还没有到大厅，请到厅后再签到。", "You are not at the hall yet.")


class PlaceUnsure(Refusal):
    """Her phone does not know its place exactly enough to say that she is at the hall."""

    status, code = 409, "place_unsure"
    sentence = (
        "定位不够准确，请走到室外再试，或在自助机、咨询台签到。",
        "Your phone does not know its place exactly enough: step outside and try again,"
        " or check in at the kiosk or help desk.",
    )


class AlreadyCheckedIn(Refusal):
    """She has checked in at this hall."""

    status, code = 409, "already_checked_in"
    sentence = ("您已签到。", "You have checked in already.")


class ResidenceNeeded(Refusal):
    """The item is for residents only, and she has not said where she lives: `PUT /me/residence`."""

    status, code = 409, "residence_needed"
    sentence = (
        "该事项按居住地办理，请先申报您居住的镇街。",
        "This item is for residents: say first in which town you live.",
    )


class NotResident(Refusal):
    """The item is for residents of another place than hers; it says where she can go."""

    status, code = 409, "not_resident"
    sentence = ("该事项在此厅只受理本地居民。", "This hall takes only its residents for this item.")


class AlreadyInLine(Refusal):
    """One open ticket a person and item; `ticket_id` is that one, where you may see it."""

    status, code = 409, "already_in_line"
    sentence = ("该事项已取过号，尚未办结。", "There is an open number for this item already.")

    def __init__(self, ticket_id: UUID | None = None) -> None:
        super().__init__()
        self.ticket_id = ticket_id


class MissedNumberKept(Refusal):
    """Her number for this item, or in this line, was missed a moment ago: she returns with it.

    No other is given until `grace_min` after the miss; where she returned and gave the number up,
    until its rank time, a penalty after that. `ticket_id` is that one, where you may see it.
    """

    status, code = 409, "missed_number_kept"
    sentence = (
        "该事项或该队列的号刚刚过号，请凭原号到大厅咨询台回队，暂不另取新号。",
        "A number for this item or in this line was missed just now: return with it at the help"
        " desk; no other is given meanwhile.",
    )
    given_up: ClassVar[Sentence] = (
        "该事项或该队列的号刚刚过号且不再保留，暂不另取新号，请稍后再取。",
        "A number for this item or in this line was missed just now, and given up: no other is"
        " given for a while; try again later.",
    )

    @classmethod
    def told_to(cls, citizen_id: UUID | None, missed: Missed) -> "MissedNumberKept":
        """The same; which number, where and until when only to her, or who took it for her."""
        if citizen_id is not None and citizen_id in (missed.citizen_id, missed.acting_id):
            return cls.of(missed)
        return cls() if missed.may_return else cls(cls.given_up)

    @classmethod
    def of(cls, missed: Missed) -> "MissedNumberKept":
        """The same with which number, where, and until when."""
        (hall, hall_en), number = missed.hall, missed.number
        until = f"{missed.until.astimezone(SHANGHAI):%H:%M}"
        refusal = cls()
        refusal.ticket_id = missed.ticket_id
        refusal.detail = (
            (
                f"您在{hall}的 {number} 号已过号，{until} 前请凭原号到咨询台回队；此后可重新取号。",
                f"Your number {number} at {hall_en} was missed: return with it at the help desk by"
                f" {until}. After that you may take a new one.",
            )
            if missed.may_return
            else (
                f"您在{hall}的 {number} 号已过号且不再保留，{until} 后可重新取号。",
                f"Your number {number} at {hall_en} was missed, and you gave it up: you may take a"
                f" new one after {until}.",
            )
        )
        return refusal


class PlannedInVisit(Refusal):
    """Her open visit of several items will give her a number for this one, at its turn."""

    status, code = 409, "planned_in_visit"
    sentence = (
        "该事项已列入联办，轮到时自动取号；如需单独办理，请先在联办中跳过该事项。",
        "A visit will give the number for this item at its turn. To come for it alone, skip it in"
        " the visit first.",
    )


class AlreadyThere(Refusal):
    """The ticket is of this hall already."""

    status, code = 409, "already_there"
    sentence = ("您已在该大厅排队。", "You are in line at this hall already.")


class NobodyBehind(Refusal):
    """There is nobody behind her whom she could let pass."""

    status, code = 409, "nobody_behind"
    sentence = ("您后面没有人在等候。", "Nobody is waiting behind you.")


class GraceOver(Refusal):
    """She was missed too long ago to come back: she takes a new number."""

    status, code = 409, "grace_over"
    sentence = (
        "过号时间过长，请重新取号。",
        "It is too long ago that this number was missed: take a new one.",
    )


class NoPriorityClaim(Refusal):
    """She has claimed no priority that could be confirmed, or it is confirmed already."""

    status, code = 409, "no_priority_claim"
    sentence = ("没有待确认的优先申请。", "There is no claim of priority to confirm.")


class ClaimNotTrue(Refusal):
    """What is known of her says otherwise than her claim."""

    status, code = 422, "claim_not_true"
    sentence = ("优先申请与证件信息不符。", "Her papers say otherwise than this claim.")


class ProxyNotActive(Refusal):
    """Whoever asks may not, or not any more, act for this person: ask for her consent (again)."""

    status, code = 409, "proxy_not_active"
    sentence = ("代办关系未生效或已失效。", "You may not act for this person, or not any more.")


class IdNumberRequired(Refusal):
    """This item asks for a real name, so nobody gets a number for it without an id number."""

    status, code = 422, "id_number_required"
    sentence = (
        "该事项须实名取号，请出示证件。",
        "This item asks for a real name: a number needs an id number.",
    )


class NotOffered(Refusal):
    """This hall does not handle this item."""

    status, code = 422, "item_not_offered"
    sentence = ("该大厅不办理此事项。", "This hall does not handle this item.")
