"""Claude, asked with Anthropic's own SDK: one question, one answer, no retries.

Every failure becomes one of our provider errors, so that the turn decides by one table whatever failed.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, cast

import anthropic
import httpx2
from anthropic.types import ImageBlockParam, MessageParam, TextBlockParam

from shared.config.settings import Settings
from shared.errors import AccessDenied, CredentialsRefused, ProviderError, ProviderRefused, ProviderUnavailable
from supervisor_worker.assistant.claude.response import ModelMessage, used_by
from supervisor_worker.assistant.claude.transport import ClaudeTransport
from supervisor_worker.assistant.models import thinking_fields
from supervisor_worker.assistant.price import longest_answer
from supervisor_worker.assistant.prompt import Line, Question
from supervisor_worker.channels.notes import picture_mark
from supervisor_worker.providers.exchange import retry_after
from supervisor_worker.providers.http_pool import NOT_SENT, HttpPool

PROVIDER: Final = "claude"
CONNECT_SECONDS: Final = 5.0

_CREDENTIALS: Final = (401, 402)
_FORBIDDEN: Final = 403
_FINAL: Final = (400, 413, 422)
_UNAVAILABLE: Final = (408, 429)
_SERVER_ERROR: Final = 500
_TIMED_OUT: Final = (408, 499, 504, 524)
"""Somebody in between gave up waiting: the model may have gone on. Any other error in the place of an answer costs nothing."""
_BUDGET_CODES: Final = ("spend_limit_reached", "billing_unavailable", "organization_on_hold")
_TYPES: Final = (
    *("invalid_request_error", "authentication_error", "billing_error", "permission_error", "not_found_error", "request_too_large"),
    *("rate_limit_error", "api_error", "timeout_error", "overloaded_error"),
)
"""The kinds of an error that are kept and told. A gateway in between may say what it likes there, also what was asked."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the model said, and what it cost. `input_tokens` counts cached ones too; `content` is the answer block by block, as it came."""

    text: str
    model: str = ""
    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    ms: int = 0
    stop: str = "end_turn"
    content: tuple[Mapping[str, Any], ...] = field(repr=False, default=())

    @property
    def used(self) -> int:
        """All tokens, in and out."""
        return self.input_tokens + self.output_tokens


class Claude:
    """The model behind the answers."""

    def __init__(self, settings: Settings) -> None:
        seconds = settings.claude_timeout_seconds
        url = settings.provider_urls["anthropic"]
        pool = HttpPool(url, limit=settings.worker_concurrency, connect_seconds=min(CONNECT_SECONDS, seconds))
        self._seconds = seconds
        self._model = settings.boss_model
        self._effort = settings.boss_effort
        self._max_tokens = longest_answer(settings)
        self._client = anthropic.AsyncAnthropic(
            api_key=settings.anthropic_api_key.get_secret_value() or "unset",  # never from the environment behind the settings' back
            base_url=url,
            max_retries=0,
            timeout=seconds,  # said by us: else the SDK refuses to wait for an answer that may be long
            http_client=httpx2.AsyncClient(transport=ClaudeTransport(pool), timeout=seconds, follow_redirects=True),
            open_telemetry=False,  # its spans may be told by the environment to hold the texts
        )

    async def think(self, question: Question) -> Answer:
        """Ask once. Raises ProviderUnavailable, CredentialsRefused, AccessDenied or ProviderRefused, with what was used as `used`."""
        started = time.monotonic()
        body: object = None
        try:
            async with asyncio.timeout(self._seconds):
                body = await self._ask(question)
            message = ModelMessage.model_validate(body)
        except (TimeoutError, anthropic.APIConnectionError) as error:
            code, not_sent = "timeout" if isinstance(error, TimeoutError) else "no_answer", isinstance(error.__cause__, NOT_SENT)
            raise _costing(0 if not_sent else None, ProviderUnavailable(PROVIDER, code)) from error
        except anthropic.APIStatusError as error:
            raise _costing(None if error.status_code in _TIMED_OUT else 0, _error_for(error)) from error
        except (anthropic.AnthropicError, ValueError, RecursionError) as error:  # an answer that cannot be read
            raise _costing(used_by(body), ProviderRefused(PROVIDER, "unreadable_answer", final=False)) from error
        return _answer(message, int((time.monotonic() - started) * 1000))

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def _ask(self, question: Question) -> object:
        """The answer's JSON."""
        system: list[TextBlockParam] = [
            {"type": "text", "text": question.stable, "cache_control": {"type": "ephemeral"}},
            {"type": "text", "text": question.today},
        ]
        fields = thinking_fields(self._model, self._effort, least=question.least)
        create = self._client.messages.with_raw_response.create
        answer = await create(model=self._model, max_tokens=self._max_tokens, system=system, messages=_messages(question), **fields)
        return answer.http_response.json()


def _messages(question: Question) -> Iterator[MessageParam]:
    """The conversation, and what the model said before its pauses. The SDK copies it: no second copy is kept while it waits."""
    for line in question.lines:
        yield cast("MessageParam", {"role": line.role, "content": _content(line)})
    for content in question.said:
        yield cast("MessageParam", {"role": "assistant", "content": content})


def _content(line: Line) -> str | list[TextBlockParam | ImageBlockParam]:
    """A line's text; pictures come before it, as Anthropic advises, each behind a mark that the text refers to."""
    if not line.pictures:
        return line.text
    blocks: list[TextBlockParam | ImageBlockParam] = []
    for number, picture in enumerate(line.pictures, 1):
        source = {"type": "base64", "media_type": picture.media_type, "data": picture.data}
        blocks += [{"type": "text", "text": picture_mark(number)}, cast("ImageBlockParam", {"type": "image", "source": source})]
    return [*blocks, {"type": "text", "text": line.text}]


def _answer(message: ModelMessage, ms: int) -> Answer:
    usage = message.usage
    return Answer(
        text=message.text,
        model=message.model,
        input_tokens=usage.all_input_tokens,
        output_tokens=usage.output_tokens,
        cache_read_tokens=usage.cache_read_input_tokens or 0,
        ms=ms,
        stop=message.stop_reason or "",
        content=tuple(message.content),
    )


def _costing(used: int | None, error: ProviderError) -> ProviderError:
    error.used = used
    return error


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
