"""Why something about ratings is refused."""

from server.errors import Refusal


class AlreadyRated(Refusal):
    """This was rated: what was said then stands."""

    status, code = 409, "already_rated"
    sentence = ("您已评价过本次服务。", "You have rated this service already.")


class NothingToAnswer(Refusal):
    """This rating was not bad, or was answered: there is one answer to each."""

    status, code = 409, "nothing_to_answer"
    sentence = ("该评价无需答复或已答复。", "This rating needs no answer, or has one.")
