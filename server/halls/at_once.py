"""Questions that are asked at the same moment, answered at one go."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

Question = TypeVar("Question")
Given = TypeVar("Given")


class AtOnce(Generic[Question, Given]):
    """Gathers who asks while the event loop goes round, until a round brings nobody, or enough.

    Nobody waits for others to come: who asks alone is answered two rounds later, some microseconds.
    In a rush each round brings those whose questions had arrived meanwhile, and `enough` answers
    cost each of them little more than any number would.
    """

    def __init__(
        self, answer_all: Callable[[Sequence[Question]], Sequence[Given]], *, enough: int
    ) -> None:
        self._answer_all = answer_all
        self._enough = enough
        self._before = 0  # how many were asking a round ago
        self._asking: list[tuple[Question, asyncio.Future[Given]]] = []

    async def ask(self, question: Question) -> Given:
        """The answer to a question. Raises what `answer_all` does."""
        loop = asyncio.get_running_loop()
        if not self._asking:
            loop.call_soon(self._answer)
        answered: asyncio.Future[Given] = loop.create_future()
        self._asking.append((question, answered))
        return await answered

    def _answer(self) -> None:
        if self._before < len(self._asking) < self._enough:
            self._before = len(self._asking)
            asyncio.get_running_loop().call_soon(self._answer)
            return
        asking, self._asking, self._before = self._asking, [], 0
        try:
            answers = self._answer_all([question for question, _ in asking])
        except Exception as fault:
            for _, answered in asking:
                if not answered.done():
                    answered.set_exception(fault)
            return
        for (_, answered), answer in zip(asking, answers, strict=True):
            if not answered.done():  # as when who asked has gone
                answered.set_result(answer)
