"""WeChat mini-programs, answering our ports."""

from integrations.wechat.access_token import AccessToken
from integrations.wechat.client import WeChatClient
from integrations.wechat.messages import WeChatMessages
from integrations.wechat.phone import WeChatPhone
from integrations.wechat.push import WeChatPush
from integrations.wechat.sign_in import WeChatSignIn

__all__ = [
    "AccessToken",
    "WeChatClient",
    "WeChatMessages",
    "WeChatPhone",
    "WeChatPush",
    "WeChatSignIn",
]
