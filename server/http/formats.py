"""What texts look like where their length alone does not say it: patterns, and words for them."""

from typing import Annotated, Final

import msgspec

from server.errors import Sentence

CLOCK_TIME: Final = r"^([01][0-9]|2[0-3]):[0-5][0-9](:00)?(?!\n)$"
# A local time of the day, with or without whole seconds.
ClockTime = Annotated[str, msgspec.Meta(pattern=CLOCK_TIME)]
# Somebody else's number for a thing, as it stands in addresses.
PLAIN_NUMBER: Final = r"^[0-9A-Za-z_\-]+(?!\n)$"
# One line that somebody wrote.
ONE_LINE: Final = r"^[^\x00-\x1f\x7f]+(?!\n)$"
# How a body or query that does not match one is told so; every pattern of the API is in here.
IN_WORDS: Final[dict[str, Sentence]] = {
    CLOCK_TIME: (
        "应为 24 小时制的时分，如 09:30。",
        "must be a time of day of 24 hours, such as 09:30",
    ),
    ONE_LINE: (
        "应为一行文字，不含控制字符。",
        "must be one line without control characters",
    ),
    "^[0-9]{6}$": ("应为 6 位数字。", "must be six digits"),
    PLAIN_NUMBER: (
        "只能包含字母、数字、下划线和连字符。",
        "may have letters, digits, underscores and hyphens only",
    ),
    r"^[0-9A-Za-z_\-]+$": (
        "只能包含字母、数字、下划线和连字符。",
        "may have letters, digits, underscores and hyphens only",
    ),
    r"^[A-Za-z0-9_\-]*(?!\n)$": (
        "只能包含字母、数字、下划线和连字符，也可为空。",
        "may have letters, digits, underscores and hyphens only, or be empty",
    ),
    r"^[a-z0-9][a-z0-9._-]{1,63}(?!\n)$": (
        "应为 2 至 64 个小写字母、数字、点、下划线或连字符，以字母或数字开头。",
        "must be 2 to 64 small letters, digits, dots, underscores or hyphens,"
        " a letter or digit first",
    ),
    r"^[a-z][a-z0-9-]{1,38}[a-z0-9]$": (
        "应为 3 至 40 个小写字母、数字或连字符，以字母开头，不以连字符结尾。",
        "must be 3 to 40 small letters, digits or hyphens, a letter first and no hyphen last",
    ),
    "^(wechat|alipay|unionpay|bank)$": (
        "应为 wechat、alipay、unionpay 或 bank。",
        "must be wechat, alipay, unionpay or bank",
    ),
    r"^[ +-]?[1-5]$": ("应为 -5 至 +5 之间的整数，不为 0。", "must be -5 to +5 and not 0"),
    "^[0-9]{1,17}-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$": (
        "请原样使用上一页给出的 next_cursor。",
        "must be a `next_cursor` as it was given",
    ),
}
