"""No notice says more of anybody than its template declares: not its text, its row or a figure."""

import json
import re
from typing import Any

from models.database import rows
from models.notice_kinds import RULES
from server.notices.templates import fill, shipped
from server.notices.wording import words_of
from tests.conftest import Api
from tests.counters.halls import a_ticket
from tests.leaks import LEAKS
from tests.notices.post import Post, notices_of, openid_of
from tests.notices.test_channels import calls, texts, with_a_phone

PHONE = "13912340088"
# What is known of people; no kind of notice may name any of it.
PERSONAL = frozenset(
    {"name", "id_number", "phone", "address", "born", "age", "family", "company", "email"}
    | {"openid", "residence", "citizen", "person", "gender"}
)
_NAMED = re.compile(r"\{(\w+)\}")


def test_no_kind_may_name_who_somebody_is() -> None:
    for kind, rule in RULES.items():
        assert not rule.words & PERSONAL, kind


def test_a_text_is_made_of_what_its_template_names_and_of_nothing_else(api: Api) -> None:
    for template in shipped().values():
        patterns = [*template.patterns.values(), template.text]
        named = {word for pattern in patterns for word in _NAMED.findall(pattern)}
        assert named <= RULES[template.kind].words
        # Each fact says its own name; those that are not declared, and who she is, beside them.
        words = {word: f"<{word}>" for word in RULES[template.kind].words | PERSONAL}
        for pattern in patterns:
            said = set(re.findall(r"<(\w+)>", fill(pattern, words)))
            assert said == set(_NAMED.findall(pattern))


def test_facts_that_nobody_declared_have_no_words(api: Api) -> None:
    facts: dict[str, Any] = dict.fromkeys(PERSONAL, "林小满") | {"number": "E001"}
    room = api.services
    words = words_of(
        facts, hall_id=None, at=room.clock.now(), directory=room.directory, english=False
    )
    assert set(words) == {"number", "time"}


async def test_what_is_sent_kept_and_counted_of_a_call_names_nobody(
    api: Api, hall: str, post: Post
) -> None:
    lin, ticket = await a_ticket(api, hall)
    await with_a_phone(api, post, lin, PHONE)
    wish = {"channels": ["sms"], "muted": [], "language": "zh"}
    assert (await lin.put("/me/notice-preferences", wish)).status_code == 200
    counter = await calls(api, hall)
    await post.goes()
    [message] = await texts(post, PHONE)
    names = shipped()["ticket_called", "sms", False]
    entry = api.services.directory.hall(hall)
    known = {"number": ticket["number"], "hall": entry.name, "counter": counter}
    assert set(known) == {word for each in names.patterns.values() for word in _NAMED.findall(each)}
    assert message["fields"] == names.filled(known)
    who = lin.session["citizen"]["id"]
    [kept] = await rows(
        "SELECT n.facts::text AS facts, n.fault, a.code, a.subject"
        " FROM notice n JOIN notice_attempt a ON a.notice_id = n.id"
        " WHERE n.citizen_id = $1::text::uuid",
        who,
    )
    # Her phone is nowhere but with her; facts are the kind's own.
    assert kept["subject"] is None
    allowed = RULES[(await of_kind(who))].words | {"item_en", "line"}
    assert set(json.loads(kept["facts"])) <= allowed
    figures = (await api.http.get("/metrics")).text
    shown = json.dumps(await notices_of(lin), ensure_ascii=False)
    secrets = [PHONE, "测试市民", await openid_of(lin)]
    for said in (json.dumps(message["fields"], ensure_ascii=False), kept["facts"], figures, shown):
        assert not [secret for secret in secrets if secret in said]
    assert who not in figures
    # And the logs of all this, which are searched when the session ends.
    LEAKS.keep_secret(PHONE)


async def of_kind(who: str) -> Any:
    [found] = await rows("SELECT kind FROM notice WHERE citizen_id = $1::text::uuid", who)
    return found["kind"]
