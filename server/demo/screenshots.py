"""Pictures of every page in every state, at three sizes, for people to look at."""

import asyncio
from importlib.util import find_spec
from pathlib import Path
from shutil import which
from typing import TYPE_CHECKING, Annotated, Final

import typer

from server.commands.ground import console, fail
from server.demo.pages import walk
from server.demo.walking import City, Manner

if TYPE_CHECKING:
    from playwright.async_api import Page

SIZES: Final = ((360, 780), (768, 1024), (1920, 1080))
_LOOSEN: Final = """loose => document.querySelectorAll('.tabs, .top').forEach(
    one => one.style.position = loose ? 'static' : '')"""
FLAGS: Final = ("--no-sandbox", "--disable-gpu", "--disable-background-networking")


Url = Annotated[str, typer.Option(help="Where a demo city runs.")]
Out = Annotated[Path, typer.Option(help="Where the pictures go.")]
Hall = Annotated[str, typer.Option(help="Which hall is shown.")]
Counter = Annotated[str, typer.Option(help="At which of its counters a clerk works.")]
Language = Annotated[str, typer.Option(help="zh or en.")]
Large = Annotated[bool, typer.Option("--large", help="In large type.")]


async def take_pictures(city: City, manner: Manner, out: Path) -> int:
    """Write `<page>-<state>-<width>.png` of a running demo; how many. Needs Chromium."""
    chromium = which("chromium") or which("google-chrome")
    if chromium is None or find_spec("playwright") is None:
        raise fail("Chromium and the development packages are needed: see `make test`.", 2)
    from playwright.async_api import async_playwright  # noqa: PLC0415 only who develops has it

    taken = 0

    async def look(name: str, page: "Page") -> None:
        nonlocal taken
        for width, height in SIZES:
            await page.set_viewport_size({"width": width, "height": height})
            await page.wait_for_timeout(150)
            whole = not name.startswith("board") or width < 600
            # What is fixed to the window would stand in the midst of a whole page.
            await page.evaluate(_LOOSEN, whole)
            await page.screenshot(path=out / f"{name}-{width}.png", full_page=whole)
            taken += 1
        await page.evaluate(_LOOSEN, False)
        await page.set_viewport_size({"width": SIZES[0][0], "height": SIZES[0][1]})
        console.print(f"  {name}")

    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=list(FLAGS))
        await walk(browser, city, manner, look)
        await browser.close()
    return taken


def screenshots(  # noqa: PLR0917 options, not positions
    out: Out,
    url: Url = "http://127.0.0.1:8000",
    hall: Hall = "dg-01",
    counter: Counter = "01",
    language: Language = "zh",
    large: Large = False,
) -> None:
    """为每个页面截图。 Write pictures of every page and state of a running demo, at three sizes."""
    out.mkdir(parents=True, exist_ok=True)
    city = City(url.rstrip("/"), hall, counter)
    taken = asyncio.run(take_pictures(city, Manner(language=language, large=large), out))
    console.print(f"{taken} pictures in {out}")
