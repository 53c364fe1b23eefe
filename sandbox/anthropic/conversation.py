"""Which conversations the Messages API rejects although each of their messages is right: by roles, calls of tools and their results."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from sandbox.anthropic.tokens import blocks_of, pages_of
from sandbox.engine.json_types import JsonObject

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_PAGES: Final = 100
"""Of all documents of a request."""
NO_PREFILL: Final = "This model does not support assistant message prefill. The conversation must end with a user message."
SERVER_RESULTS: Final = frozenset({"web_search_tool_result", "web_fetch_tool_result"})
OF_TOOLS: Final = SERVER_RESULTS | {"tool_use", "tool_result"}

_Place = tuple[str, JsonObject]
"""A content block, and where it stands."""


def problem_of(request: JsonObject, *, may_end_with_assistant: bool) -> str | None:
    """Why a conversation is rejected. It may end with the assistant's content where the model paused."""
    messages: list[JsonObject] = request["messages"]
    if messages[0]["role"] != "user":
        return 'messages: first message must use the "user" role'
    if messages[-1]["role"] != "user" and not may_end_with_assistant:
        return NO_PREFILL
    blocks = [block for block in every_block(messages) if block["type"] != "text"]
    if sum(pages_of(block.get("source")) for block in blocks if block["type"] == "document") > MAX_PAGES:
        return f"A maximum of {MAX_PAGES} PDF pages may be provided."
    if all(block["type"] not in OF_TOOLS for block in blocks):
        return None
    turns = list(_turns(messages))
    return _problem_of_results(turns) or _problem_of_server_results(turns) or _problem_without_tools(request)


def every_block(messages: list[JsonObject]) -> Iterator[JsonObject]:
    """All blocks of a conversation, those within the results of tools too."""
    for message in messages:
        for block in blocks_of(message["content"]):
            yield block
            if block["type"] == "tool_result":
                yield from blocks_of(block.get("content"))


def _turns(messages: list[JsonObject]) -> Iterator[tuple[str, list[_Place]]]:
    """The messages with those of one role that follow one another taken together, as the API does."""
    role, blocks = messages[0]["role"], list[_Place]()
    for number, message in enumerate(messages):
        if message["role"] != role:
            yield role, blocks
            role, blocks = message["role"], []
        blocks += [(f"messages.{number}.content.{place}", block) for place, block in enumerate(blocks_of(message["content"]))]
    yield role, blocks


def _problem_of_results(turns: list[tuple[str, list[_Place]]]) -> str | None:
    """Each call has one result, in the user's next message and before anything else in it; each result has its call."""
    calls: list[_Place] = []
    seen: set[str] = set()
    for role, blocks in turns:
        if role == "user":
            problem = _problem_of_answer(calls, blocks)
            calls = []
        else:
            calls = [(place, block) for place, block in blocks if block["type"] == "tool_use"]
            names = [block["id"] for _, block in calls]
            problem = "messages: `tool_use` ids must be unique" if len({*names, *seen}) < len(names) + len(seen) else None
            seen |= set(names)
        if problem is not None:
            return problem
    return _unanswered(calls[0][0], [block["id"] for _, block in calls]) if calls else None


def _problem_of_answer(calls: list[_Place], blocks: list[_Place]) -> str | None:
    """What is wrong with the user's message after these calls."""
    asked = [block["id"] for _, block in calls]
    results = [(place, block["tool_use_id"]) for place, block in blocks if block["type"] == "tool_result"]
    for place, name in results:
        if name not in asked:
            return (
                f"{place}: unexpected `tool_use_id` found in `tool_result` blocks: {name}. "
                "Each `tool_result` block must have a corresponding `tool_use` block in the previous message."
            )
    first = [block["tool_use_id"] for _, block in blocks[: len(results)] if block["type"] == "tool_result"]
    missing = [name for name in asked if name not in first]
    if missing:
        return _unanswered(calls[0][0], missing)
    twice = next((name for name, count in Counter(name for _, name in results).items() if count > 1), None)
    if twice is not None:
        return f"{results[0][0]}: each tool_use must have a single result. Found multiple `tool_result` blocks with id: {twice}"
    return None


def _unanswered(place: str, names: list[str]) -> str:
    return (
        f"{place.partition('.content')[0]}: `tool_use` ids were found without `tool_result` blocks immediately after: {', '.join(names)}. "
        "Each `tool_use` block must have a corresponding `tool_result` block in the next message."
    )


def _problem_of_server_results(turns: list[tuple[str, list[_Place]]]) -> str | None:
    """What the API's own tools found stands behind the call, in the same message."""
    for _, blocks in turns:
        called: set[str] = set()
        for place, block in blocks:
            if block["type"] == "server_tool_use":
                called.add(block["id"])
            elif block["type"] in SERVER_RESULTS and block["tool_use_id"] not in called:
                return (
                    f"{place}: unexpected `tool_use_id` found in `{block['type']}` blocks: {block['tool_use_id']}. "
                    f"Each `{block['type']}` block must have a corresponding `server_tool_use` block before it."
                )
    return None


def _problem_without_tools(request: JsonObject) -> str | None:
    used = any(block["type"] in {"tool_use", "tool_result"} for block in every_block(request["messages"]))
    return "Requests which include `tool_use` or `tool_result` blocks must define tools" if used and not request.get("tools") else None
