"""Why somebody's identity is not taken as she says."""

from models.identifiers import Fault
from server.errors import Refusal, Sentence

# What is wrong with a number that somebody typed; never which number it was.
NOT_A_NUMBER: dict[Fault, Sentence] = {
    "shape": ("位数或字符不对。", "has the wrong length or characters"),
    "region": ("地区码不存在。", "begins with a region that does not exist"),
    "birth_date": ("出生日期不可能。", "has an impossible birth date"),
    "check_digit": ("校验码不对，请核对每一位。", "has a wrong check digit: look at every digit"),
}
EMPTY: Sentence = ("不能为空。", "must not be empty")


class ProofRefused(Refusal):
    """The code or payload that should prove a phone is wrong, used or expired."""

    status, code = 422, "proof_refused"
    sentence = ("手机号授权无效或已过期，请重试。", "The proof of the phone number is not valid.")


class SmsCodeWrong(Refusal):
    """The code sent by SMS is wrong, expired, or was tried too often: ask for a new one then."""

    status, code = 422, "sms_code_wrong"
    sentence = ("验证码错误或已失效。", "The code is wrong or no longer valid.")


class PhoneRefused(Refusal):
    """The SMS gateway cannot reach this number."""

    status, code = 422, "phone_refused"
    sentence = ("该手机号无法接收短信。", "This number cannot receive messages.")


class IdentityMismatch(Refusal):
    """The identity provider says that name and number do not belong together."""

    status, code = 422, "identity_mismatch"
    sentence = ("姓名与证件号码不一致。", "The name and the id number do not belong together.")


class FaceNotPassed(Refusal):
    """The face check was not passed, is not hers, or was for another name and number."""

    status, code = 422, "face_not_passed"
    sentence = ("人脸核验未通过。", "The face check was not passed.")


class IdentityFixed(Refusal):
    """Her document is known already, and another number than she gives now: that never changes.

    It may be somebody else's, or a document of hers that was issued anew.
    """

    status, code = 409, "identity_fixed"
    sentence = (
        "该账号已用另一证件号码实名，不能更改。",
        "This account is verified with another document number, which cannot be changed.",
    )


class FaceCheckNeeded(Refusal):
    """Another channel has proven this number: pass a face check to join it, or ask the province."""

    status, code = 403, "face_check_needed"
    sentence = (
        "该证件已由另一登录方式实名。请完成人脸核验，或通过省统一身份认证登录。",
        "This number was proven through another channel. Pass a face check, or come in through the"
        " province.",
    )


class OwnNumber(Refusal):
    """She names herself: nobody needs leave to act for herself."""

    status, code = 422, "own_number"
    sentence = ("不能添加本人。", "This is you; nobody acts for herself.")


class AlreadyAdded(Refusal):
    """She acts for this person or company already."""

    status, code = 409, "already_added"
    sentence = ("您已添加过。", "You act for them already.")


class TooManyDeclared(Refusal):
    """As many are declared as one citizen may declare."""

    status, code = 409, "too_many_declared"
    sentence = ("添加人数已达上限。", "You have declared as many as you may.")


class LastChannel(Refusal):
    """The only channel left cannot be unlinked: she could never come in again."""

    status, code = 409, "last_channel"
    sentence = ("这是唯一的登录方式，不能解绑。", "This is the only way in; it stays linked.")
