"""The calls of one turn to the model, and to who hears recordings: tokens and dollars are reserved before each, and settled once.

The claim reserves the first call, and the step before a further question that one. What else is asked is reserved in a round trip of its
own. Whatever script follows a call settles it: a step, the next reservation, the script that stores the reply or ends the turn. The use
of a call is unknown while it is under way and when it got no answer: then its whole reservation counts as used.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Protocol

from shared.config.settings import Settings
from shared.errors import LeaseLost, ProviderError
from shared.mailbox import AsyncMailbox
from shared.mailbox.calls import NO_MODEL_CALL, Cost, DayBounds, NextCall, Settled, reserve, searched
from shared.mailbox.calls.turns import first_model_call_id
from supervisor_worker.assistant.claude.client import ModelAnswer
from supervisor_worker.assistant.costs import HEARING_MICROS, Costs
from supervisor_worker.assistant.price import choice_of, most_of, most_searches
from supervisor_worker.assistant.prompt import Prompt


class ModelPort(Protocol):
    """The model: `supervisor_worker.assistant.claude.client.Claude`."""

    async def think(self, prompt: Prompt) -> ModelAnswer:
        """Raises a ProviderError."""
        ...

    async def aclose(self) -> None:
        """Close the connections."""
        ...


class ModelCallDenied(Exception):
    """The model may not be called; `reason` is the script's verdict (`shared.mailbox.records.Reserved`)."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


@dataclass
class ModelCalls:
    """One turn's calls. `reserved` are the tokens that the claim reserved; 0 for a turn without a call, or whose call exceeds a whole day.

    `settled` is the use of the last call, for the script that comes next.
    """

    model: ModelPort
    mailbox: AsyncMailbox
    settings: Settings
    bounds: DayBounds
    conversation: str
    token: str
    reserved: int
    costs: Costs
    settled: Settled = field(init=False, default=NO_MODEL_CALL)
    _asked: int = field(init=False, default=0)
    _reserved_for: str = field(init=False, default="")
    _reserved_by_claim: bool = field(init=False, default=True)

    def __post_init__(self) -> None:
        if self.reserved:
            self.settled = Settled(first_model_call_id(self.token))
            self._reserved_for = self.settings.boss_model  # in whose name the claim reserves

    def upcoming(self, prompt: Prompt, more: int) -> NextCall:
        """The next question, for the step before it: this prompt, and `more` tokens for what that step adds to it."""
        amount, choice = most_of(prompt, self.settings, more), choice_of(prompt, self.settings)
        cost = self.costs.most(choice.model, amount, choice.longest, most_searches(prompt))
        return NextCall(f"{first_model_call_id(self.token)}-{self._asked + 1}", amount, cost, self.bounds)

    def is_reserved(self, upcoming: NextCall) -> None:
        """The step has settled the question before, and reserved for this one."""
        self._asked += 1
        self.settled, self.reserved, self._reserved_for = Settled(upcoming.model_call), upcoming.amount, upcoming.cost.model
        self._reserved_by_claim = False

    async def ask(self, prompt: Prompt) -> ModelAnswer:
        """Call the model. Raises ModelCallDenied, LeaseLost, RedisError, and what the model raises."""
        need, choice, searches = most_of(prompt, self.settings), choice_of(prompt, self.settings), most_searches(prompt)
        price = self.costs.price(choice.model)
        if searches and self._reserved_by_claim:
            self.reserved = 0  # a claim reserves no dollars for searches
        await self._reserve(need, self.costs.most(choice.model, need, choice.longest, searches))
        self.settled = Settled(self.settled.model_call, None, "bad")
        try:
            answer = await self.model.think(prompt)
        except ProviderError as error:
            self.settled = replace(self.settled, used=error.used)
            raise
        self.settled = Settled(self.settled.model_call, answer.used, "good", price.cost(answer.usage))
        if answer.searches:
            await self.mailbox.run(searched(self.settled.model_call, answer.searches))
        return answer

    async def reserve_hearing(self, amount: int) -> None:
        """Reserve what hearing a recording counts as, before it is sent. Raises ModelCallDenied, LeaseLost, RedisError.

        What the claim reserved for the question is given up by it, and reserved anew when the recording's words are known.
        """
        self.reserved = 0
        await self._reserve(amount, self.costs.hearing(amount))
        self.settled = Settled(self.settled.model_call, None)

    def heard(self, used: int | None) -> None:
        """What hearing it has used; None where nobody knows."""
        self.settled = replace(self.settled, used=used, cost=None if used is None else used * HEARING_MICROS)

    def not_usable(self) -> None:
        """The last answer could not be used: it counts as a failed call."""
        self.settled = replace(self.settled, answer="bad")

    async def _reserve(self, need: int, cost: Cost) -> None:
        reserved, model, self.reserved = self.reserved, self._reserved_for, 0
        if 0 < need <= reserved and cost.model == model:
            return
        self._asked += 1
        model_call, lease_ms = f"{first_model_call_id(self.token)}-{self._asked}", int(self.settings.lease_seconds * 1000)
        verdict = await self.mailbox.run(
            reserve(
                self.conversation, self.token, model_call, need, lease_ms=lease_ms, bounds=self.bounds, cost=cost, settled=self.settled
            )
        )  # fmt: skip
        if verdict == "lost":
            raise LeaseLost(self.conversation)
        if verdict != "ok":
            raise ModelCallDenied(verdict)
        self.settled = Settled(model_call)
