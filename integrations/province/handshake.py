"""What every shape of provincial sign-in shares."""

import re
from typing import Final
from urllib.parse import urlencode

from integrations.ports import IdType, ProvinceVisitor

_VERIFIER: Final = re.compile(r"[A-Za-z0-9\-._~]{43,128}")


def require_verifier(code_verifier: str) -> None:
    """Raise ValueError when our caller made no verifier of RFC 7636, section 4.1."""
    if not _VERIFIER.fullmatch(code_verifier):
        raise ValueError("a code verifier has 43 to 128 unreserved characters")


def with_query(url: str, query: dict[str, str]) -> str:
    """Return the URL with the query added to the one it may have."""
    return url + ("&" if "?" in url else "?") + urlencode(query)


def vouched(
    client_id: str,
    subject: str,
    level: int,
    *,
    name: str | None,
    id_type: IdType | None,
    id_number: str | None,
    phone: str | None,
) -> ProvinceVisitor:
    """Return the visitor with no more than the province vouches for.

    What an account of level 0 says of its owner is a claim, not knowledge; an id number without
    the kind of its document names nobody.
    """
    real = level > 0
    document = real and id_type is not None and id_number is not None
    return ProvinceVisitor(
        "province",
        client_id,
        subject,
        level=level,
        name=name if real else None,
        id_type=id_type if document else None,
        id_number=id_number if document else None,
        phone=phone,
    )
