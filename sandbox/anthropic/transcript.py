"""Reads a conversation: what the user said last, how often, and what the tools that were called last have answered."""

from __future__ import annotations

from dataclasses import dataclass

from sandbox.anthropic.tokens import blocks_of
from sandbox.engine.json_types import JsonObject

Call = tuple[str, JsonObject]
"""A call of a tool: its name and its input."""


@dataclass(frozen=True, slots=True)
class ToolOutcome:
    """The result of a call: the tool's name, its input, and its answer's text."""

    call: str
    name: str
    given: JsonObject
    text: str
    failed: bool


def text_of(content: object) -> str:
    """The text of a message's content: that of its text blocks, joined by newlines."""
    return "\n".join(str(block.get("text", "")) for block in blocks_of(content) if block.get("type") == "text")


def last_user_text(messages: list[JsonObject]) -> str:
    """The user's last text. A message of nothing but results is the program's."""
    return next((text_of(message.get("content")) for message in reversed(messages) if _is_of_the_user(message)), "")


def last_assistant_text(messages: list[JsonObject]) -> str:
    """The model's last text."""
    said = (text_of(message.get("content")) for message in reversed(messages) if message.get("role") == "assistant")
    return next((text for text in said if text), "")


def user_turns(messages: list[JsonObject]) -> int:
    """The number of the user's turns."""
    return sum(1 for message in messages if _is_of_the_user(message))


def newest_outcomes(messages: list[JsonObject]) -> list[ToolOutcome]:
    """What the tools have answered in the last message; empty if it holds no results."""
    last = messages[-1] if messages else {}
    results = [block for block in blocks_of(last.get("content")) if block.get("type") == "tool_result"]
    if not results or last.get("role") != "user":
        return []
    calls = {
        str(block.get("id")): block
        for message in messages
        for block in blocks_of(message.get("content"))
        if block.get("type") == "tool_use"
    }
    return [_outcome(block, calls.get(str(block.get("tool_use_id")), {})) for block in results]


def calls_since_user(messages: list[JsonObject]) -> list[Call]:
    """The calls since the user's last words: those of the answers at the end that nothing but results have followed."""
    made: list[Call] = []
    for message in reversed(messages):
        blocks = list(blocks_of(message["content"]))
        if message["role"] == "user" and not any(block["type"] == "tool_result" for block in blocks):
            break
        made += [(block["name"], block["input"]) for block in blocks if block["type"] == "tool_use"]
    return made


def results_since_user(messages: list[JsonObject]) -> list[str]:
    """What the tools have answered since the user's last words, in order."""
    found: list[str] = []
    for message in reversed(messages):
        if _is_of_the_user(message):
            break
        results = [block for block in blocks_of(message.get("content")) if block.get("type") == "tool_result"]
        found = [text_of(block.get("content")) for block in results] + found
    return found


def _outcome(result: JsonObject, call: JsonObject) -> ToolOutcome:
    return ToolOutcome(
        call=str(result.get("tool_use_id")),
        name=str(call.get("name", "")),
        given=call.get("input") or {},
        text=text_of(result.get("content")),
        failed=bool(result.get("is_error")),
    )


def _is_of_the_user(message: JsonObject) -> bool:
    if message.get("role") != "user":
        return False
    kinds = [block.get("type") for block in blocks_of(message.get("content"))]
    return "tool_result" not in kinds or "text" in kinds
