"""What everybody in the crowd shares: the way to the server, the clock, and who else is there."""

import asyncio
from dataclasses import dataclass

from integrations.sandbox.crowd.agenda import Agenda
from integrations.sandbox.crowd.citizens import Citizens
from integrations.sandbox.crowd.department import Department
from integrations.sandbox.crowd.door import Answer, Door, Session
from integrations.sandbox.crowd.figures import Figures
from integrations.sandbox.crowd.neighbours import Neighbours
from integrations.sandbox.crowd.pace import Tempo
from integrations.sandbox.crowd.people import Strangers
from integrations.sandbox.crowd.plan import CrowdPlan


@dataclass(slots=True)
class City:
    """What all halls share. `passwords` lets few clerks sign in at once: hashing is dear.

    `pace` is how many people an average hall meets a business minute; known with the halls.
    """

    plan: CrowdPlan
    door: Door
    tempo: Tempo
    agenda: Agenda
    strangers: Strangers
    citizens: Citizens
    department: Department
    figures: Figures
    passwords: asyncio.Semaphore
    neighbours: Neighbours
    pace: float = 0.0

    def staff(self, username: str) -> Session:
        """Somebody of staff, who signs in when she first asks for something."""
        account = {"username": username, "password": self.plan.password}

        async def sign_in() -> Answer:
            return await self.door.ask(
                "POST", "/api/v1/staff/sessions", account, few=self.passwords
            )

        return Session(self.door, sign_in)
