"""The Anthropic Messages API: messages (plain and streaming), count_tokens, and the look-up of a model."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from aiohttp import web

from sandbox.anthropic import (
    errors,
    model_rules,
    plain_host,
    prompt_caching,
    rate_limits,
    request_rules,
    request_view,
    simulated_model,
    tokens,
)
from sandbox.anthropic.stream import STREAM_ERROR, events
from sandbox.engine import credentials, provider_request
from sandbox.engine.json_types import JsonObject
from sandbox.engine.provider_request import ErrorFormat, ProviderRequest, ProviderResponse
from sandbox.engine.state import STATE, SandboxState

if TYPE_CHECKING:
    from collections.abc import Callable

LIMITS: Final = {"messages": rate_limits.OF_MESSAGES, "count_tokens": rate_limits.OF_COUNTS}
"""The rate limits of each operation."""


def routes() -> list[web.RouteDef]:
    """Anthropic's routes."""
    return [
        web.post("/v1/messages", messages),
        web.post("/v1/messages/count_tokens", count_tokens),
        web.get("/v1/models/{model}", model),
    ]


async def messages(http: web.Request) -> web.StreamResponse:
    """Answer a conversation."""
    state = http.app[STATE]

    def perform(body: JsonObject) -> ProviderResponse:
        plain = state.faults.anthropic.plain_host
        problem = (plain_host.problem_of(body) if plain else None) or request_rules.problem_of(body, state.paused)
        if problem is not None:
            return errors.error_response(400, problem)
        total, window = tokens.of_request(body), state.faults.anthropic.context_tokens or model_rules.context(body)
        if window is not None and total > window:
            return errors.error_response(400, f"prompt is too long: {total} tokens > {window} maximum")
        return _reply(state, body, total, window)

    return await _handle_body(http, "messages", perform)


async def count_tokens(http: web.Request) -> web.StreamResponse:
    """Estimate a conversation's input tokens."""
    state = http.app[STATE]

    def perform(body: JsonObject) -> ProviderResponse:
        if state.faults.anthropic.plain_host:
            return errors.error_response(404, "not found")
        problem = request_rules.problem_of_count(body, state.paused)
        if problem is not None:
            return errors.error_response(400, problem)
        rate_limits.count(state, None)
        return _success({"input_tokens": tokens.of_request(body)})

    return await _handle_body(http, "count_tokens", perform)


async def model(http: web.Request) -> web.StreamResponse:
    """Describe a model; every name exists."""
    name = http.match_info["model"]
    state = http.app[STATE]
    response = _success({"type": "model", "id": name, "display_name": f"{name} (simulated)", "created_at": "2026-01-01T00:00:00Z"})
    if state.faults.anthropic.plain_host:
        response = errors.error_response(404, "not found")
    request = ProviderRequest(kind="anthropic.model", operation="model", fields={"model": name}, perform=lambda: response, is_message=False)
    return await _handle(http, state, request, ErrorFormat(response=errors.fault_response))


async def _handle_body(http: web.Request, operation: str, perform: Callable[[JsonObject], ProviderResponse]) -> web.StreamResponse:
    """Handle a request with a JSON body, which `perform` is given. Every answer shows the rate limits."""
    state, limits = http.app[STATE], LIMITS[operation]
    body = await provider_request.read_json(http)

    def checked() -> ProviderResponse:
        if body is None:
            return errors.error_response(400, "The request body is not valid JSON")
        if "anthropic-version" not in http.headers:
            return errors.error_response(400, "anthropic-version: header is required")
        if (problem := errors.problem_of_size(http.content_length)) is not None:
            return errors.error_response(413, problem)
        if (exceeded := rate_limits.exceeded(state, limits)) is not None:
            sentence, seconds = exceeded
            return errors.error_response(429, sentence, {"retry-after": f"{seconds:g}"})
        return perform(body)

    def with_limits(response: ProviderResponse) -> ProviderResponse:
        known = {} if state.faults.anthropic.plain_host else rate_limits.headers(state, limits)
        return replace(response, headers={**known, **response.headers})

    fields = request_view.describe(body) if body is not None else {}
    request = ProviderRequest(
        kind=f"anthropic.{operation}",
        operation=operation,
        fields=fields,
        perform=lambda: with_limits(checked()),
        is_message=operation == "messages",
    )
    formats = ErrorFormat(response=lambda status, fault: with_limits(errors.fault_response(status, fault)), stream_error=STREAM_ERROR)
    return await _handle(http, state, request, formats)


async def _handle(http: web.Request, state: SandboxState, request: ProviderRequest, formats: ErrorFormat) -> web.StreamResponse:
    """Check the API key, then handle the request."""
    expected = state.settings.anthropic_api_key
    given = http.headers.get("x-api-key") or credentials.bearer(http.headers.get("Authorization"))
    if expected is not None and not credentials.same(given, expected):
        return await provider_request.reject(http, state, request, errors.fault_response(401))
    return await provider_request.handle(http, state, request, faults=state.faults.anthropic, errors=formats)


def _success(document: JsonObject) -> ProviderResponse:
    return ProviderResponse(status=200, body=document, headers={"request-id": errors.request_id()})


def _reply(state: SandboxState, body: JsonObject, total: int, window: int | None) -> ProviderResponse:
    """The model's message, whole or as server-sent events."""
    faults = state.faults.anthropic
    scripted = state.script.pop_matching(lambda: json.dumps([body.get("system"), body["messages"]], ensure_ascii=False))
    cached = prompt_caching.use(body, total, state.cache, state.clock.now())
    reply = simulated_model.answer(body, faults, scripted, cached=cached, window=window, clock=state.clock.moment())
    rate_limits.count(state, reply.usage)
    message = {
        "id": simulated_model.new_id("msg"),
        "type": "message",
        "role": "assistant",
        "model": body["model"],
        "content": reply.content,
        "stop_reason": reply.stop_reason,
        "stop_sequence": None,
        "stop_details": reply.stop_details,
        "usage": reply.usage,
    }
    if faults.plain_host:
        message = plain_host.answered(message)
    if reply.stop_reason == "pause_turn":
        state.paused.add(reply.content)
    headers = {"request-id": errors.request_id()}
    streamed = list(events(message)) if body.get("stream") else None
    return ProviderResponse(
        status=200,
        body=message,
        headers=headers,
        sid=message["id"],
        accepted=True,
        shown={name: message[name] for name in ("content", "stop_reason", "usage")}
        | {"breakpoints": request_view.describe_breakpoints(body)},
        events=streamed,
        stream_seconds=faults.stream_seconds,
    )
