"""Forms as payment channels post them: decoded once, and refused when they can be read two ways."""

from typing import Final
from urllib.parse import parse_qsl

# Alipay's longest notices are some kilobytes, UnionPay's carry a certificate.
MOST_BYTES: Final = 65_536
_MOST_FIELDS: Final = 100


class NotAForm(ValueError):
    """What came is no form, or one that two readers could understand differently."""


def read_form(body: bytes) -> dict[str, str]:
    """Return a form's fields, percent-decoded exactly once: `+` is a space, `%2B` is a plus.

    Raises NotAForm for what is too big, no UTF-8, or has a field twice: of two amounts, one would
    be verified and the other believed.
    """
    if not 0 < len(body) <= MOST_BYTES:
        raise NotAForm("empty or too big")
    try:
        pairs = parse_qsl(
            body.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=True,
            errors="strict",
            max_num_fields=_MOST_FIELDS,
        )
    except ValueError:
        raise NotAForm("not a form") from None
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise NotAForm("a field twice")
    return fields
