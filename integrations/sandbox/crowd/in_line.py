"""Who of the crowd has which number."""

from collections import OrderedDict, deque
from dataclasses import dataclass

from integrations.sandbox.crowd.door import Session
from integrations.sandbox.crowd.people import Person


@dataclass(slots=True)
class Citizen:
    """Somebody with a phone. `named`: has proven her real name, `parent`: may act for one."""

    person: Person
    session: Session
    named: bool = False
    parent: str | None = None


@dataclass(slots=True)
class Holding:
    """A number of somebody's: whose it is, for what, and where; one of a visit stays there."""

    citizen: Citizen
    item: str
    hall: str
    of_visit: bool = False


class InLine:
    """Numbers that have not ended yet, by the ids of their tickets, the eldest first.

    `at_home` are those whose number has ended, or who got none.
    """

    def __init__(self) -> None:
        self.at_home: deque[Citizen] = deque()
        self._held: OrderedDict[str, Holding] = OrderedDict()

    def begins(self, ticket_id: str, holding: Holding) -> None:
        """Somebody has taken this number."""
        self._held[ticket_id] = holding

    def holding(self, ticket_id: str) -> Holding | None:
        """Whose it is; None when it has ended, or is of nobody with a phone."""
        return self._held.get(ticket_id)

    def goes_on(self, ticket_id: str, next_ticket: str) -> None:
        """This number has ended, and its holder was given another."""
        if holding := self._held.pop(ticket_id, None):
            holding.of_visit = True
            self._held[next_ticket] = holding

    def ends(self, ticket_id: str) -> None:
        """This number has ended, and its holder goes home."""
        if holding := self._held.pop(ticket_id, None):
            self.at_home.append(holding.citizen)

    def eldest(self) -> Citizen | None:
        """Whoever holds a number for longest: perhaps it ended without our knowing."""
        return self._held.popitem(last=False)[1].citizen if self._held else None
