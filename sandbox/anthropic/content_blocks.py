"""Which content blocks the Messages API rejects, one by one: their types, their fields, and what is in them."""

from __future__ import annotations

import re
from typing import Final

from sandbox.anthropic import cache_controls
from sandbox.anthropic.fields import problem_of_unknown
from sandbox.anthropic.files import problem_of_document, problem_of_picture
from sandbox.engine.json_types import JsonObject

CALL: Final = frozenset({"id", "name", "input", "cache_control", "caller"})
RESULT: Final = frozenset({"tool_use_id", "content", "cache_control", "caller"})
FIELDS: Final[dict[str, frozenset[str]]] = {
    "text": frozenset({"text", "citations", "cache_control"}),
    "image": frozenset({"source", "cache_control"}),
    "document": frozenset({"source", "title", "context", "citations", "cache_control"}),
    "search_result": frozenset({"source", "title", "content", "citations", "cache_control"}),
    "tool_use": CALL,
    "tool_result": RESULT - {"caller"} | {"is_error"},
    "thinking": frozenset({"thinking", "signature"}),
    "redacted_thinking": frozenset({"data"}),
    "server_tool_use": CALL,
    "web_search_tool_result": RESULT,
    "web_fetch_tool_result": RESULT,
}
"""The fields of each type of block, beside the type."""
REQUIRED: Final[dict[str, tuple[str, ...]]] = {
    "text": ("text",),
    "tool_use": ("id", "name", "input"),
    "tool_result": ("tool_use_id",),
    "thinking": ("thinking", "signature"),
    "redacted_thinking": ("data",),
    "server_tool_use": ("id", "name", "input"),
    "web_search_tool_result": ("tool_use_id", "content"),
    "web_fetch_tool_result": ("tool_use_id", "content"),
}
TEXTS: Final = ("text", "id", "name", "tool_use_id", "thinking", "signature", "data")
"""Fields that hold a text."""
OF_THE_USER: Final = frozenset({"text", "image", "document", "search_result", "tool_result"})
OF_THE_ASSISTANT: Final = frozenset(FIELDS) - {"image", "document", "search_result", "tool_result"}
OF_THE_SYSTEM: Final = frozenset({"text"})
OF_A_RESULT: Final = frozenset({"text", "image", "document", "search_result"})
IDS: Final = {
    "tool_use": ("id", re.compile(r"[a-zA-Z0-9_-]+")),
    "tool_result": ("tool_use_id", re.compile(r"[a-zA-Z0-9_-]+")),
    "server_tool_use": ("id", re.compile(r"srvtoolu_[a-zA-Z0-9_]+")),
}
NAME: Final = re.compile(r"[a-zA-Z0-9_-]{1,200}")
FILES: Final = {"image": problem_of_picture, "document": problem_of_document}
_OF_ROLES: Final = {"user": OF_THE_USER, "assistant": OF_THE_ASSISTANT}


def problem_of_system(content: object) -> str | None:
    """Why a system prompt is rejected; None if it is accepted."""
    return _problem_of_content(content, OF_THE_SYSTEM, "system")


def problem_of_message(message: object, place: str) -> str | None:
    """Why a message is rejected for what is in it, whatever stands around it."""
    if not isinstance(message, dict) or str(message.get("role")) not in _OF_ROLES:
        return f"{place}.role: Input should be 'user' or 'assistant'"
    if (problem := problem_of_unknown(message, {"role", "content"}, place)) is not None:
        return problem
    if not message.get("content"):
        return f"{place}: all messages must have non-empty content"
    return _problem_of_content(message["content"], _OF_ROLES[message["role"]], f"{place}.content")


def _problem_of_content(content: object, types: frozenset[str], place: str) -> str | None:
    if isinstance(content, str):
        return None if content.strip() else f"{place}: text content must contain non-whitespace text"
    if not isinstance(content, list):
        return f"{place}: Input should be a valid list"
    return next((problem for number, each in enumerate(content) if (problem := _problem_of_block(each, types, f"{place}.{number}"))), None)


def _problem_of_block(block: object, types: frozenset[str], place: str) -> str | None:
    if not isinstance(block, dict) or not isinstance(block.get("type"), str):
        return f"{place}.type: Field required"
    kind = block["type"]
    if kind not in types:
        known = ", ".join(f"'{each}'" for each in sorted(types))
        return f"{place}: Input tag '{kind}' found using 'type' does not match any of the expected tags: {known}"
    within = f"{place}.{kind}"
    missing = next((name for name in REQUIRED.get(kind, ()) if block.get(name) is None), None)
    if missing is not None:
        return f"{within}.{missing}: Field required"
    wrong = next((name for name in TEXTS if name in FIELDS[kind] and not isinstance(block.get(name, ""), str)), None)
    if wrong is not None:
        return f"{within}.{wrong}: Input should be a valid string"
    return (
        problem_of_unknown(block, FIELDS[kind] | {"type"}, within)
        or cache_controls.problem_of_one(block.get("cache_control"), f"{within}.cache_control")
        or _problem_within(block, place)
    )


def _problem_within(block: JsonObject, place: str) -> str | None:
    """What is wrong with the values of a block whose fields are right."""
    kind = block["type"]
    within = f"{place}.{kind}"
    if kind == "text" and not block["text"].strip():
        return f"{place}: text content blocks must contain non-whitespace text"
    if kind in FILES:
        return FILES[kind](block.get("source"), f"{within}.source")
    name, pattern = IDS.get(kind, (None, None))
    if name is not None and pattern is not None and not pattern.fullmatch(block[name]):
        return f"{within}.{name}: String should match pattern '^{pattern.pattern}$'"
    if kind == "tool_result":
        return _problem_of_result(block, within)
    return _problem_of_call(block, within) if kind in {"tool_use", "server_tool_use"} else None


def _problem_of_call(block: JsonObject, within: str) -> str | None:
    if not NAME.fullmatch(block["name"]):
        return f"{within}.name: String should match pattern '^{NAME.pattern}$'"
    return None if isinstance(block["input"], dict) else f"{within}.input: Input should be a valid dictionary"


def _problem_of_result(block: JsonObject, within: str) -> str | None:
    """A result may be empty; an error must be told in text alone."""
    failed, content = block.get("is_error") or False, block.get("content") or []
    if not isinstance(failed, bool):
        return f"{within}.is_error: Input should be a valid boolean"
    if isinstance(content, str):
        return None
    problem = _problem_of_content(content, OF_A_RESULT, f"{within}.content")
    if problem is None and failed and any(each["type"] != "text" for each in content):
        return f'{within}.content: all content must be type "text" if `is_error` is true'
    return problem
