"""Why something about notices is refused."""

from server.errors import Refusal


class ChannelNotLinked(Refusal):
    """I do not come by that platform, so nothing can be sent to me there."""

    status, code = 409, "channel_not_linked"
    sentence = ("您尚未通过该平台登录。", "You have not signed in by that platform.")


class TemplateUnknown(Refusal):
    """No notice is sent by that template of the platform."""

    status, code = 422, "template_unknown"
    sentence = ("没有这个消息模板。", "No notice is sent by that template.")
