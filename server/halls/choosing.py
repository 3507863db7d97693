"""Which halls a question asks for: those that do an item, of a level, for residents of a place."""

from collections import defaultdict
from collections.abc import Iterable

import numpy as np

from scheduler.remembering import Remembered
from scheduler.residence import ANYWHERE, area
from scheduler.vicinity import Asked, Memory
from server.errors import FieldFault, InvalidRequest
from server.halls.directory import Directory
from server.halls.standing import Standing
from server.halls.views import NearQuery

_NEEDS_ITEM = ("需要同时给出 item。", "needs item")
_NO_TOWN = (
    "应为镇街或村居大厅的代码，如 dg-24。",
    "must be the code of a town's or village's hall, like dg-24",
)


class Choosing:
    """Chooses among the halls of one directory; what was chosen before is `remembered`."""

    def __init__(
        self, directory: Directory, standing: Standing, remembered: Memory | None = None
    ) -> None:
        self._directory = directory
        self._standing = standing
        self.remembered: Memory = Remembered() if remembered is None else remembered
        self._areas: dict[str, dict[str, list[int]]] = {}

    def chosen(self, query: NearQuery) -> Asked:
        """The halls that a question asks for, open or not.

        Their time at the counter is the item's usual one, or without an item the mean of those that
        a hall offers. Raises NotFound for an unknown item, InvalidRequest for a home where nobody
        can live.
        """
        areas = self._areas_of(query)
        wish = query.item, query.level, areas
        known = self.remembered.get(wish)
        if isinstance(known, Asked):
            return known
        chosen = self._choose(query, areas)
        self.remembered.put(wish, chosen)
        return chosen

    def _choose(self, query: NearQuery, areas: tuple[str, ...] | None) -> Asked:
        halls, rows = self._standing.halls, np.arange(len(self._standing.halls))
        if query.item is None:
            service = np.array([self._usual_s(list(hall.offers)) for hall in halls])
        else:
            item = self._directory.item(query.item)
            row_of = self._standing.table.row_of
            rows = np.array(
                [
                    row_of.get((at, hall.offers.get(item.code, "")), -1)
                    for at, hall in enumerate(halls)
                ],
                dtype=np.intp,
            )
            service = np.full(len(halls), 60.0 * item.minutes)
            if areas is not None:
                by_area = self._by_area(item.residents_of)
                taking = [at for place in areas for at in by_area[place]]
                rows[np.setdiff1d(np.arange(len(halls)), taking)] = -1
        if query.level is not None:
            rows[[at for at, hall in enumerate(halls) if hall.level != query.level]] = -1
        return Asked(self._standing.table.map, rows, service, self.remembered)

    def _usual_s(self, items: Iterable[str]) -> float:
        minutes = [self._directory.items[code].minutes for code in items]
        return 60.0 * sum(minutes) / len(minutes) if minutes else 0.0

    def _areas_of(self, query: NearQuery) -> tuple[str, ...] | None:
        """The areas whose halls take whom a question is for; None where a home does not matter.

        So all to whom the same halls are open share what is remembered. Raises NotFound for an
        unknown item, InvalidRequest for a home where nobody can live.
        """
        if query.resident_of is None:
            return None
        _check_home(self._directory, query)
        assert query.item is not None, "checked"
        limit = self._directory.item(query.item).residents_of
        if limit == ANYWHERE:
            return None
        by_area = self._by_area(limit)
        home = self._directory.halls[query.resident_of]
        return tuple(place for place in (home.code, *home.above) if place in by_area)

    def _by_area(self, limit: str) -> dict[str, list[int]]:
        """The halls by the area whose residents they take for an item that is so limited."""
        if limit not in self._areas:
            by_code, areas = self._directory.halls, defaultdict(list)
            for at, hall in enumerate(self._standing.halls):
                above = [by_code[code] for code in hall.above if code in by_code]
                areas[area(hall, above, limit)].append(at)
            self._areas[limit] = dict(areas)
        return self._areas[limit]


def check_home(directory: Directory, town: str, *, at: str) -> None:
    """Raise InvalidRequest, pointing to where it stands, unless somebody can live there."""
    home = directory.halls.get(town)
    if home is None or home.level == "city":
        raise InvalidRequest(errors=[FieldFault(at, _NO_TOWN)])


def _check_home(directory: Directory, query: NearQuery) -> None:
    """Raise InvalidRequest for a home without an item, or where nobody can live."""
    if query.resident_of is None:
        return
    check_home(directory, query.resident_of, at="/resident_of")
    if query.item is None:
        raise InvalidRequest(errors=[FieldFault("/resident_of", _NEEDS_ITEM)])
