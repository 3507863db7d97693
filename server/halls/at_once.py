"""Questions that are asked at the same moment, answered at one go."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

Question = TypeVar("Question")
Given = TypeVar("Given")


class AtOnce(Generic[Question, Given]):
    """Gathers who asks before the event loop comes round again.

    Nobody waits for others to come: who asks alone is answered alone, as soon as she would be.
    """

    def __init__(self, answer_all: Callable[[Sequence[Question]], Sequence[Given]]) -> None:
        self._answer_all = answer_all
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
        asking, self._asking = self._asking, []
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
