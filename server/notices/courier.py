"""Couriers: claim notices that are due, ask one channel at a time, and write how it went.

Nothing is held in a transaction while a platform is asked. A courier that dies leaves its claims to
run out; what it may have sent is then asked after before it is sent anew.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Final
from uuid import UUID

import structlog

from integrations.ports import PlatformRefused, PlatformUnavailable
from integrations.ports_message import Message, Messenger
from models import notice_delivery
from models.knowing import PHONE
from models.notice_delivery import Begin, Outcome
from models.notice_kinds import Urgency
from models.notices import AttemptResult, NoticeState
from models.sealing import NotOpened, Sealer
from scheduler.quiet import quiet_s
from server.clock import Clock
from server.faults import is_store_fault
from server.halls.directory import Directory
from server.notices.choosing import MOST_CLAIMS, MOST_TRIES, Due, Route, due_of, routes
from server.notices.outcomes import Errand, again, failed, held_up, outcome, refused, unreached
from server.notices.resting import Rests
from server.notices.silences import Silences
from server.notices.templates import Templates, fill
from server.notices.wording import words_of

log = structlog.get_logger()

POLL_S: Final = 0.2
FLUSH_EVERY_S: Final = 0.02
STORE_AWAY_S: Final = 1.0
# A platform that is asked takes it so much later at most: then too it must be of use.
IN_TIME: Final = timedelta(seconds=6)


class Courier:
    """Delivers notices of an urgency from `least` to `most`, up to `at_once` at a time."""

    def __init__(
        self,
        messengers: Mapping[str, Messenger],
        templates: Templates,
        *,
        directory: Callable[[], Directory],
        sealer: Sealer,
        clock: Clock,
        least: int = Urgency.TURN,
        most: int = Urgency.TURN,
        at_once: int = 32,
    ) -> None:
        self._messengers = messengers
        self._templates = templates
        self._directory = directory
        self._sealer = sealer
        self._clock = clock
        self._least, self._most = least, most
        self._at_once = at_once
        # What is urgent is claimed one by one; what can wait, several with each statement.
        self._least_room = 1 if least == Urgency.TURN else max(1, at_once // 2)
        self._running: set[asyncio.Task[None]] = set()
        self._outcomes: list[Outcome] = []
        self._rests = Rests()
        self._silences = Silences(messengers)

    async def run_forever(self) -> None:
        """Deliver what is due until cancelled; what is under way then is left to its lease."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._take_forever())
            group.create_task(self._write_forever())

    async def once(self) -> int:
        """Deliver what is due now, up to `at_once`, and write how it went; how many that were."""
        await self._templates.follow()
        claimed, errands = await self._take(self._at_once)
        await asyncio.gather(*(self._deliver(errand) for errand in errands))
        await self._write()
        return claimed

    async def _take_forever(self) -> None:
        while True:
            try:
                await self._templates.follow()
                room = self._at_once - len(self._running)
                is_full = room < self._least_room
                claimed, errands = (0, []) if is_full else await self._take(room)
            except Exception as fault:
                if not is_store_fault(fault):
                    raise
                log.warning("notices_not_claimed", fault=type(fault).__name__)
                await asyncio.sleep(STORE_AWAY_S)
                continue
            for errand in errands:
                task = asyncio.create_task(self._deliver(errand))
                self._running.add(task)
                task.add_done_callback(self._running.discard)
            if not claimed:
                await self._rest(is_full=is_full)

    async def _rest(self, *, is_full: bool) -> None:
        if is_full:
            await asyncio.wait(self._running, return_when=asyncio.FIRST_COMPLETED)
        else:
            await asyncio.sleep(POLL_S)

    async def _write_forever(self) -> None:
        """Write outcomes soon, those of a moment together."""
        while True:
            await asyncio.sleep(FLUSH_EVERY_S)
            try:
                await self._write()
            except Exception as fault:
                if not is_store_fault(fault):
                    raise
                log.warning("notices_not_written", fault=type(fault).__name__)
                await asyncio.sleep(STORE_AWAY_S)

    async def _write(self) -> None:
        if not self._outcomes:
            return
        written, self._outcomes = self._outcomes, []
        try:
            await notice_delivery.finish(written)
        except BaseException:
            self._outcomes = written + self._outcomes
            raise

    # --- what is due -----------------------------------------------------------------------

    async def _take(self, limit: int) -> tuple[int, list[Errand]]:
        """Claim notices; how many, and those that are to be sent, begun."""
        found = [due_of(row) for row in await notice_delivery.claim(self._least, self._most, limit)]
        # A person's notices by one template go one after the other: each spends a permission.
        planned: dict[tuple[str, str | None, str, UUID | None], tuple[Due, Route, bool]] = {}
        await self._silences.follow(found)
        # What may have been sent goes first: until that is known it keeps the others of her back.
        for due in sorted(found, key=lambda due: not due.is_open):
            if (settled := self._settled(due)) is not None:
                self._outcomes.append(settled)
                continue
            ways = routes(due, self._messengers, self._templates)
            if not ways:
                self._outcomes.append(unreached(due))
                continue
            way = self._rests.first_awake(ways) if due.urgency == Urgency.TURN else ways[0]
            if self._silences.is_enough(due, way):
                self._outcomes.append(outcome(due, NoticeState.KEPT, fault="unsure"))
                continue
            if rest_s := self._rests.left_s(way.channel):
                self._outcomes.append(again(due, rest_s))
                continue
            hers = None if way.subject else due.id
            key = (way.channel, way.subject, way.template.template_id, hers)
            if key in planned:
                self._outcomes.append(held_up(due))
                continue
            planned[key] = (due, way, len(ways) > 1)
        return len(found), await self._begun(list(planned.values()))

    async def _begun(self, planned: Sequence[tuple[Due, Route, bool]]) -> list[Errand]:
        if not planned:
            return []
        begun = await notice_delivery.begin(
            [
                Begin(
                    due.id,
                    way.channel,
                    way.subject,
                    way.template.template_id,
                    self._messengers[way.channel].is_counted,
                    self._spends(due, way),
                )
                for due, way, _ in planned
            ]
        )
        for due, _, _ in planned:
            if due.id not in begun:
                self._outcomes.append(held_up(due))
        return [
            Errand(due, way, begun[due.id], other) for due, way, other in planned if due.id in begun
        ]

    def _spends(self, due: Due, way: Route) -> bool:
        """Whether an attempt needs a permission of its own: not where one was spent for nothing."""
        return self._messengers[way.channel].is_counted and not (
            due.tried and due.tried[-1].channel == way.channel and due.tried[-1].is_unsure
        )

    def _settled(self, due: Due) -> Outcome | None:
        """What is decided without asking anybody."""
        now = self._clock.now()
        if not due.holds or now + IN_TIME * self._clock.speed >= due.useful_until:
            return outcome(due, NoticeState.EXPIRED, fault="over" if due.holds else "moved_on")
        if word_s := self._silences.word_in_s(due):
            return again(due, word_s)
        if len(due.tried) >= MOST_TRIES or due.tries > MOST_CLAIMS:
            return outcome(due, NoticeState.DEAD, fault="tried_too_often")
        if due.urgency != Urgency.TURN:
            quiet = quiet_s(now, due.quiet_from, due.quiet_to)
            if quiet > 0:
                return again(due, quiet / self._clock.speed)
        return None

    # --- on its way ------------------------------------------------------------------------

    async def _deliver(self, errand: Errand) -> None:
        """Send one; whatever happens is an outcome."""
        channel = errand.route.channel
        try:
            number = await self._messengers[errand.route.channel].send(self._message(errand))
        except PlatformRefused as no:
            self._rests.answered(channel)
            self._outcomes.append(refused(errand, no))
        except PlatformUnavailable as away:
            self._rests.silent(channel)
            self._outcomes.append(failed(errand, away))
        except NotOpened:
            log.error("phone_not_opened")
            self._outcomes.append(refused(errand, PlatformRefused("phone_invalid", "not_opened")))
        except Exception as fault:
            # One that cannot be sent keeps no other, and is not forgotten.
            log.error("notice_not_sent", channel=errand.route.channel, fault=type(fault).__name__)
            self._outcomes.append(failed(errand, PlatformUnavailable(60)))
        else:
            self._rests.answered(channel)
            self._outcomes.append(
                outcome(
                    errand.due,
                    NoticeState.SENT,
                    channel=errand.route.channel,
                    attempt_id=errand.attempt_id,
                    result=AttemptResult.ACCEPTED,
                    message_no=number or None,
                )
            )

    def _message(self, errand: Errand) -> Message:
        due, way = errand.due, errand.route
        words = words_of(
            due.facts,
            hall_id=due.hall_id,
            at=due.happened_at,
            directory=self._directory(),
            english=way.template.english,
        )
        opened = {
            "ticket": str(due.ticket_id or ""),
            "subject": str(due.subject_id or ""),
            "notice": str(due.id),
        }
        return Message(
            to=way.subject or self._phone(due),
            template_id=way.template.template_id,
            fields=way.template.filled(words),
            page=fill(way.template.page, opened),
            english=way.template.english,
            reference=due.id.hex,
        )

    def _phone(self, due: Due) -> str:
        assert due.phone is not None, "a route by phone has one"
        return self._sealer.open(due.phone, field=PHONE, owner=due.citizen_id)
