"""The Anthropic Messages API: messages (plain and streaming), count_tokens, and the look-up of a model."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Final

from aiohttp import web

from sandbox.anthropic import errors, simulated_model
from sandbox.anthropic.stream import STREAM_ERROR, events
from sandbox.engine import credentials, provider_request
from sandbox.engine.json_types import JsonObject
from sandbox.engine.provider_request import ErrorFormat, ProviderRequest, ProviderResponse
from sandbox.engine.state import STATE, SandboxState

if TYPE_CHECKING:
    from collections.abc import Callable

ERRORS: Final = ErrorFormat(response=errors.fault_response, stream_error=STREAM_ERROR)


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
        problem = errors.problem_of(body)
        return _reply(state, body) if problem is None else errors.error_response(400, problem)

    return await _handle_body(http, "messages", perform)


async def count_tokens(http: web.Request) -> web.StreamResponse:
    """Estimate a conversation's input tokens."""

    def perform(body: JsonObject) -> ProviderResponse:
        problem = errors.problem_of_messages(body)
        if problem is not None:
            return errors.error_response(400, problem)
        return _success({"input_tokens": simulated_model.input_tokens(body)})

    return await _handle_body(http, "count_tokens", perform)


async def model(http: web.Request) -> web.StreamResponse:
    """Describe a model; every name exists."""
    name = http.match_info["model"]
    response = _success({"type": "model", "id": name, "display_name": f"{name} (simulated)", "created_at": "2026-01-01T00:00:00Z"})
    request = ProviderRequest(kind="anthropic.model", operation="model", fields={"model": name}, perform=lambda: response, is_message=False)
    return await _handle(http, request)


async def _handle_body(http: web.Request, operation: str, perform: Callable[[JsonObject], ProviderResponse]) -> web.StreamResponse:
    """Handle a request with a JSON body, which `perform` is given."""
    body = await provider_request.read_json(http)

    def checked() -> ProviderResponse:
        if body is None:
            return errors.error_response(400, "The request body is not valid JSON")
        if "anthropic-version" not in http.headers:
            return errors.error_response(400, "anthropic-version: header is required")
        if (problem := errors.problem_of_size(http.content_length)) is not None:
            return errors.error_response(413, problem)
        return perform(body)

    fields = describe(body) if body is not None else {}
    is_message = operation == "messages"
    request = ProviderRequest(kind=f"anthropic.{operation}", operation=operation, fields=fields, perform=checked, is_message=is_message)
    return await _handle(http, request)


async def _handle(http: web.Request, request: ProviderRequest) -> web.StreamResponse:
    """Check the API key, then handle the request."""
    state = http.app[STATE]
    expected = state.settings.anthropic_api_key
    given = http.headers.get("x-api-key") or credentials.bearer(http.headers.get("Authorization"))
    if expected is not None and not credentials.same(given, expected):
        return await provider_request.reject(http, state, request, errors.fault_response(401))
    return await provider_request.handle(http, state, request, faults=state.faults.anthropic, errors=ERRORS)


def describe(body: JsonObject) -> JsonObject:
    """Return what the journal shows of a request: the user's last text, then the conversation, then all other fields of the body."""
    conversation = [each for each in body.get("messages") or () if isinstance(each, dict)]
    other = {name: value for name, value in body.items() if name not in {"messages", "system"}}
    return {
        "text": simulated_model.last_user_text(conversation),
        "user_turns": simulated_model.user_turns(conversation),
        "system": simulated_model.text_of(body.get("system")),
        "messages": simulated_model.without_pictures(conversation),
        **other,
    }


def _success(document: JsonObject) -> ProviderResponse:
    return ProviderResponse(status=200, body=document, headers={"request-id": errors.request_id()})


def _reply(state: SandboxState, body: JsonObject) -> ProviderResponse:
    """The model's message, whole or as server-sent events."""
    faults = state.faults.anthropic
    reply = simulated_model.answer(body, faults)
    refusal = {"type": "refusal", "category": "general_harms", "explanation": "A simulated refusal."}
    message = {
        "id": "msg_" + secrets.token_hex(12),
        "type": "message",
        "role": "assistant",
        "model": body["model"],
        "content": reply.content,
        "stop_reason": reply.stop_reason,
        "stop_sequence": None,
        "stop_details": refusal if reply.stop_reason == "refusal" else None,
        "usage": reply.usage,
    }
    headers = {"request-id": errors.request_id()}
    streamed = list(events(message)) if body.get("stream") else None
    return ProviderResponse(
        status=200,
        body=message,
        headers=headers,
        sid=message["id"],
        accepted=True,
        events=streamed,
        stream_seconds=faults.stream_seconds,
    )
