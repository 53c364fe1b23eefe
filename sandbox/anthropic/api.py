"""The Anthropic Messages API: messages (plain and streaming), count_tokens, and a model to look up."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any, Final

from aiohttp import web

from sandbox.anthropic import errors as anthropic_errors
from sandbox.anthropic import simulated_model as simulation
from sandbox.anthropic.stream import STREAM_ERROR, events
from sandbox.engine import credentials
from sandbox.engine import provider_request as exchange
from sandbox.engine.provider_request import Answer, Call, Dialect
from sandbox.engine.state import STATE, Sandbox

if TYPE_CHECKING:
    from collections.abc import Callable

JsonObject = dict[str, Any]
DIALECT: Final = Dialect(refuse=anthropic_errors.fault, stream_error=STREAM_ERROR)


def routes() -> list[web.RouteDef]:
    """Return the provider's routes."""
    return [
        web.post("/v1/messages", messages),
        web.post("/v1/messages/count_tokens", count_tokens),
        web.get("/v1/models/{model}", model),
    ]


async def messages(http: web.Request) -> web.StreamResponse:
    """Answer a conversation."""
    state = http.app[STATE]

    def act(request: JsonObject) -> Answer:
        problem = anthropic_errors.judge(request)
        return _reply(state, request) if problem is None else anthropic_errors.error(400, problem)

    return await _run(http, "messages", act)


async def count_tokens(http: web.Request) -> web.StreamResponse:
    """Estimate what a conversation costs."""

    def act(request: JsonObject) -> Answer:
        problem = anthropic_errors.judge_messages(request)
        if problem is not None:
            return anthropic_errors.error(400, problem)
        return _answer({"input_tokens": simulation.input_tokens(request)})

    return await _run(http, "count_tokens", act)


async def model(http: web.Request) -> web.StreamResponse:
    """Describe a model; every name is known here."""
    name = http.match_info["model"]
    document = {"type": "model", "id": name, "display_name": f"{name} (simulated)", "created_at": "2026-01-01T00:00:00Z"}
    call = Call(kind="anthropic.model", operation="model", request={"model": name}, act=lambda: _answer(document), message=False)
    return await _authorized(http, call)


async def _run(http: web.Request, operation: str, act: Callable[[JsonObject], Answer]) -> web.StreamResponse:
    request = await exchange.document(http)
    seen = describe(request) if request is not None else {}

    def perform() -> Answer:
        if request is None:
            return anthropic_errors.error(400, "The request body is not valid JSON")
        if "anthropic-version" not in http.headers:
            return anthropic_errors.error(400, "anthropic-version: header is required")
        return act(request)

    message = operation == "messages"
    call = Call(kind=f"anthropic.{operation}", operation=operation, request=seen, act=perform, message=message)
    return await _authorized(http, call)


async def _authorized(http: web.Request, call: Call) -> web.StreamResponse:
    state = http.app[STATE]
    expected = state.settings.anthropic_api_key
    given = http.headers.get("x-api-key") or credentials.bearer(http.headers.get("Authorization"))
    if expected is not None and not credentials.same(given, expected):
        return await exchange.refuse(http, state, call, anthropic_errors.fault(401))
    return await exchange.run(http, state, call, knobs=state.knobs.anthropic, dialect=DIALECT)


def describe(request: JsonObject) -> JsonObject:
    """Return what the journal shows of a request: what was heard last, then the conversation."""
    conversation = [each for each in request.get("messages") or () if isinstance(each, dict)]
    other = {name: value for name, value in request.items() if name not in {"messages", "system"}}
    return {
        "text": simulation.last_user_text(conversation),
        "user_turns": simulation.user_turns(conversation),
        "system": simulation.text_of(request.get("system")),
        "messages": simulation.without_pictures(conversation),
        **other,
    }


def _answer(document: JsonObject) -> Answer:
    return Answer(status=200, body=document, headers={"request-id": anthropic_errors.request_id()})


def _reply(state: Sandbox, request: JsonObject) -> Answer:
    """Answer with a message, whole or as events."""
    reply, knobs = simulation.answer(request, state.knobs.anthropic), state.knobs.anthropic
    refusal = {"type": "refusal", "category": "general_harms", "explanation": "A simulated refusal."}
    message = {
        "id": "msg_" + secrets.token_hex(12),
        "type": "message",
        "role": "assistant",
        "model": request["model"],
        "content": reply.content,
        "stop_reason": reply.stop_reason,
        "stop_sequence": None,
        "stop_details": refusal if reply.stop_reason == "refusal" else None,
        "usage": reply.usage,
    }
    headers = {"request-id": anthropic_errors.request_id()}
    streamed = list(events(message)) if request.get("stream") else None
    return Answer(
        status=200,
        body=message,
        headers=headers,
        sid=message["id"],
        accepted=True,
        events=streamed,
        spread=knobs.stream_seconds,
    )
