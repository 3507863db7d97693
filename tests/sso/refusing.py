"""What every refusal of the provider looks like."""

import httpx


def assert_refused(answer: httpx.Response, status: int, error: str) -> None:
    assert (answer.status_code, answer.json()["error"]) == (status, error), answer.text
    assert answer.headers["cache-control"] == "no-store"
    assert set(answer.json()) == {"error", "error_description"}


def assert_nowhere(page: httpx.Response) -> None:
    """A page that says what is wrong, and no redirect."""
    assert page.status_code == 400
    assert "location" not in page.headers
    assert "无法继续" in page.text
