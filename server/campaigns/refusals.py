"""Why something about campaigns is refused."""

from server.errors import Refusal


class NeedsSecondPerson(Refusal):
    """Whoever wrote it last cannot approve it."""

    status, code = 403, "needs_second_person"
    sentence = ("须由另一人审批。", "Somebody else has to approve it.")


class DraftChanged(Refusal):
    """It was written anew since it was read: read it again before approving."""

    status, code = 409, "draft_changed"
    sentence = ("草稿已被修改，请重新查看后再审批。", "The draft was changed: read it again.")
