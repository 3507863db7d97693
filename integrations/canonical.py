"""Base64 that can be written in one way only."""

import base64
import binascii


def unbase64(text: str) -> bytes:
    """Return the bytes; ValueError for anything but their one canonical Base64.

    The last character before the padding has bits that decoding drops. Where they may be anything,
    a genuine message can be changed and still verify.
    """
    try:
        content = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("not Base64") from None
    if base64.b64encode(content).decode() != text:
        raise ValueError("not canonical Base64")
    return content
