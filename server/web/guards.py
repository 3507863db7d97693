"""The table of routes and who may use them, made from what the routes declare.

`python -m server.web.guards > docs/guards.md` writes it; a test compares.
"""

import re
import sys

import server.application  # noqa: F401 declares every route
from models.sessions import PersonKind
from models.staff import Role
from server.auth import Guard
from server.http.endpoint import DECLARED, Endpoint

HEAD = """\
# Who may do what

Made from the routes' own declarations by `python -m server.web.guards > docs/guards.md`.
No role implies another. Staff work in the halls and levels of their account: on a route of a hall,
only those who belong to it may. Who still has to change a one-time password or to enrol a device
may only use what is marked *. A kiosk bears a token of its own, for its hall, and may use nothing
but what names kiosks, and what everybody may. A citizen's record is hers alone: to others there is
none, but that a ticket may be followed by whoever was given its code. On the socket `/api/v1/live`
halls are for everybody, a ticket for whom it is, who took it, and who follows it.

A counter is worked by her who opened it, or to whom it was handed over, alone: whatever another
asks of it (to call, recall, start, finish, miss, park, resume, send on, undo, pause, close) is
refused as `staffed_by_another`. So is a manager's, but that who manages the hall may pause it,
close it, hand it over and re-assign its lines. `open` with `take_over` makes a counter one's own,
and is in the audit log. At one that nobody staffs, closed or handed over to nobody by name, any
clerk of the hall may go on with whoever is still there. Any may call for help for a colleague.

| route | who may |
|---|---|
"""


def guards_page() -> str:
    """The whole page."""
    return HEAD + "".join(f"| `{route}` | {who} |\n" for route, who in sorted(map(_row, DECLARED)))


def _row(declared: Endpoint) -> tuple[str, str]:
    path = re.sub(r"<(\w+):\w+>", r"{\1}", declared.path)
    # The path first, so that routes of one thing stand together.
    return f"{path} {declared.method}", _who(declared.guard, of_hall="{hall}" in path)


def _who(guard: Guard, *, of_hall: bool) -> str:
    if guard.systems:
        return "departments' systems, by client id and secret"
    if not guard.signed_in:
        return "everybody"
    mark = " *" if guard.before_duty else ""
    if guard.kind is None:
        return f"citizens and staff{mark}"
    if guard.kind is PersonKind.CITIZEN:
        return f"citizens{mark}"
    if guard.roles == frozenset(Role):
        who = "all staff"
    else:
        who = ", ".join(role.value for role in Role if role in guard.roles)
    place = " of every hall" if guard.everywhere else " of the hall" if of_hall else ""
    also = "; its kiosks" if guard.kiosks else ""
    return who + place + mark + also


if __name__ == "__main__":
    sys.stdout.write(guards_page())
