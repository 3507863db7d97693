"""Addresses: whose requests are counted where no route is declared, and which one is ours."""

from sanic import Request

from server.http.endpoint import address_of
from server.http.limits import ADDRESS
from server.services import services


def check_address(request: Request) -> None:
    """Count a request against its address. Raises TooManyRequests."""
    services(request).limits.check(ADDRESS, address_of(request))


def public_address(request: Request) -> str:
    """Where pages of ours are found from outside: `https://yiting.example.gov.cn`.

    Where the city's public address is not set, it is the one that this request came to.
    """
    settings = services(request).settings
    known = settings.public_url or (f"{request.scheme}://{request.host}" if request.host else None)
    return known or settings.issuer
