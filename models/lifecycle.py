"""The life of a ticket, drawn from `TRANSITIONS`.

`python -m models.lifecycle > docs/lifecycle.md` writes the page; a test compares.
"""

import sys

from models.tickets import OPEN_STATES, TRANSITIONS, UNDOABLE, Move, TicketState

HEAD = """\
# The life of a ticket

Made from `TRANSITIONS` in `models/tickets.py` by `python -m models.lifecycle > docs/lifecycle.md`.
What is not drawn cannot happen: it is refused as `wrong_state`, and nothing changes.
Each arrow writes an event in the same transaction: when, who, for whom, at which counter, why, and
what the ticket got by it. The events alone tell where a ticket stands (`models/history.py`).

```mermaid
stateDiagram-v2
    [*] --> waiting: issue
"""
TELLS = {
    Move.ISSUE: "a number is taken, with a place in the order: its rank time",
    Move.CALL: "a counter calls the first by rank time",
    Move.RECALL: "calls her again, as often as the hall allows",
    Move.START: "she has come",
    Move.PARK: "she has something to do first; the counter is free meanwhile",
    Move.RESUME: "a counter of the hall goes on with her",
    Move.FINISH: "she is done",
    Move.MISS: "she has not come",
    Move.RETURN: "she comes back within the hall's grace; she waits from now and a penalty later",
    Move.TRANSFER: "a clerk sends her to another line, counter or hall",
    Move.RETURN_TO_LINE: "the counter closes before she has come; she waits in her place as before",
    Move.MOVE: "she goes to another hall; her rank time stays",
    Move.REROUTE: "another line takes her: hers is stopped, or she has paid; her rank time stays",
    Move.STAY: "her line is stopped, nobody else takes her: she waits on, and the board says why",
    Move.LET_PASS: "she keeps her place behind some people more",
    Move.CLAIM: "she says that she has priority; that alone changes nothing",
    Move.CONFIRM: "her claim is true: her rank time is the hall's credit earlier, once",
    Move.REFUSE: "staff looked at her papers: her claim does not stand, and she waits as before",
    Move.CHECK_IN: "she is at the hall: by her phone's place, or because staff see her",
    Move.CANCEL: "she gives up",
    Move.MERGE: "two accounts were one person's, and this the lesser of two tickets for one item",
    Move.LAPSE: "the day has ended, and nobody will serve her any more",
    Move.UNDO: "the counter takes its last step back, within 30 seconds: all stands as before",
}


def lifecycle_page() -> str:
    """The whole page."""
    arrows: dict[tuple[TicketState, TicketState], list[str]] = {}
    for (before, move), after in TRANSITIONS.items():
        arrows.setdefault((before, after), []).append(move.value)
    lines = [
        f"    {before.value} --> {after.value}: {', '.join(moves)}\n"
        for (before, after), moves in arrows.items()
    ]
    ends = [f"    {state.value} --> [*]\n" for state in TicketState if state not in OPEN_STATES]
    return HEAD + "".join([*lines, *ends, "```\n\n", *_table()])


def _table() -> list[str]:
    rows = [f"| `{move.value}` | {TELLS[move]} | {_undone(move)} |\n" for move in Move]
    return ["| what happens | | can be undone |\n|---|---|---|\n", *rows]


def _undone(move: Move) -> str:
    return "yes" if move in UNDOABLE else ""


if __name__ == "__main__":
    sys.stdout.write(lifecycle_page())
