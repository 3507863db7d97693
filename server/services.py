"""What the rooms of one process share, and how a route gets at it."""

from dataclasses import dataclass, field

import redis.asyncio as aioredis
from sanic import Request

from integrations.ports import Platforms
from models.sealing import Sealer
from server.afterwards import Afterwards
from server.alerts.watching import AlertWatch
from server.auth import Tokens
from server.clock import Clock
from server.halls.coming import Coming
from server.halls.directory import Directory
from server.halls.ways import Ways
from server.http.limits import Limits
from server.live.feed import Feed
from server.live.grants import Grants
from server.live.topics import OwnTopic
from server.settings import Settings
from server.sso.provider import Provider


@dataclass(slots=True)
class Services:
    """Everything a route may need that is not in its request."""

    settings: Settings
    clock: Clock
    tokens: Tokens
    sealer: Sealer
    limits: Limits
    platforms: Platforms
    valkey: aioredis.Redis
    feed: Feed
    directory: Directory
    afterwards: Afterwards = field(default_factory=Afterwards)
    # None where a city has no single sign-on.
    provider: Provider | None = None
    # None where it has no map service.
    ways: Ways | None = None
    # Kinds of topics that rooms above the socket show: `appointment`.
    own_topics: dict[str, OwnTopic] = field(default_factory=dict)
    coming: Coming = field(init=False)
    grants: Grants = field(init=False)
    alerts: AlertWatch = field(init=False)

    def __post_init__(self) -> None:
        self.coming = Coming(self.valkey)
        self.grants = Grants(self.tokens, self.limits)
        self.alerts = AlertWatch(self.feed)


def services(request: Request) -> Services:
    """The services of the process that answers this request."""
    found: Services = request.app.ctx.services
    return found
