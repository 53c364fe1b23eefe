"""Writes a message as the server-sent events of the Messages API."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from sandbox.anthropic.simulated_model import pieces
from sandbox.engine.json_types import JsonObject

if TYPE_CHECKING:
    from collections.abc import Iterator


def event(name: str, **fields: Any) -> bytes:
    """One event as it is sent."""
    return f"event: {name}\ndata: {json.dumps({'type': name, **fields})}\n\n".encode()


STREAM_ERROR: Final = event("error", error={"type": "overloaded_error", "message": "Overloaded"})


def events(message: JsonObject) -> Iterator[bytes]:
    """Yield the events of a message."""
    usage = message["usage"]
    beginning = {**message, "content": [], "stop_reason": None, "stop_details": None, "usage": {**usage, "output_tokens": 1}}
    yield event("message_start", message=beginning)
    for index, block in enumerate(message["content"]):
        yield event("content_block_start", index=index, content_block=_start_of(block))
        if index == 0:
            yield event("ping")
        for delta in _deltas(block):
            yield event("content_block_delta", index=index, delta=delta)
        yield event("content_block_stop", index=index)
    ending = {name: message[name] for name in ("stop_reason", "stop_sequence", "stop_details")}
    yield event("message_delta", delta=ending, usage={"output_tokens": usage["output_tokens"]})
    yield event("message_stop")


def _start_of(block: JsonObject) -> JsonObject:
    """A content block as it starts: what comes in deltas is empty."""
    empty: dict[str, JsonObject] = {
        "text": {"text": ""},
        "thinking": {"thinking": "", "signature": ""},
        "tool_use": {"input": {}},
        "server_tool_use": {"input": {}},
    }
    return {**block, **empty.get(block["type"], {})}


def _deltas(block: JsonObject) -> Iterator[JsonObject]:
    """Yield the deltas of a content block."""
    if block["type"] == "text":
        yield from ({"type": "text_delta", "text": piece} for piece in pieces(block["text"]))
    elif block["type"] == "thinking":
        yield from ({"type": "thinking_delta", "thinking": piece} for piece in pieces(block["thinking"]))
        yield {"type": "signature_delta", "signature": block["signature"]}
    elif block["type"] in {"tool_use", "server_tool_use"}:
        written = json.dumps(block["input"])
        yield from ({"type": "input_json_delta", "partial_json": piece} for piece in pieces(written))
