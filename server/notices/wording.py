"""What a notice's facts are called in words: names of halls, lines and items in her language."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from scheduler.calendar import SHANGHAI
from server.halls.directory import Directory, HallEntry

# Facts that are shown as they are.
_PLAIN: Final = ("number", "counter", "ahead", "minutes", "many")
# Facts that are texts, in both languages where there is one in English.
_TEXTS: Final = ("title", "step", "text", "because", "document")
# Moments, and how they are written.
_MOMENTS: Final = {"until": "%H:%M", "slot": "%Y-%m-%d %H:%M", "day": "%Y-%m-%d"}


def words_of(
    facts: Mapping[str, Any],
    *,
    hall_id: UUID | None,
    at: datetime,
    directory: Directory,
    english: bool,
) -> dict[str, str]:
    """The words that templates may name; a fact that is not known has none."""
    hall = _hall(directory, hall_id)
    words = {name: str(facts[name]) for name in _PLAIN if name in facts}
    for name in _TEXTS:
        if name in facts:
            words[name] = str(facts.get(f"{name}_en", facts[name]) if english else facts[name])
    if english and "title" in facts and "title_en" not in facts:
        words["title"] = _item_called(facts["title"], directory)
    if "ahead" in facts:
        words["soon"] = _soon(facts.get("minutes"), english=english)
    words["time"] = at.astimezone(SHANGHAI).strftime("%Y-%m-%d %H:%M")
    for name, shape in _MOMENTS.items():
        if name in facts:
            moment = datetime.fromisoformat(facts[name]).astimezone(SHANGHAI)
            words[name] = moment.strftime(shape)
    if "amount_fen" in facts:
        words["amount"] = f"¥{facts['amount_fen'] // 100}.{facts['amount_fen'] % 100:02d}"
    if hall is not None:
        words["hall"] = hall.name_en if english else hall.name
        for line in hall.lines.values():
            if facts.get("line") == str(line.id):
                words["line"] = line.name_en if english else line.name
    if "item" in facts and (item := directory.known_item(UUID(facts["item"]))):
        words["item"] = item.name_en if english else item.name
    if other := directory.halls.get(str(facts.get("other_hall"))):
        words["other_hall"] = other.name_en if english else other.name
    return words


def _item_called(name: str, directory: Directory) -> str:
    """In English: a bill bears the name of its item, unless a clerk gave it another title."""
    return next((item.name_en for item in directory.items.values() if item.name == name), name)


def _soon(minutes: int | None, *, english: bool) -> str:
    """In how many minutes, for a sentence that is whole also where nobody can say."""
    if minutes is None:
        return "soon" if english else "很快"
    return f"in about {minutes} min" if english else f"约{minutes}分钟后"


def _hall(directory: Directory, hall_id: UUID | None) -> HallEntry | None:
    return next((hall for hall in directory.halls.values() if hall.id == hall_id), None)
