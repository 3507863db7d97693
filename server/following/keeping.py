"""What a citizen follows: kept by a code that she was given, listed, let go."""

from datetime import date
from uuid import UUID

from models import following
from models.database import Transaction, transaction
from models.digests import digest_of
from models.following import MOST_FOLLOWED, MOST_FOLLOWERS
from models.joined import current_id, held
from server.auth import Principal
from server.errors import NotFound
from server.following.refusals import OwnTicket, TooManyFollowed, TooManyFollowers
from server.following.views import FollowView, Viewer
from server.http.idempotency import Once
from server.http.limits import Limits
from server.live.feed import Feed
from server.live.grants import FollowCodeUnknown, FollowOver, guessing


async def keep(
    code: str,
    who: Principal,
    once: Once,
    *,
    viewer: Viewer,
    limits: Limits,
    address: str,
    today: date,
) -> FollowView:
    """Let a citizen follow the ticket of a code; who does already may say so again.

    Raises FollowCodeUnknown, FollowOver, OwnTicket, TooManyFollowed, TooManyFollowers or
    TooManyRequests. Locks her, then the ticket.
    """
    async with guessing(limits, address), transaction() as tx:
        await once.claim(tx)
        me = await held(tx, who.id)
        ticket_id = await _kept(tx, code, me, today)
        view = await viewer.ticket(ticket_id, tx=tx)
        await once.keep(tx, view, status=201)
    return view


async def _kept(tx: Transaction, code: str, me: UUID, today: date) -> UUID:
    found = await following.by_code(digest_of(code), tx=tx)
    if found is None:
        raise FollowCodeUnknown
    ticket_id = found[0].ticket_id
    ticket = await tx.row(
        "SELECT citizen_id, acting_id FROM ticket WHERE id = $1 FOR NO KEY UPDATE", ticket_id
    )
    # Again, now that nobody can end it.
    grant, is_over = await following.by_code(digest_of(code), tx=tx) or found
    if ticket is None or is_over or grant.day != today:
        raise FollowOver
    if me in (ticket["citizen_id"], ticket["acting_id"]):
        raise OwnTicket
    kept = await following.all_of(me, today, tx=tx)
    if any(one.ticket_id == ticket_id for one in kept):
        return ticket_id
    if len(kept) >= MOST_FOLLOWED:
        raise TooManyFollowed
    if await following.followers(tx, ticket_id) >= MOST_FOLLOWERS:
        raise TooManyFollowers
    await following.add_follower(tx, ticket_id, today, me)
    return ticket_id


async def list_of(who: Principal, *, viewer: Viewer, today: date) -> list[FollowView]:
    """What a citizen follows today, newest first."""
    me = await current_id(who.id) or who.id
    return [await viewer.ticket(one.ticket_id) for one in await following.all_of(me, today)]


async def let_go(ticket_id: UUID, who: Principal, feed: Feed) -> None:
    """A citizen follows a ticket no longer. Raises NotFound where she does not."""
    async with transaction() as tx:
        me = await held(tx, who.id)
        ended = await following.end_all(tx, ticket_id, of=me)
        if not ended:
            raise NotFound
    await feed.sign_ins_ended(*ended)
