"""What a crowd is told at its start."""

from dataclasses import dataclass, field

from integrations.sandbox.crowd.rates import Rates


@dataclass(frozen=True, slots=True, kw_only=True)
class CrowdPlan:
    """Where to go and how busy to be.

    `per_hour` is how many people come to all halls together in a business hour, over the day;
    `speed` is how many business seconds pass in a real one, and must be the city's own. `halls`
    None means all.
    """

    api_url: str
    sandbox_url: str
    password: str = field(repr=False)
    per_hour: float = 1_000
    speed: float = 1.0
    seed: int = 1
    halls: frozenset[str] | None = None
    rates: Rates = field(default_factory=Rates)

    most_people: int = 4_000
    most_connections: int = 48
    # Opening the city is spread out, so that whoever starts the demo can use it at once.
    opening_s: float = 30.0
    opening_requests_per_s: float = 40.0
    requests_per_s: float = 300.0
