"""Where a phone says that it is, as requests say it."""

from typing import Annotated

import msgspec

from scheduler.places import Datum
from server.halls.listing import wgs84
from server.numbers.by_phone import Fix


class PlaceGiven(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where the phone is, in degrees, and within how many metres of there, as it says itself."""

    lat: Annotated[float, msgspec.Meta(ge=-90, le=90)]
    lng: Annotated[float, msgspec.Meta(ge=-180, le=180)]
    datum: Datum = "gcj02"
    accuracy_m: Annotated[float, msgspec.Meta(ge=0, le=100_000)] | None = None

    def fix(self, *, at: str = "/place") -> Fix:
        """The same in WGS-84. Raises InvalidRequest, which points to where it stands."""
        return Fix(wgs84(self.lat, self.lng, self.datum, at=at), self.accuracy_m)
