"""The address of the page that shows a followed ticket."""

from sanic import Request

from server.http.addresses import public_address


def follow_page(request: Request, code: str) -> str:
    """Where a code leads. What is after the `#` stays in the browser: no server or log has it."""
    return f"{public_address(request)}/t#{code}"
