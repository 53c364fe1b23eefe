"""Claude, asked with Anthropic's own SDK: one question, one answer, no retries.

Every failure becomes one of our provider errors, so that the turn decides by one table whatever failed.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, cast

import anthropic
import httpx2
from anthropic.types import ImageBlockParam, MessageParam, TextBlockParam

from shared.errors import AccessDenied, CredentialsRefused, ProviderError, ProviderRefused, ProviderUnavailable
from shared.settings import Settings
from supervisor_worker.channels.connections import Connections
from supervisor_worker.channels.wire import retry_after
from supervisor_worker.claude_answer import ModelMessage
from supervisor_worker.claude_transport import ClaudeTransport
from supervisor_worker.conversation import Line, Question, picture_mark
from supervisor_worker.replies import cut_short
from supervisor_worker.sentences import REFUSED

PROVIDER: Final = "claude"
CONNECT_SECONDS: Final = 5.0
MAX_PAUSES: Final = 3

_CREDENTIALS: Final = (401, 402)
_FORBIDDEN: Final = 403
_FINAL: Final = (400, 413, 422)
_UNAVAILABLE: Final = (408, 429)
_SERVER_ERROR: Final = 500
_BUDGET_CODES: Final = ("spend_limit_reached", "billing_unavailable", "organization_on_hold")
_TYPES: Final = (
    *("invalid_request_error", "authentication_error", "billing_error", "permission_error", "not_found_error", "request_too_large"),
    *("rate_limit_error", "api_error", "timeout_error", "overloaded_error"),
)
"""The kinds of an error that are kept and told. A gateway in between may say what it likes there, also what was asked."""
_CUT: Final = ("max_tokens", "model_context_window_exceeded")


@dataclass(frozen=True, slots=True)
class Answer:
    """What the model said, and what it cost. `input_tokens` counts cached ones too."""

    text: str
    model: str = ""
    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    ms: int = 0
    stop: str = "end_turn"


class Claude:
    """The model behind the answers."""

    def __init__(self, settings: Settings) -> None:
        seconds = settings.claude_timeout_seconds
        url = settings.provider_urls["anthropic"]
        connections = Connections(url, limit=settings.worker_concurrency, connect_seconds=min(CONNECT_SECONDS, seconds))
        self._seconds = seconds
        self._model = settings.boss_model
        self._max_tokens = settings.claude_max_tokens
        self._client = anthropic.AsyncAnthropic(
            api_key=settings.anthropic_api_key.get_secret_value() or "unset",  # never from the environment behind the settings' back
            base_url=url,
            max_retries=0,
            timeout=seconds,
            http_client=httpx2.AsyncClient(transport=ClaudeTransport(connections), timeout=seconds, follow_redirects=True),
            open_telemetry=False,  # its spans may be told by the environment to hold the texts
        )

    async def think(self, question: Question) -> Answer:
        """Ask. Raises ProviderUnavailable, CredentialsRefused, AccessDenied or ProviderRefused."""
        started = time.monotonic()
        try:
            async with asyncio.timeout(self._seconds):
                messages = await self._ask(question)
        except (TimeoutError, anthropic.APIConnectionError) as error:
            raise ProviderUnavailable(PROVIDER, "timeout" if isinstance(error, TimeoutError) else "no_answer") from error
        except anthropic.APIStatusError as error:
            raise _error_for(error) from error
        except (anthropic.AnthropicError, ValueError, RecursionError) as error:  # an answer that cannot be read
            raise ProviderRefused(PROVIDER, "unreadable_answer", final=False) from error
        return _answer(messages, int((time.monotonic() - started) * 1000))

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def _ask(self, question: Question) -> list[ModelMessage]:
        """The model's messages: more than one when it paused and was told to go on."""
        system: list[TextBlockParam] = [
            {"type": "text", "text": question.stable, "cache_control": {"type": "ephemeral"}},
            {"type": "text", "text": question.today},
        ]
        said: list[ModelMessage] = []
        create = self._client.messages.with_raw_response.create
        while len(said) <= MAX_PAUSES:
            messages = _messages(question, said)
            answer = await create(model=self._model, max_tokens=self._max_tokens, system=system, messages=messages)
            said.append(ModelMessage.model_validate(answer.http_response.json()))
            if said[-1].stop_reason != "pause_turn":
                break
        return said


def _messages(question: Question, said: Iterable[ModelMessage]) -> Iterator[MessageParam]:
    """The conversation, and what the model said before its pauses. The SDK copies it: no second copy is kept while it waits."""
    for line in question.lines:
        yield cast("MessageParam", {"role": line.role, "content": _content(line)})
    for message in said:
        yield cast("MessageParam", {"role": "assistant", "content": message.content})


def _content(line: Line) -> str | list[TextBlockParam | ImageBlockParam]:
    """A line's text; pictures come before it, as Anthropic advises, each behind a mark that the text refers to."""
    if not line.pictures:
        return line.text
    blocks: list[TextBlockParam | ImageBlockParam] = []
    for number, picture in enumerate(line.pictures, 1):
        source = {"type": "base64", "media_type": picture.media_type, "data": picture.data}
        blocks += [{"type": "text", "text": picture_mark(number)}, cast("ImageBlockParam", {"type": "image", "source": source})]
    return [*blocks, {"type": "text", "text": line.text}]


def _answer(messages: list[ModelMessage], ms: int) -> Answer:
    last = messages[-1]
    stop = last.stop_reason or ""
    text = "".join(message.text for message in messages).strip()
    if stop == "refusal":
        text = REFUSED  # what came before a refusal is not meant to be read
    elif stop in _CUT:
        text = cut_short(text)
    if not text:
        raise ProviderRefused(PROVIDER, f"empty_{stop}", final=False)
    usages = [message.usage for message in messages]
    return Answer(
        text=text,
        model=last.model,
        input_tokens=sum(usage.all_input_tokens for usage in usages),
        output_tokens=sum(usage.output_tokens for usage in usages),
        cache_read_tokens=sum(usage.cache_read_input_tokens or 0 for usage in usages),
        ms=ms,
        stop=stop,
    )


def _error_for(error: anthropic.APIStatusError) -> ProviderError:
    status = error.status_code
    budget = next((code for code in _BUDGET_CODES if code in (error.error_code or "")), None)
    word = budget or (error.type if error.type in _TYPES else f"http_{status}")
    if status in _CREDENTIALS or error.type == "authentication_error" or _no_budget(error):
        return CredentialsRefused(PROVIDER, word, status=status)
    if status == _FORBIDDEN:
        return AccessDenied(PROVIDER, word, status=status)
    if status in _UNAVAILABLE or status >= _SERVER_ERROR:
        return ProviderUnavailable(PROVIDER, word, status=status, retry_after=retry_after(error.response.headers))
    return ProviderRefused(PROVIDER, word, status=status, final=status in _FINAL)


def _no_budget(error: anthropic.APIStatusError) -> bool:
    """An exhausted budget comes as 402, as 429 with a code of its own, or as 400 in words only."""
    code = error.error_code or ""
    return error.type == "billing_error" or any(part in code for part in _BUDGET_CODES) or "credit balance" in (error.api_message or "")
