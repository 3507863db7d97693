"""What values look like: an example for each name that shapes use, put into their schemas.

A name means the same wherever it stands; where it does not, `Shape.name` says what it means there.
A field with an example of its own (`msgspec.Meta(examples=…)`) needs none here. A test names the
fields that have none.
"""

from typing import Any, Final

from server.web.example_values import (
    appointments,
    campaigns,
    cases,
    halls,
    items,
    matching,
    notices,
    payments,
    people,
    ratings,
    reports,
    running,
    single_sign_on,
    tickets,
    visits,
    waits,
)

SUBJECTS: Final = (
    halls,
    waits,
    items,
    tickets,
    appointments,
    visits,
    notices,
    matching,
    campaigns,
    cases,
    payments,
    people,
    ratings,
    reports,
    single_sign_on,
    running,
)
VALUES: Final[dict[str, Any]] = {
    name: value for subject in SUBJECTS for name, value in subject.VALUES.items()
}
