"""What comes in one file says the same as the modules it is made of."""

import re
from pathlib import Path

import httpx
import pytest

from server.web.files import STATIC
from server.web.joining import NotJoinable, join
from tests.conftest import City

FILES = ("citizen/first.js", "citizen/rest.js")
EXPORT = re.compile(r"^export (?:async )?(?:function|class|const) (\w+)", re.MULTILINE)


def a_page(folder: Path, **modules: str) -> Path:
    for name, source in modules.items():
        (folder / f"{name}.js").write_text(source)
    return folder


def test_every_view_is_in_one_of_the_two_files_once_and_exports_what_it_did() -> None:
    made = join(STATIC, "citizen/main.js", early=["citizen/halls.js"], files=FILES)
    views = {path.name for path in (STATIC / "citizen").glob("*.js")} - {"signed-in.js"}
    for name in views:
        variable = "$citizen_" + re.sub(r"\W", "_", name.removesuffix(".js"))
        found = [
            returned
            for source in made.values()
            for returned in re.findall(
                rf"^const {re.escape(variable)} = .*?^return {{ (.*?) }};$", source, re.M | re.S
            )
        ]
        exported = EXPORT.findall((STATIC / "citizen" / name).read_text())
        assert found == [", ".join(exported)], name
    assert not re.search(r'import\("(?!\./rest\.js")', made[FILES[0]])
    assert 'import("' not in made[FILES[1]]


def test_what_is_needed_comes_first_and_what_is_passed_on_keeps_its_name(tmp_path: Path) -> None:
    folder = a_page(
        tmp_path,
        main='import { two as both } from "./b.js";\nimport("./late.js");\n',
        b='import { one } from "./a.js";\nexport { one } from "./a.js";\nexport const two = one;\n',
        a="export const one = 1;\n",
        late='import { one } from "./b.js";\nexport const three = 2 + one;\n',
    )
    made = join(folder, "main.js", early=[], files=("first.js", "rest.js"))
    first, rest = made["first.js"], made["rest.js"]
    assert first.index("const $a") < first.index("const $b") < first.index("const $main")
    assert "const { two: both } = $b;" in first
    assert "return { two, one: $a.one };" in first
    assert 'import("./rest.js").then((all) => all.$late)' in first
    assert rest.startswith('import { $a, $b, $main } from "./first.js";')
    assert "const $late" in rest


@pytest.mark.parametrize(
    "source",
    ["export let changes = 1;", 'import whole from "./a.js";', "export default 1;"],
)
def test_what_would_be_lost_is_refused_at_the_start(tmp_path: Path, source: str) -> None:
    folder = a_page(tmp_path, main=f"{source}\n", a="export const one = 1;\n")
    with pytest.raises(NotJoinable, match=r"main\.js"):
        join(folder, "main.js", early=[], files=("first.js", "rest.js"))


def test_modules_that_need_each_other_are_refused(tmp_path: Path) -> None:
    folder = a_page(
        tmp_path,
        main='import { a } from "./a.js";\nexport const m = 1;\n',
        a='import { m } from "./main.js";\nexport const a = 1;\n',
    )
    with pytest.raises(NotJoinable, match="needs itself"):
        join(folder, "main.js", early=[], files=("first.js", "rest.js"))


async def test_a_long_list_comes_compressed_to_whoever_takes_it_so(
    city: City, http: httpx.AsyncClient
) -> None:
    async def lists(encoding: str) -> httpx.Response:
        asked = {"Accept-Encoding": encoding}
        return await http.get("/api/v1/halls", params={"limit": 100}, headers=asked)

    plain, small = await lists("identity"), await lists("gzip")
    assert "content-encoding" not in plain.headers
    assert small.headers["content-encoding"] == "gzip"
    assert plain.headers["vary"] == small.headers["vary"] == "Accept-Encoding"
    assert small.num_bytes_downloaded < len(plain.content) / 4
    assert [hall["code"] for hall in small.json()["data"]]
