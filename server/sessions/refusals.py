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


class AccountLocked(Refusal):
    """Too many wrong passwords for this name, whoever has it; `Retry-After` says how long."""

    status, code = 429, "account_locked"
    sentence = (
        "密码错误次数过多，该用户名已暂时锁定，请稍后再试。",
        "Too many wrong passwords: this user name is locked for a while.",
    )

    def __init__(self, retry_after_s: int) -> None:
        super().__init__(headers={"Retry-After": str(retry_after_s)})


class OtpRequired(Refusal):
    """The password is right; this account wants a one-time code as well: send it as `otp`."""

    status, code = 401, "otp_required"
    sentence = ("请输入动态口令。", "Give the one-time code of your device as well.")


class OtpWrong(Refusal):
    """The one-time code is wrong, too old, or was used before."""

    status, code = 401, "otp_wrong"
    sentence = ("动态口令错误或已使用。", "The one-time code is wrong or was used before.")


class TotpAlreadyEnrolled(Refusal):
    """A device makes this account's codes already; an administrator can take it off."""

    status, code = 409, "totp_already_enrolled"
    sentence = (
        "已绑定动态口令设备，如需更换请联系管理员。",
        "A device is enrolled already; an administrator can take it off.",
    )


class NoEnrolmentBegun(Refusal):
    """There is no secret that a code could confirm: begin the enrolment first."""

    status, code = 409, "no_enrolment_begun"
    sentence = ("请先申请绑定动态口令。", "Begin the enrolment first.")


class PasswordUnfit(Refusal):
    """The new password is the old one, a well-known one, or holds the user name."""

    status, code = 422, "password_unfit"
    sentence = (
        "新密码不能与原密码相同，也不能包含用户名。",
        "Choose a password that is not the old one and does not hold your user name.",
    )


def refusal_of(refusal: PlatformRefused) -> Refusal:
    """What to tell somebody whom a platform did not let in."""
    if refusal.reason == "user_blocked":
        return UserBlocked()
    if refusal.reason == "too_often":
        return TooManyRequests(60)
    return SignInRefused()
