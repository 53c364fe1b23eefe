"""Where a request has breakpoints of the prompt cache, and which of them the Messages API rejects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sandbox.anthropic.fields import problem_of_unknown
from sandbox.engine.json_types import JsonObject

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_BREAKPOINTS: Final = 4
TTLS: Final = ("5m", "1h")
"""How long an entry lives after its last use; the first is the default."""
ORDER: Final = (
    "a ttl='1h' cache_control block must not come after a ttl='5m' cache_control block. "
    "Note that blocks are processed in the following order: `tools`, `system`, `messages`."
)


def problem_of_one(value: object, place: str) -> str | None:
    """Why one `cache_control` is rejected; None if it is accepted, or is not there."""
    if value is None:
        return None
    if not isinstance(value, dict) or value.get("type") != "ephemeral":
        return f"{place}.type: Input should be 'ephemeral'"
    if value.get("ttl", TTLS[0]) not in TTLS:
        return f"{place}.ephemeral.ttl: Input should be '5m' or '1h'"
    return problem_of_unknown(value, {"type", "ttl"}, f"{place}.ephemeral")


def problem_of(request: JsonObject) -> str | None:
    """Why the API rejects the breakpoints of a request, each of which is well-formed; None if it accepts them."""
    given = list(places(request))
    if len(given) > MAX_BREAKPOINTS:
        return f"A maximum of {MAX_BREAKPOINTS} blocks with cache_control may be provided. Found {len(given)}."
    short = next((place for place, ttl in given if ttl == "5m"), None)
    late = next((place for place, ttl in given[given.index((short, "5m")) :] if ttl == "1h"), None) if short else None
    return None if late is None else f"{late}: {ORDER}"


def places(request: JsonObject) -> Iterator[tuple[str, str]]:
    """Each breakpoint's place and TTL, in the order in which the prompt is read. The request's own one stands on its last block."""
    top = request.get("cache_control")
    explicit = [(place, ttl_of(value)) for place, value in _explicit(request)]
    yield from explicit
    if top and not (explicit and explicit[-1] == (last_place(request), ttl_of(top))):
        yield last_place(request), ttl_of(top)


def last_place(request: JsonObject) -> str:
    """The place of the last block of the messages."""
    content = request["messages"][-1]["content"]
    return f"messages.{len(request['messages']) - 1}.content.{len(content) - 1 if isinstance(content, list) else 0}"


def ttl_of(value: JsonObject) -> str:
    """The TTL of a well-formed `cache_control`."""
    return str(value.get("ttl", TTLS[0]))


def _explicit(request: JsonObject) -> Iterator[tuple[str, JsonObject]]:
    yield from _of_blocks(request.get("tools"), "tools")
    yield from _of_blocks(request.get("system"), "system")
    for number, message in enumerate(request["messages"]):
        if not isinstance(message["content"], str):
            yield from _of_blocks(message["content"], f"messages.{number}.content")


def _of_blocks(blocks: object, place: str) -> Iterator[tuple[str, JsonObject]]:
    for number, block in enumerate(blocks if isinstance(blocks, list) else ()):
        inner = block.get("content") if block.get("type") == "tool_result" else None
        yield from _of_blocks(inner, f"{place}.{number}.content")
        if block.get("cache_control"):
            yield f"{place}.{number}", block["cache_control"]
