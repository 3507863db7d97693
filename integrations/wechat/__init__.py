"""WeChat mini-programs, answering our ports."""

from integrations.wechat.sign_in import WeChatSignIn

__all__ = ["WeChatSignIn"]
