"""One answer, whole: its parts, where the model pauses, and by the second model where the first does not serve."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from shared.config.settings import Settings
from shared.errors import ProviderRefused, ProviderUnavailable
from supervisor_worker.assistant import web_tools
from supervisor_worker.assistant.claude.client import ModelAnswer
from supervisor_worker.assistant.hearing import NO_TOKENS
from supervisor_worker.assistant.price import choice_of
from supervisor_worker.assistant.prompt import Prompt
from supervisor_worker.assistant.reservations import ModelCallDenied, ModelCalls
from supervisor_worker.assistant.second_model import SecondModel

MAX_PAUSES: Final = 3


@dataclass(frozen=True)
class WholeAnswers:
    """Gets the answers of one worker process."""

    settings: Settings
    second: SecondModel

    async def whole(self, prompt: Prompt, calls: ModelCalls) -> tuple[list[ModelAnswer], Prompt]:
        """One answer, which may come in parts; and the question as it was asked."""
        answer, prompt = await self._first(prompt, calls)
        parts, offered = [answer], prompt.tools
        while parts[-1].stop == "pause_turn" and len(parts) <= MAX_PAUSES:
            prompt = replace(prompt.continued(parts[-1].content), tools=web_tools.left(offered, (part.content for part in parts)))
            try:
                parts.append(await calls.ask(prompt))
            except ModelCallDenied:  # the parts that there are, are the answer
                break
        return parts, replace(prompt, tools=offered)

    async def _first(self, prompt: Prompt, calls: ModelCalls) -> tuple[ModelAnswer, Prompt]:
        """The first part of an answer: by the second model where the first does not serve, and the turn has no step."""
        choice = choice_of(prompt, self.settings)
        if prompt.exchanges or prompt.partial_answers:
            return await calls.ask(prompt), prompt
        asked = self.second.instead(choice)
        prompt = replace(prompt, choice=asked)
        try:
            answer = await calls.ask(prompt)
        except ProviderUnavailable as error:
            second = self.second.after(asked, error)
            if second is None:
                raise
            prompt = replace(prompt, choice=second)
            try:
                answer = await calls.ask(prompt)
            except ModelCallDenied as denied:
                if denied.reason in NO_TOKENS:  # as if there were no second model
                    raise error from denied
                raise
        except ProviderRefused:
            self.second.served(asked)
            raise
        else:
            self.second.served(asked)
        return answer, prompt
