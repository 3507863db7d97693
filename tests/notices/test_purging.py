"""Old notices are forgotten; who was told, sooner."""

from uuid import UUID

from models.database import rows
from server.notices.purging import purge_notices
from tests.conftest import Api
from tests.counters.halls import a_ticket, done, open_counters
from tests.notices.post import Post, notices_of


async def test_what_is_old_is_forgotten_and_whom_it_reached_sooner(
    api: Api, hall: str, post: Post
) -> None:
    lin, _ = await a_ticket(api, hall)
    await post.allow(lin, "ticket_called")
    await post.until_allowed(lin, "ticket_called", 1)
    clerk = await api.clerk(hall)
    [counter, *_] = await open_counters(clerk, hall, "E")
    await done(clerk, hall, counter, "call-next")
    await post.goes()
    me = UUID(lin.session["citizen"]["id"])

    async def settled(days: int) -> list[str | None]:
        """Her attempts' subjects, after it was settled so long ago."""
        await rows(
            "UPDATE notice SET settled_at = now() - make_interval(days => $2)"
            " WHERE citizen_id = $1",
            me,
            days,
        )
        await purge_notices()
        found = await rows(
            "SELECT subject FROM notice_attempt a JOIN notice n ON n.id = a.notice_id"
            " WHERE n.citizen_id = $1",
            me,
        )
        return [row["subject"] for row in found]

    [known] = await settled(29)
    assert known is not None
    assert await settled(31) == [None]
    assert len(await notices_of(lin)) == 1
    assert await settled(181) == []
    assert await notices_of(lin) == []
