"""Answers of the API meddled with where a page reads them: what is said by whoever means ill, and
what is not known.

It is done in the page, where JSON becomes values, so that the network stays as it is.
"""

import json
from typing import Any, Final

from playwright.async_api import BrowserContext

ATTACK: Final = '<script>window.attacked=1</script><img src=x onerror="window.attacked=1">'
# Two hundred characters and more: markup, from right to left, emoji, and no place to break.
HOSTILE: Final = f"{ATTACK} شكرا جزيلا \u202eמה 🧑‍🧑‍🧒🏳️‍🌈 {'长' * 70} {'w' * 60}"
# Whatever somebody has typed somewhere: citizens, clerks, managers, who writes a city's files.
TYPED: Final = (
    *("name", "name_en", "title", "body", "guide", "guide_en", "address", "text", "text_en"),
    *(
        "note",
        "note_en",
        "notes",
        "notes_en",
        "comment",
        "answer",
        "reason",
        "reason_en",
        "reason_text",
        "what",
    ),
    *("theme_name", "theme_name_en", "department_name", "department_name_en", "client_name"),
)
_MEDDLE: Final = """
(() => {
    const to = %s;
    const turned = (value, name) => {
        if (name in to && (to[name] === null || typeof value === typeof to[name])) return to[name];
        if (name in to && Array.isArray(value)) return value.map((one) => turned(one, name));
        if (Array.isArray(value)) return value.map((one) => turned(one));
        if (value === null || typeof value !== 'object') return value;
        const all = Object.entries(value);
        return Object.fromEntries(all.map(([key, one]) => [key, turned(one, key)]));
    };
    const json = Response.prototype.json, parse = JSON.parse;
    Response.prototype.json = async function () { return turned(await json.call(this)); };
    JSON.parse = (text) => turned(parse(text));
})();
"""


async def meddle(context: BrowserContext, to: dict[str, Any]) -> None:
    """Whatever has one of these names is what is given here; null whatever it was."""
    await context.add_init_script(_MEDDLE % json.dumps(to))


async def speak_hostile(context: BrowserContext) -> None:
    """Every text that somebody may have typed is an attacker's."""
    await meddle(context, dict.fromkeys(TYPED, HOSTILE))
