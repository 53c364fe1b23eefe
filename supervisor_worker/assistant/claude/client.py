"""Claude, by Anthropic's own SDK: one request, one answer, no retries.

Every failure becomes one of our provider errors: a turn decides by the same attributes, whatever failed.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, cast

import anthropic
import httpx2
from anthropic.types import DocumentBlockParam, ImageBlockParam, MessageParam, TextBlockParam

from shared.config.settings import Settings
from shared.errors import AccessDenied, CredentialsRefused, ProviderError, ProviderRefused, ProviderUnavailable
from shared.model.prices import TokenUsage
from supervisor_worker.assistant.claude.response import ModelMessage, used_by
from supervisor_worker.assistant.claude.transport import ClaudeTransport
from supervisor_worker.assistant.model_hosts import is_plain, plain_tools
from supervisor_worker.assistant.models import thinking_fields
from supervisor_worker.assistant.price import choice_of
from supervisor_worker.assistant.prompt import Prompt
from supervisor_worker.assistant.prompt_message import PromptMessage
from supervisor_worker.channels.notes import document_mark, picture_mark
from supervisor_worker.providers.exchange import retry_after
from supervisor_worker.providers.http_pool import NOT_SENT, HttpPool

Block = TextBlockParam | ImageBlockParam | DocumentBlockParam

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
        self._tools: Sequence[Mapping[str, Any]] = ()
        self._spelled_tools = ""
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
        fields: dict[str, Any] = {
            "model": choice.model,
            "max_tokens": choice.longest,
            "system": [{"type": "text", "text": prompt.stable, "cache_control": {"type": "ephemeral"}}],
            "messages": [*_messages(prompt)],
            **thinking_fields(choice.model, choice.effort, least=prompt.least),
            **({"tool_choice": {"type": "none"}} if prompt.tools and prompt.final else {}),
        }
        if is_plain(self._settings, choice.model):
            plain = {name: value for name, value in fields.items() if name not in ("thinking", "output_config")}
            tools = {"tools": plain_tools(prompt.tools)} if prompt.tools else {}
            return await self._post(_json({**plain, "system": prompt.stable, **tools}).encode())
        return await self._post(self._body(fields, prompt.tools))

    async def _post(self, body: bytes) -> object:
        response = await self._client.post("/v1/messages", cast_to=httpx2.Response, content=body)
        return response.json()

    def _body(self, fields: Mapping[str, Any], tools: Sequence[Mapping[str, Any]]) -> bytes:
        """A request as JSON. The tools are spelled once, for nearly all have the same; the SDK would copy and spell them each time."""
        if tools is not self._tools:
            self._tools, self._spelled_tools = tools, _json(tools)
        text = _json(fields)
        return (f'{text[:-1]},"tools":{self._spelled_tools}}}' if tools else text).encode()


def _messages(prompt: Prompt) -> Iterator[MessageParam]:
    """The conversation, what was done with tools, and the parts of an answer."""
    for message in prompt.messages:
        yield cast("MessageParam", {"role": message.role, "content": _content(message)})
    for content, results in prompt.exchanges:
        yield cast("MessageParam", {"role": "assistant", "content": content})
        yield cast("MessageParam", {"role": "user", "content": results})
    for content in prompt.partial_answers:
        yield cast("MessageParam", {"role": "assistant", "content": content})
    for message in prompt.after:
        yield cast("MessageParam", {"role": message.role, "content": _content(message)})


def _content(message: PromptMessage) -> str | list[Block]:
    """A message's text, which may have several blocks.

    Documents and pictures come before the last, as Anthropic advises, each behind a mark that the text refers to.
    """
    if not (message.pictures or message.documents or message.ends):
        return message.text
    *before, text = message.blocks
    blocks: list[Block] = [{"type": "text", "text": block} for block in before]
    for number, document in enumerate(message.documents, 1):
        source = {"type": "base64", "media_type": "application/pdf", "data": document.data}
        blocks += [{"type": "text", "text": document_mark(number)}, cast("DocumentBlockParam", {"type": "document", "source": source})]
    for number, picture in enumerate(message.pictures, 1):
        source = {"type": "base64", "media_type": picture.media_type, "data": picture.data}
        blocks += [{"type": "text", "text": picture_mark(number)}, cast("ImageBlockParam", {"type": "image", "source": source})]
    return [*blocks, {"type": "text", "text": text}]


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


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
