"""A conversation over time, question by question as they go to the model, and what they cost with and without the prompt cache.

The requests are the worker's own; the cache is the sandbox's model of the API's; the prices are the table's.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import Any, Final

from sandbox.anthropic import prompt_caching, tokens
from sandbox.engine.prompt_cache import PromptCache
from shared.config.prices import shipped
from shared.mailbox.records import Beginning, Message, MessageState, Reply, ReplyState
from shared.model.addresses import PhoneNumber
from shared.model.events import SendSmsResponse, SmsReceived
from shared.model.prices import TokenUsage
from shared.model.users import User
from supervisor_worker.assistant.claude.request import SpelledTools, request_body
from supervisor_worker.assistant.history import shown_history
from supervisor_worker.assistant.model_choice import ModelChoice
from supervisor_worker.assistant.prompt import Prompt, build_prompt
from supervisor_worker.assistant.prompt_cache import ttl_of
from supervisor_worker.assistant.tools.catalog import definitions

PHONE, BOSS = PhoneNumber("+15551234567"), PhoneNumber("+15559876543")
ADA: Final = User(username="ada", name="Ada", timezone="Europe/Berlin")
MODEL: Final = ModelChoice("claude-sonnet-5-5", "medium", 1024, 3072)
BEGINS_MS: Final = int(datetime(2026, 11, 30, 7, tzinfo=UTC).timestamp() * 1000)
ASKED: Final = "And what about the train on Friday: is there one before nine, and do I have to change?"
ANSWERED: Final = "Yes, at 8:12 from platform 4. You change once, in Hanover, with 14 minutes to do so, and arrive at 11:40. " * 2


def questions(minutes: Sequence[float], *, before: int = 0, tokens_shown: int = 8_000) -> Iterator[tuple[float, Prompt]]:
    """Each question of a conversation, by the minutes at which it is asked, with its time in seconds; so many exchanges came before."""
    history: list[Message | Reply] = []
    for number, minute in enumerate([*(-10_000.0 * (before - place) for place in range(before)), *minutes]):
        at = BEGINS_MS + int(minute * 60_000)
        event = SmsReceived(id=f"m-{number}", from_=PHONE, to=BOSS, message=f"{number}: {ASKED}", user="ada", provider_id="SM")
        if number >= before:
            shown = shown_history(history, Beginning(), tokens_shown, UTC)
            now = datetime.fromtimestamp(at / 1000, UTC)
            prompt = build_prompt("sms", [event], shown, {}, user=ADA, now=now, times=[at])
            yield at / 1000, replace(prompt, tools=definitions(), choice=MODEL, cached=ttl_of(shown.records, at))
        command = SendSmsResponse(to=PHONE, from_=BOSS, message=f"{number}: {ANSWERED}", user="ada")
        history += [
            Message(event.id, "c", "text", MessageState.ANSWERED, event=event, turn=f"t-{number}", accepted_at=at),
            Reply(f"r-{number}", "c", f"t-{number}", command, ReplyState.SENT, stored_at=at + 4_000),
        ]


@dataclass
class Cost:
    """Microdollars of a conversation with the cache and without it, and the parts of its tokens."""

    cached: int = 0
    plain: int = 0
    read: int = 0
    written: int = 0
    prompt: int = 0

    @property
    def ratio(self) -> float:
        """What it costs with the cache, where 1 is without it."""
        return self.cached / self.plain


def cost_of(minutes: Sequence[float], *, before: int = 0, use: Callable[[Any], Any] = lambda body: body) -> Cost:
    """What a conversation costs; `use` may change a request before it is asked."""
    seconds = 0.0
    spelled, cache, found = SpelledTools(lambda: seconds), PromptCache(), Cost()
    price = shipped().price(MODEL.model, date(2026, 12, 1))
    for seconds, prompt in questions(minutes, before=before):
        request = use(json.loads(request_body(prompt, MODEL, spelled)))
        total, output = tokens.of_request(request), len(ANSWERED) // tokens.CHARACTERS_PER_TOKEN
        used = prompt_caching.use(request, total, cache, seconds)
        found.cached += price.cost(TokenUsage(used.uncached, output, used.written_5m, used.written_1h, used.read))
        found.plain += price.cost(TokenUsage(total, output))
        found.read += used.read
        found.written += used.written_5m + used.written_1h
        found.prompt += total
    return found
