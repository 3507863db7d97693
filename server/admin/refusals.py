"""Why an administrator's change is not made."""

from server.errors import Refusal


class UsernameTaken(Refusal):
    """Somebody has this user name already."""

    status, code = 409, "username_taken"
    sentence = ("用户名已存在。", "This user name is taken.")


class OwnAccount(Refusal):
    """An administrator may not do this to her own account: a city must not lose its last one."""

    status, code = 409, "own_account"
    sentence = (
        "不能对自己的账号进行此操作，请由其他管理员处理。",
        "Not to your own account: ask another administrator.",
    )
