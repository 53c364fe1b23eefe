"""A host of local models that speaks the Messages API as far as it must: what it knows nothing of, it refuses.

Real ones are milder: most of them pass over a field that they do not know.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from sandbox.anthropic import tokens

if TYPE_CHECKING:
    from sandbox.engine.json_types import JsonObject

KNOWN: Final = frozenset(
    {"model", "messages", "max_tokens", "system", "stop_sequences", "stream", "temperature", "tools", "tool_choice", "top_k", "top_p"}
)
TOOL_FIELDS: Final = frozenset({"name", "description", "input_schema"})
BLOCKS: Final = frozenset({"text", "tool_use", "tool_result"})


def problem_of(request: JsonObject) -> str | None:
    """Why such a host refuses a request; None if it answers."""
    if unknown := sorted(set(request) - KNOWN):
        return f"{unknown[0]}: unknown field"
    if any(set(tool) - TOOL_FIELDS for tool in request.get("tools") or []):
        return "tools: unknown field"
    if "cache_control" in json.dumps(request):
        return "cache_control: unknown field"
    kinds = {block.get("type") for message in request["messages"] for block in tokens.blocks_of(message.get("content"))}
    return f"content: unknown block {min(map(str, kinds - BLOCKS))}" if kinds - BLOCKS else None


def answered(message: JsonObject) -> JsonObject:
    """An answer as such a host gives it: without signatures and figures that only Anthropic has."""
    usage = {name: message["usage"][name] for name in ("input_tokens", "output_tokens")}
    content = [block for block in message["content"] if block["type"] in BLOCKS]
    return {**{name: value for name, value in message.items() if name != "stop_details"}, "content": content, "usage": usage}
