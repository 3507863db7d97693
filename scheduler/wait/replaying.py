"""A trace through exactly the code that runs live, in time order; each night learns of its day."""

from collections.abc import Iterable, Iterator

from scheduler.wait.city import Range
from scheduler.wait.events import Event
from scheduler.wait.halls import FARTHEST_DAY
from scheduler.wait.predictor import Waits
from scheduler.wait.refit import Learned


def replayed(events: Iterable[Event], waits: Waits) -> Iterator[tuple[Event, Range | None]]:
    """Each event with what it promises to whoever joins by it; None for all others.

    What follows an event is not read before it is answered. No night comes of a day that is too far
    off: one such row would end all nights.
    """
    learned = Learned()
    day: int | None = None
    for event in events:
        if day is None:
            day = event.day
        elif day < event.day <= day + FARTHEST_DAY:
            learned.keep(waits.drain_rows())
            waits.city.close_day()
            for kind, (trees, rows) in learned.refit(day).items():
                waits.city.trees[kind].learn(trees, rows)
            day = event.day
        promise = waits.hear(event)
        yield event, promise.shown if promise else None
