"""The questions of one turn to the model: each is reserved before it is asked, and settled, once, with what it used.

The claim has reserved the first one. Each further one is reserved in a round trip of its own, which settles the one before it; the last
one is settled by the script that stores the reply or ends the turn. What a question has used is not known while it is under way, nor
after it got no answer: then its whole reservation counts as used.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Protocol

from shared.config.settings import Settings
from shared.errors import LeaseLost, ProviderError
from shared.mailbox import AsyncMailbox
from shared.mailbox.calls import NO_CALL, Budget, Settled, reserve
from supervisor_worker.assistant.claude.client import Answer
from supervisor_worker.assistant.price import most_of
from supervisor_worker.assistant.prompt import Question


class Thinker(Protocol):
    """Who answers: `supervisor_worker.assistant.claude.client.Claude`."""

    async def think(self, question: Question) -> Answer:
        """Raises a ProviderError."""
        ...

    async def aclose(self) -> None:
        """Close the connections."""
        ...


class NotAsked(Exception):
    """The question may not be asked; `reason` is the script's verdict (`shared.mailbox.records.Reserved`)."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


def first_call(token: str) -> str:
    """The id of the first question of a lease's holder."""
    return "q-" + token.removeprefix("k-")


@dataclass
class Questions:
    """One turn's. `reserved` is what the claim has reserved; 0 for a turn that asks nothing, or whose question fits into no day.

    `settled` is what the last call used, for the script that comes next.
    """

    thinker: Thinker
    mailbox: AsyncMailbox
    settings: Settings
    budget: Budget
    conversation: str
    token: str
    reserved: int
    settled: Settled = field(init=False, default=NO_CALL)
    _asked: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        if self.reserved:
            self.settled = Settled(first_call(self.token))

    async def ask(self, question: Question) -> Answer:
        """Ask. Raises NotAsked, LeaseLost, RedisError, and what the thinker raises."""
        await self._make_room(most_of(question, self.settings))
        self.settled = Settled(self.settled.call, None, "bad")
        try:
            answer = await self.thinker.think(question)
        except ProviderError as error:
            self.settled = replace(self.settled, used=error.used)
            raise
        self.settled = Settled(self.settled.call, answer.used, "good")
        return answer

    def not_usable(self) -> None:
        """The last answer could not be used: it counts as a failed one."""
        self.settled = replace(self.settled, answer="bad")

    async def _make_room(self, need: int) -> None:
        self._asked += 1
        if self._asked == 1 and need <= self.reserved:
            return
        call = f"{first_call(self.token)}-{self._asked}"
        verdict = await self.mailbox.run(
            reserve(self.conversation, self.token, call, need, budget=self.budget, settled=self.settled)
        )  # fmt: skip
        if verdict == "lost":
            raise LeaseLost(self.conversation)
        if verdict != "ok":
            raise NotAsked(verdict)
        self.settled = Settled(call)
