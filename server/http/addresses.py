"""The rate limit by address for what is no declared route: pages, files, unknown addresses."""

from sanic import Request

from server.http.endpoint import address_of
from server.http.limits import ADDRESS
from server.services import services


def check_address(request: Request) -> None:
    """Count a request against its address. Raises TooManyRequests."""
    services(request).limits.check(ADDRESS, address_of(request))
