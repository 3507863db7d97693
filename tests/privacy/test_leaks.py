"""The search for leaks finds what leaks; it runs over every session of the tests."""

import logging

import httpx
import structlog

from tests.leaks import LEAKS, Leaks, Overhearing
from tests.people import an_id_number

NUMBER = "11010519491231002X"
PHONE = "13912345678"


def leaks() -> Leaks:
    made = Leaks()
    made.keep_secret(NUMBER, PHONE, "林小满")
    return made


def test_a_secret_is_found_wherever_it_was_said() -> None:
    for said in (
        f"id={NUMBER}",
        f"x{NUMBER.lower()}",
        f"+86{PHONE}",
        "欢迎林小满女士",
        f"{PHONE}99",
    ):
        made = leaks()
        made.hear("log", said)
        [found] = made.found()
        assert found.endswith("… in log")
        assert NUMBER not in found
        assert PHONE not in found


def test_masked_numbers_and_other_peoples_are_no_leak() -> None:
    made = leaks()
    made.hear("log", "1101**********002X 139****5678 林** 13912345679 1795000000000000")
    assert made.found() == []


async def test_errors_answered_to_a_client_are_heard_and_other_answers_are_not() -> None:
    made = leaks()
    answers = {"/me": (200, PHONE), "/wrong": (422, f"not {PHONE}")}

    def answer(request: httpx.Request) -> httpx.Response:
        status, text = answers[request.url.path]
        return httpx.Response(status, text=text)

    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as http:
        made.listen_to(http)
        await http.get("http://city/me")
        assert made.found() == []
        await http.get("http://city/wrong")
    assert made.found() == ["1391… in error 422 of /wrong"]


def test_logs_of_ours_and_of_libraries_are_heard() -> None:
    made = leaks()
    made.hear_event(None, "info", {"event": "request", "name": "林小满"})
    handler = Overhearing(made)
    handler.handle(logging.LogRecord("library", 40, "", 0, "said %s", (PHONE,), None))
    assert made.found() == ["林小满… in log", "1391… in log of library"]


def test_the_whole_session_is_listened_to() -> None:
    before = len(LEAKS._said)
    structlog.get_logger().info("heard")
    logging.getLogger("somebody").warning("heard too")
    assert len(LEAKS._said) == before + 2
    assert an_id_number() in LEAKS._numbers
