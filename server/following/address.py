"""The address of the page that shows a followed ticket."""

from sanic import Request

from server.services import services


def follow_page(request: Request, code: str) -> str:
    """Where a code leads. What is after the `#` stays in the browser: no server or log has it.

    Where the city's public address is not set, it is the one that this request came to.
    """
    settings = services(request).settings
    known = settings.public_url or (f"{request.scheme}://{request.host}" if request.host else None)
    return f"{known or settings.issuer}/t#{code}"
