"""Why a place is not booked, changed or taken up."""

from server.errors import Refusal


class SlotFull(Refusal):
    """Every place of this slot is taken: another one, or `POST /waitlist`."""

    status, code = 409, "slot_full"
    sentence = ("该时段已约满。", "Every place in this slot is taken.")


class SlotClosed(Refusal):
    """There is no such slot to book: past, too soon, too far ahead, or the hall is closed then."""

    status, code = 409, "slot_closed"
    sentence = ("该时段不可预约。", "This slot cannot be booked.")


class AlreadyBooked(Refusal):
    """One appointment a person, item and day."""

    status, code = 409, "already_booked"
    sentence = (
        "当天该事项已有预约。",
        "There is an appointment for this item on that day already.",
    )


class TooManyBookings(Refusal):
    """She has booked as often this week, or this month, as a person may."""

    status, code = 409, "too_many_bookings"
    sentence = ("预约次数已达上限。", "You have booked as often as a person may.")


class BookingBlocked(Refusal):
    """She missed too many appointments; it ends by itself, and she may appeal."""

    status, code = 409, "booking_blocked"
    sentence = ("因多次爽约，暂停预约。", "Booking is blocked after missed appointments.")


class NotBlocked(Refusal):
    """Her booking is not blocked, or not any more: there is nothing to appeal against."""

    status, code = 409, "not_blocked"
    sentence = ("您的预约没有被暂停，无需申诉。", "Your booking is not blocked: nothing to appeal.")


class AlreadyAppealed(Refusal):
    """She has appealed, and nobody has decided yet: what she said stands."""

    status, code = 409, "already_appealed"
    sentence = ("您已提出申诉，请等待处理。", "You have appealed: the hall has yet to decide.")


class AppealDecided(Refusal):
    """This appeal was decided; a block is appealed against, and decided about, once."""

    status, code = 409, "appeal_decided"
    sentence = (
        "对本次暂停的申诉已处理，不能再次申诉。",
        "The appeal against this block was decided: there is no second one.",
    )


class NoAppointment(Refusal):
    """No appointment has this check-in code, or this card none today at this hall."""

    status, code = 404, "no_appointment"
    sentence = ("没有找到对应的预约。", "There is no such appointment.")


class OtherHall(Refusal):
    """The appointment is at another hall, which is named: there she checks in."""

    status, code = 409, "other_hall"
    sentence = ("该预约不在本大厅。", "This appointment is at another hall.")


class NotBookable(Refusal):
    """This item is not to be booked: take a number instead."""

    status, code = 422, "item_not_bookable"
    sentence = ("该事项无需预约，请直接取号。", "This item is not booked: take a number instead.")


class HoldExpired(Refusal):
    """The place was kept for a few minutes, and they are over."""

    status, code = 409, "hold_expired"
    sentence = ("保留时间已过，请重新预约。", "The time to confirm is over: book again.")


class TooLateToCancel(Refusal):
    """So shortly before it an appointment is not given up any more, nor moved."""

    status, code = 409, "too_late_to_cancel"
    sentence = (
        "已过取消期限，不能取消或改期。",
        "It is too late to cancel or move this appointment.",
    )


class TooEarly(Refusal):
    """She may check in only a while before her slot."""

    status, code = 409, "too_early"
    sentence = ("还没有到签到时间。", "It is too early to check in.")


class TooLate(Refusal):
    """Her place waited for her as long as it does: she takes a number."""

    status, code = 409, "too_late"
    sentence = (
        "已超过预约最晚签到时间，请现场取号。",
        "Your appointment is over: take a number at the hall.",
    )


class SameSlot(Refusal):
    """The appointment is for this slot already."""

    status, code = 409, "same_slot"
    sentence = ("您的预约就是这个时段。", "Your appointment is for this slot already.")


class AlreadyWaiting(Refusal):
    """She waits for a place for this item on that day already."""

    status, code = 409, "already_waiting"
    sentence = ("您已在候补。", "You are waiting for a place already.")
