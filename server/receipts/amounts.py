"""Amounts as receipts say them: in figures, and in words that nobody alters with a stroke."""

from typing import Final

_DIGITS: Final = "零壹贰叁肆伍陆柒捌玖"
_PLACES: Final = ("", "拾", "佰", "仟")
_GROUPS: Final = ("", "万", "亿")


def in_figures(fen: int) -> str:
    """`￥1,234.05`; below nothing `-￥…`."""
    sign, fen = ("-", -fen) if fen < 0 else ("", fen)
    return f"{sign}￥{fen // 100:,}.{fen % 100:02}"


def in_words(fen: int) -> str:
    """`人民币壹仟贰佰叁拾肆元零伍分`, as banks write it; below nothing `人民币（负数）…`."""
    sign, fen = ("（负数）", -fen) if fen < 0 else ("", fen)
    yuan, jiao, rest = fen // 100, fen // 10 % 10, fen % 10
    words = f"{_whole(yuan)}元" if yuan else ""
    if jiao:
        words += f"{_DIGITS[jiao]}角"
    elif rest and yuan:
        words += "零"
    words += f"{_DIGITS[rest]}分" if rest else "整"
    return f"人民币{sign}{words if fen else '零元整'}"


def _whole(number: int) -> str:
    """A whole number above nothing and below a trillion."""
    words, gap = "", False
    groups = [number // 10_000**nth % 10_000 for nth in (2, 1, 0)]
    for group, unit in zip(groups, reversed(_GROUPS), strict=True):
        if not group:
            gap = bool(words)
            continue
        # Noughts between two figures are said once, wherever they stand.
        if words and (gap or group < 1000):
            words += "零"
        words, gap = words + _below_ten_thousand(group) + unit, False
    return words


def _below_ten_thousand(number: int) -> str:
    words, gap = "", False
    for place in (3, 2, 1, 0):
        digit = number // 10**place % 10
        if not digit:
            gap = bool(words)
            continue
        words += ("零" if gap else "") + _DIGITS[digit] + _PLACES[place]
        gap = False
    return words
