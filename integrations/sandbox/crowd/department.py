"""The system of a department: what counters accepted becomes a case, and it tells how that goes."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Any
from uuid import uuid4

import structlog

from integrations.sandbox.crowd.agenda import Agenda
from integrations.sandbox.crowd.door import Answer, Door, Session
from integrations.sandbox.crowd.figures import Figures
from integrations.sandbox.crowd.pace import CHINA, Tempo
from integrations.sandbox.crowd.people import Person
from integrations.sandbox.crowd.plan import CrowdPlan

log = structlog.get_logger()

_CLIENT_ID = "simulated-case-system"
_SYSTEM = {
    "client_id": _CLIENT_ID,
    "name": "市直部门办件系统（模拟）",
    "name_en": "Departments' case system (simulated)",
    "redirect_uris": ["http://127.0.0.1/case-system"],
    "may_handle_cases": True,
}
# Another crowd on the same city may still use the secret that this one replaces.
_KEEP_OLD_S = 3_600
_PROMISED = timedelta(days=7)
# In life it takes days from one step to the next; whoever looks at the demo is to see it happen.
_BETWEEN_STEPS_S = (3 * 60.0, 15 * 60.0)
_REMEMBERS_WITHIN_S = 5 * 60.0
# Ten of these are working days, whatever day it is.
_MOST_DAYS_AGO = 14
_SATURDAY = 5


@dataclass(frozen=True, slots=True)
class Step:
    """What happened to a case. `promised`: until when the next step is promised counts from it."""

    name: str
    state: str
    note: str | None = None
    promised: bool = False


_REVIEW = Step("材料审核", "in_progress", promised=True)
_WANTED = Step(
    "补正通知", "waiting_for_materials", "请补充提交身份证复印件，可在任一窗口递交。", promised=True
)
_REVIEW_AGAIN = Step("补正材料审核", "in_progress", promised=True)
_APPROVAL = Step("审批", "in_progress", promised=True)
_FINISHED = Step("办结", "finished", "结果文书可在办事大厅领取，也可邮寄送达。")
_REFUSED = Step("不予许可", "refused", "申请人不符合办理条件，可依法申请行政复议。")
# How cases go, and of how many in a hundred.
_STORIES: tuple[tuple[int, tuple[Step, ...]], ...] = (
    (70, (_REVIEW, _APPROVAL, _FINISHED)),
    (24, (_REVIEW, _WANTED, _REVIEW_AGAIN, _APPROVAL, _FINISHED)),
    (6, (_REVIEW, _REFUSED)),
)


@dataclass(slots=True)
class _Case:
    """A case by the department's number and by the city's, and how many of its steps are told."""

    number: str
    no: str
    told: int = 0


class Department:
    """Tells the city of its cases; until it is registered it has none."""

    def __init__(
        self, plan: CrowdPlan, door: Door, agenda: Agenda, tempo: Tempo, figures: Figures
    ) -> None:
        self._plan = plan
        self._door = door
        self._agenda = agenda
        self._tempo = tempo
        self._figures = figures
        self._dice = Random(f"{plan.seed}/department")
        self._admin: Session | None = None
        self._secret: str | None = None
        self._registering = asyncio.Lock()
        self._items: Sequence[str] = ()

    async def open(self, admin: Session, items: Sequence[str]) -> None:
        """Have the system registered by an administrator; `items` are what anybody may ask for."""
        self._admin, self._items = admin, items
        await self._register(None)

    def accept(self, person: Person, item: str, hall: str) -> None:
        """A counter has accepted what somebody asks for: it becomes a case in a minute."""
        told = {"number": uuid4().hex, "item": item, "hall": hall, "id_number": person.id_number}

        async def begin() -> None:
            promised = {"due_at": _moment(self._tempo.now() + _PROMISED)}
            if (case := await self._begin(told | promised)) is not None:
                self._go_on(case, _story(self._dice))

        self._agenda.put(self._dice.uniform(20, 90), begin)

    def remember(self, person: Person) -> None:
        """Somebody who comes for the first time may have asked for something days ago."""
        # By the person alone, so that a crowd that comes again tells the same.
        dice = Random(f"{self._plan.seed}/case/{person.id_number}")
        if dice.random() >= self._plan.rates.asked_before or not self._items:
            return

        async def tell() -> None:
            await self._tell_of_days_ago(person, dice)

        self._agenda.put(self._dice.uniform(0, _REMEMBERS_WITHIN_S), tell)

    async def _tell_of_days_ago(self, person: Person, dice: Random) -> None:
        story = _story(dice)
        happened = dice.randint(1, len(story))
        told = {
            "number": f"{dice.getrandbits(64):016x}",
            "item": dice.choice(self._items),
            "id_number": person.id_number,
        }
        accepted, *days = working_days(self._tempo.now(), 1 + happened, dice)
        case = await self._begin(told | _dated(accepted, promised=True))
        if case is None:
            return
        for at in days:
            step = story[case.told]
            if not await self._tell(case, step, _dated(at, promised=step.promised)):
                return
        self._go_on(case, story)

    async def _begin(self, told: dict[str, Any]) -> _Case | None:
        """Tell of a case; None where the city knows another by its number."""
        answer = await self._ask("/cases", told)
        if not answer.ok:
            return None
        self._figures.cases += 1
        return _Case(told["number"], answer.body["no"])

    def _go_on(self, case: _Case, story: Sequence[Step]) -> None:
        """Tell the rest of the story, a step every few minutes."""
        if case.told == len(story):
            return

        async def tell() -> None:
            step = story[case.told]
            due = {"due_at": _moment(self._tempo.now() + _PROMISED)} if step.promised else {}
            if await self._tell(case, step, due):
                self._go_on(case, story)

        self._agenda.put(self._dice.uniform(*_BETWEEN_STEPS_S), tell)

    async def _tell(self, case: _Case, step: Step, times: dict[str, str]) -> bool:
        """Tell a case's next step; False where an earlier crowd has told another in its place."""
        number = f"{case.number}-{case.told + 1}"
        said = {"number": number, "name": step.name, "state": step.state, "note": step.note}
        answer = await self._ask(f"/cases/{case.no}/steps", said | times)
        self._figures.case_steps += answer.ok
        case.told += answer.ok
        return answer.ok

    async def _ask(self, what: str, body: dict[str, Any]) -> Answer:
        """Ask as the system; once more with a new secret where its own is not taken."""
        answer = Answer(401)
        for _ in range(2):
            secret = self._secret
            if secret is None:
                return answer
            path, basic = f"/api/v1/departments{what}", (_CLIENT_ID, secret)
            answer = await self._door.ask("POST", path, body, basic=basic)
            if answer.status != 401:
                return answer
            await self._register(secret)
        return answer

    async def _register(self, refused: str | None) -> None:
        """Get a secret, unless somebody got another than the `refused` one meanwhile."""
        async with self._registering:
            if self._secret != refused or self._admin is None:
                return
            clients = "/api/v1/admin/sso/clients"
            made = await self._admin.ask("POST", clients, _SYSTEM)
            if made.code == "client_exists":
                path = f"{clients}/{_CLIENT_ID}/secret"
                made = await self._admin.ask("POST", path, {"keep_old_s": _KEEP_OLD_S})
            self._secret = made.body["client_secret"] if made.ok else None
            if self._secret is None:
                log.warning("no_case_system", status=made.status, code=made.code)


def _story(dice: Random) -> tuple[Step, ...]:
    stories, many = [story for _, story in _STORIES], [many for many, _ in _STORIES]
    return dice.choices(stories, many)[0]


def working_days(now: datetime, many: int, dice: Random) -> list[datetime]:
    """Moments in office hours of `many` working days before this one, six at most, in order."""
    today = now.astimezone(CHINA).replace(second=0, microsecond=0)
    before = [today - timedelta(days=ago) for ago in range(1, _MOST_DAYS_AGO + 1)]
    chosen = sorted(dice.sample([day for day in before if day.weekday() < _SATURDAY], many))
    return [day.replace(hour=dice.randint(9, 16), minute=dice.randint(0, 59)) for day in chosen]


def _dated(at: datetime, *, promised: bool) -> dict[str, str]:
    due = {"due_at": _moment(at + _PROMISED)} if promised else {}
    return {"at": _moment(at)} | due


def _moment(at: datetime) -> str:
    return at.isoformat(timespec="seconds")
