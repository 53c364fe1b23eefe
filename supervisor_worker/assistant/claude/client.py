"""Claude, by Anthropic's own SDK: one request, one answer, no retries.

Every failure becomes one of our provider errors: a turn decides by the same attributes, whatever failed.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import anthropic
import httpx2

from shared.config.settings import Settings
from shared.errors import AccessDenied, CredentialsRefused, ProviderError, ProviderRefused, ProviderUnavailable
from shared.model.prices import TokenUsage
from supervisor_worker.assistant.claude.request import SpelledTools, plain_body, request_body
from supervisor_worker.assistant.claude.response import ModelMessage, used_by
from supervisor_worker.assistant.claude.transport import ClaudeTransport
from supervisor_worker.assistant.model_hosts import is_plain
from supervisor_worker.assistant.price import choice_of
from supervisor_worker.assistant.prompt import Prompt
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
"""A gateway gave up waiting, and the model may have gone on. Any other error in the place of an answer costs nothing."""
_BUDGET_CODES: Final = ("spend_limit_reached", "billing_unavailable", "organization_on_hold")
_TYPES: Final = (
    *("invalid_request_error", "authentication_error", "billing_error", "permission_error", "not_found_error", "request_too_large"),
    *("rate_limit_error", "api_error", "timeout_error", "overloaded_error"),
)
"""The error types that are logged. A gateway may put any text there, also that of the prompt."""


@dataclass(frozen=True, slots=True)
class ModelAnswer:
    """The model's answer and what it used. `input_tokens` counts those too that were read from the cache or written to it.

    `content` is the answer block by block, as it came.
    """

    text: str
    model: str = ""
    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    cache_write_1h_tokens: int = 0
    searches: int = 0
    ms: int = 0
    stop: str = "end_turn"
    content: tuple[Mapping[str, Any], ...] = field(repr=False, default=())

    @property
    def used(self) -> int:
        """All tokens, of input and output."""
        return self.input_tokens + self.output_tokens

    @property
    def usage(self) -> TokenUsage:
        """The same by the rates at which it is paid for."""
        plain = self.input_tokens - self.cache_read_tokens - self.cache_write_tokens
        written_5m = self.cache_write_tokens - self.cache_write_1h_tokens
        return TokenUsage(plain, self.output_tokens, written_5m, self.cache_write_1h_tokens, self.cache_read_tokens, self.searches)


class Claude:
    """The model port on Claude."""

    def __init__(self, settings: Settings) -> None:
        seconds = settings.claude_timeout_seconds
        url = settings.provider_urls["anthropic"]
        pool = HttpPool(url, limit=settings.worker_concurrency, connect_seconds=min(CONNECT_SECONDS, seconds))
        self._seconds = seconds
        self._settings = settings
        self._tools = SpelledTools()
        self._client = anthropic.AsyncAnthropic(
            api_key=settings.anthropic_api_key.get_secret_value() or "unset",  # for an empty key the SDK reads the environment
            base_url=url,
            max_retries=0,
            timeout=seconds,  # set explicitly: without it the SDK refuses a request whose answer may take long
            http_client=httpx2.AsyncClient(transport=ClaudeTransport(pool), timeout=seconds, follow_redirects=True),
            open_telemetry=False,  # the environment could make its spans hold the texts
        )

    async def think(self, prompt: Prompt) -> ModelAnswer:
        """Ask once. Raises ProviderUnavailable, CredentialsRefused, AccessDenied or ProviderRefused, with the tokens used as `used`."""
        started = time.monotonic()
        body: object = None
        try:
            async with asyncio.timeout(self._seconds):
                body = await self._ask(prompt)
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

    async def _ask(self, prompt: Prompt) -> object:
        """The answer's JSON."""
        choice = choice_of(prompt, self._settings)
        body = plain_body(prompt, choice) if is_plain(self._settings, choice.model) else request_body(prompt, choice, self._tools)
        response = await self._client.post("/v1/messages", cast_to=httpx2.Response, content=body)
        return response.json()


def _answer(message: ModelMessage, ms: int) -> ModelAnswer:
    usage = message.usage
    return ModelAnswer(
        text=message.text,
        model=message.model,
        input_tokens=usage.all_input_tokens,
        output_tokens=usage.output_tokens,
        cache_read_tokens=usage.cache_read_input_tokens or 0,
        cache_write_tokens=usage.cache_creation_input_tokens or 0,
        cache_write_1h_tokens=usage.written_for_an_hour,
        searches=usage.searches,
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
    """An exhausted budget is told by 402, by 429 with a code of its own, or by 400 in words only."""
    code = error.error_code or ""
    return error.type == "billing_error" or any(part in code for part in _BUDGET_CODES) or "credit balance" in (error.api_message or "")
