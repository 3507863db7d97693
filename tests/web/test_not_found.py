"""Where there is nothing, a browser finds a page and a program a problem document."""

import httpx

from tests.conftest import Api

BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}


async def by_browser(api: Api, path: str, method: str = "GET") -> httpx.Response:
    return await api.http.request(method, path, headers=BROWSER)


async def test_a_browser_finds_a_page_in_both_languages(api: Api) -> None:
    reply = await by_browser(api, "/no/such/page")
    assert reply.status_code == 404
    assert reply.headers["content-type"] == "text/html; charset=utf-8"
    assert reply.headers["vary"] == "Accept"
    assert "没有这个页面" in reply.text
    assert "There is no such page" in reply.text
    assert "default-src 'none'" in reply.headers["content-security-policy"]
    assert reply.headers["x-request-id"]
    head = await by_browser(api, "/no/such/page", "HEAD")
    assert (head.status_code, head.content) == (404, b"")


async def test_the_page_says_nothing_of_the_address_that_was_asked_for(api: Api) -> None:
    assert "script>alert" not in (await by_browser(api, "/<script>alert(1)</script>")).text


async def test_programs_and_the_api_find_a_problem_document(api: Api) -> None:
    for reply in (
        await api.http.get("/no/such/page"),
        await by_browser(api, "/api/v1/nowhere"),
        await by_browser(api, "/api/v1/halls/dg-99"),
        await by_browser(api, "/oauth2/nowhere"),
    ):
        assert reply.status_code == 404
        assert reply.headers["content-type"] == "application/problem+json"


async def test_the_index_links_to_the_document_the_docs_and_the_state(api: Api) -> None:
    links = (await api.http.get("/")).links
    assert links["service-desc"]["url"] == "/docs/openapi.json"
    assert links["service-doc"]["url"] == "/docs"
    assert links["status"]["url"] == "/readyz"
    for link in links.values():
        assert (await api.http.get(link["url"])).status_code == 200, link
