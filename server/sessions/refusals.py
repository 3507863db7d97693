"""Why somebody is not signed in."""

from integrations.ports import PlatformRefused
from server.errors import Refusal, TooManyRequests


class SignInRefused(Refusal):
    """The platform does not accept the sign-in code: it is wrong, used or expired."""

    status, code = 401, "sign_in_refused"
    sentence = ("登录凭证无效或已过期，请重新登录。", "The sign-in code is not valid; start again.")


class UserBlocked(Refusal):
    """The platform has blocked this user."""

    status, code = 403, "user_blocked"
    sentence = ("该账号已被平台限制登录。", "The platform has blocked this account.")


class RefreshTokenInvalid(Refusal):
    """The refresh token is unknown, expired, or its sign-in is over."""

    status, code = 401, "refresh_token_invalid"
    sentence = ("登录已过期，请重新登录。", "The sign-in is over; please sign in again.")


class RefreshTokenReused(Refusal):
    """The refresh token was used before: whoever copied it, this whole sign-in has ended."""

    status, code = 401, "refresh_token_reused"
    sentence = (
        "刷新凭证被重复使用，为安全起见已退出登录。",
        "The refresh token was used twice; for safety this sign-in has ended.",
    )


class WrongPassword(Refusal):
    """The user name or the password is wrong; it is not said which."""

    status, code = 401, "wrong_password"
    sentence = ("用户名或密码错误。", "Wrong user name or password.")


def refusal_of(refusal: PlatformRefused) -> Refusal:
    """What to tell somebody whom a platform did not let in."""
    if refusal.reason == "user_blocked":
        return UserBlocked()
    if refusal.reason == "too_often":
        return TooManyRequests(60)
    return SignInRefused()
