"""Why a ticket is not followed."""

from server.errors import Refusal


class OwnTicket(Refusal):
    """It is her own ticket, or one that she took: she sees it anyway."""

    status, code = 409, "own_ticket"
    sentence = ("这是您自己的号票，无需关注。", "This number is yours: you see it anyway.")


class TooManyFollowed(Refusal):
    """She follows as many tickets today as anybody may."""

    status, code = 409, "too_many_followed"
    sentence = ("您今天关注的号票已达上限。", "You follow as many numbers today as you may.")


class TooManyFollowers(Refusal):
    """As many people follow this ticket as may."""

    status, code = 409, "too_many_followers"
    sentence = ("关注该号票的人数已达上限。", "As many people follow this number as may.")
