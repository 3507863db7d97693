"""How often people and staff do what, as plain data; why so often stands beside it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """Shares between 0 and 1 of those who could, but for those named `…_per_hour`.

    The usual ones let a city of a thousand people an hour show every step within some minutes,
    and leave nine visits of ten plain ones.
    """

    # --- who comes, and how ---

    # Real halls still give out a quarter of their numbers on paper.
    at_the_hall: float = 0.25
    # Where there is a kiosk most go past the help desk.
    at_the_kiosk: float = 0.6
    # A card is asked for and mostly at hand.
    shows_card: float = 0.7
    # Few look up their real name before an item asks for it; the elderly among them count as such.
    proves_name: float = 0.1
    # Of those, who has a parent to come for; and how often it is for her that they come.
    for_parent: float = 0.5
    # The disabled, pregnant, soldiers, and parents with an infant; all of them together.
    claims: float = 0.04
    # A move of house or a birth is several items; a shop that opens, too.
    several_items: float = 0.04

    # Of those with a name proven: a death in the family, a soldier's return. The form asks for it.
    bundles: float = 0.15

    # Of those with a phone: a department is at work on something of hers, or has just ended it.
    asked_before: float = 0.4

    # --- who books ---

    # By phone instead of a number now; most want one of the next slots.
    books: float = 0.12
    books_soon: float = 0.7
    # Keeps the place for some minutes, to ask somebody.
    holds_first: float = 0.2
    moves_booking: float = 0.08
    cancels_booking: float = 0.06
    # As halls report it where nothing follows from it.
    misses_booking: float = 0.07
    # Where nothing is free: waits for what is given back.
    waits_for_place: float = 0.5
    # Of those without a phone: has the desk book for her, and comes for it by her card.
    books_at_desk: float = 0.05

    # --- who waits ---

    gives_up: float = 0.06
    # Is late, and keeps her place behind others.
    lets_pass: float = 0.05
    # Looks at other halls, and goes if one is clearly less busy.
    looks_elsewhere: float = 0.08
    # Tells by her phone that she has come; not every hall asks for it.
    checks_in: float = 0.2
    # Sends her family the code of her number.
    shares: float = 0.04

    # --- who is called ---

    comes_when_called: float = 0.92
    # Clerks mostly call again before they mark somebody as missed, and a third then hear it.
    recalls: float = 0.8
    comes_when_recalled: float = 0.35
    # Of those who were missed, who was only in the corridor and asks at the desk.
    comes_back: float = 0.5

    # --- at the counter ---

    # "Go and copy this": a paper is missing that can be got at the hall.
    parks: float = 0.03
    # Came to the wrong line, to the wrong counter, or to a hall that cannot do it today.
    sent_to_line: float = 0.015
    sent_to_counter: float = 0.015
    sent_to_hall: float = 0.008
    # The wrong button, seen at once.
    slips: float = 0.015
    # "And while I am here…"
    next_item: float = 0.03
    # A short pause once in forty visits, a colleague takes over once in eighty.
    pauses: float = 1 / 40
    hands_over: float = 1 / 80
    # Is called away just when somebody was called.
    closes_early: float = 1 / 150
    # Somebody falls ill or shouts; rarer in life, but who looks at the demo should see it.
    calls_for_help: float = 1 / 300

    # --- the manager of a hall ---

    announces_per_hour: float = 0.5
    opens_overflow_per_hour: float = 1.0  # looks so often, and does so where a line is long
    reassigns_per_hour: float = 0.3
    pauses_line_per_hour: float = 0.15
    stops_line_per_hour: float = 0.1
