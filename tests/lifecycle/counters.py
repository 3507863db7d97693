"""What a counter does in the model: each function answers None, or why it is refused."""

from datetime import datetime

from tests.lifecycle.model import MOST_RECALLS, UNDO_WITHIN, UNDOABLE, City, Counter, Ticket


def not_hers(here: Counter, clerk: str) -> str | None:
    """Nobody does anything at the counter of another."""
    return "staffed_by_another" if here.staff not in {None, clerk} else None


def open_for(here: Counter, lines: list[str] | None, clerk: str) -> str | None:
    """It opens, for all its lines or some, and this clerk works there."""
    if lines is not None and not set(lines) <= set(here.skills):
        return "line_not_served"
    here.state, here.staff = "open", clerk
    here.serving = [code for code in here.skills if lines is None or code in lines]
    return None


def pause(here: Counter) -> str | None:
    """It pauses; whoever is there is served."""
    if here.state != "open":
        return "wrong_state"
    here.state = "paused"
    return None


def close(city: City, here: Counter) -> str | None:
    """It closes: who was called waits again, who is served is served to the end."""
    if here.state == "closed":
        return "wrong_state"
    here.state, here.staff = "closed", None
    her = city.at(here)
    if her is not None and her.state == "called":
        city.back_in_line(her, "return_to_line", here)
    return None


def call(city: City, here: Counter) -> str | None:
    """It calls the next person."""
    if here.state != "open" or city.at(here):
        return "wrong_state"
    ticket = city.first_for(here)
    if ticket is None:
        return "nobody_waiting"
    called: dict[str, object] = {"state": "called", "counter": here.code, "recalls": 0}
    return city.write(ticket, "call", here, called_at=city.now, **called)


def step(city: City, here: Counter, move: str, outcome: str | None = None) -> str | None:
    """Start, finish, miss or park whoever is there."""
    ticket = city.at(here)
    before = {"start": "called", "miss": "called", "finish": "serving", "park": "serving"}
    if ticket is None or ticket.state != before[move]:
        return "wrong_state"
    changes: dict[str, dict[str, object]] = {
        "start": {"state": "serving", "started_at": city.now},
        "miss": {"state": "missed"},
        "finish": {"state": "finished", "outcome": outcome},
        "park": {"state": "parked"},
    }
    return city.write(ticket, move, here, **changes[move])


def recall(city: City, here: Counter) -> str | None:
    """It calls her again."""
    ticket = city.at(here)
    if ticket is None or ticket.state != "called":
        return "wrong_state"
    if ticket.recalls >= MOST_RECALLS:
        return "recall_limit"
    return city.write(ticket, "recall", here, recalls=ticket.recalls + 1)


def resume(city: City, here: Counter, number: str | None) -> str | None:
    """It goes on with somebody who is parked."""
    if here.state != "open" or city.at(here):
        return "wrong_state"
    parked = [
        t
        for t in city.tickets.values()
        if t.state == "parked"
        and t.hall == here.hall
        and (t.number == number if number else t.counter == here.code)
    ]
    if not parked:
        return "nobody_parked"
    ticket = min(parked, key=lambda t: t.key)
    return city.write(ticket, "resume", here, state="serving", counter=here.code)


def to_line(city: City, here: Counter, line: str) -> str | None:
    """It sends her to another line."""
    ticket = city.at(here)
    if ticket is None or ticket.line == line:
        return "wrong_state"
    return _sent(city, here, ticket, line, None)


def to_counter(city: City, here: Counter, there: Counter) -> str | None:
    """It sends her to another counter, that alone may call her while it serves her line."""
    ticket = city.at(here)
    if ticket is None or there.code == here.code or there.state != "open" or not there.serving:
        return "wrong_state"
    if ticket.line in there.serving:
        seen = _seen(city, ticket)
        return city.back_in_line(ticket, "transfer", here, counter=there.code, checked_in_at=seen)
    return _sent(city, here, ticket, there.serving[0], there.code)


def _sent(city: City, here: Counter, ticket: Ticket, line: str, kept: str | None) -> str | None:
    if not city.lines[here.hall, line].open:
        return "line_closed"
    sent: dict[str, object] = {"sent_from": ticket.number, "line": line}
    sent["number"] = city.number_in(here.hall, line)
    seen = _seen(city, ticket)
    return city.back_in_line(ticket, "transfer", here, counter=kept, checked_in_at=seen, **sent)


def _seen(city: City, ticket: Ticket) -> datetime | None:
    """Since when she is known to be there: who is served is seen."""
    first = ticket.state == "serving" and ticket.checked_in_at is None
    return city.now if first else ticket.checked_in_at


def to_hall(city: City, here: Counter, hall: str) -> str | None:
    """It sends her to another hall."""
    ticket = city.at(here)
    if ticket is None or hall == here.hall:
        return "wrong_state"
    return city.refuse_to_come(ticket, hall) or city.come(ticket, "transfer", hall, here)


def undo(city: City, here: Counter) -> str | None:
    """It takes back what it did last."""
    if here.did is None:
        return "nothing_to_undo"
    event, move, ticket_id, at = here.did
    ticket = city.tickets[ticket_id]
    if move not in UNDOABLE or city.now - at > UNDO_WITHIN:
        return "nothing_to_undo"
    last, before = city.last[ticket_id]
    if last != event or here.state == "closed":
        return "wrong_state"
    if ticket.state not in {"waiting", "called", "serving", "parked"} and city.holds_another(
        ticket.person, ticket.item
    ):
        return "already_in_line"
    stood = {name: value for name, value in vars(before).items() if name != "id"}
    return city.write(ticket, "undo", here, **stood)
