"""Which department's system asks: its client id and secret, as HTTP Basic (RFC 7617)."""

from sanic import Request

from server.errors import NotAllowed, NotSignedIn
from server.http.endpoint import address_of
from server.http.limits import ADDRESS, PERSON
from server.services import services
from server.sso.clients import Client, authenticate
from server.sso.errors import OAuthError


async def billing_system(request: Request) -> Client:
    """A system that may ask citizens for money.

    Raises NotSignedIn, NotAllowed or TooManyRequests.
    """
    client = await _system(request)
    if not client.may_bill:
        raise NotAllowed
    return client


async def case_system(request: Request) -> Client:
    """A system that may open cases of citizens; raises what `billing_system` does."""
    client = await _system(request)
    if not client.may_handle_cases:
        raise NotAllowed
    return client


async def _system(request: Request) -> Client:
    room = services(request)
    header: str = request.headers.get("authorization", "")
    try:
        if not header:
            raise NotSignedIn
        client = await authenticate(header, {})
        if client.public:
            # It cannot keep a secret, so nobody could tell it from another.
            raise NotSignedIn
    except (NotSignedIn, OAuthError):
        # Whoever tries secrets out has no name to count against.
        room.limits.check(ADDRESS, address_of(request))
        raise NotSignedIn from None
    room.limits.check(PERSON, client.id)
    return client
