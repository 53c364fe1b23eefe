"""Which tokens of a question are read from the prompt cache, which are written to it, and which are neither.

A prompt is read as tools, system, messages. An entry is the beginning of one up to a breakpoint, byte by byte; the model and its effort
are part of it from the start, the choice of tools and the thinking from the messages on. A breakpoint finds what was written at its own
place or at one of the blocks before it, 20 in all. The longest beginning that any breakpoint finds is read, and lives on; the rest up to
the last breakpoint is written. A breakpoint behind too few tokens does nothing, and no error says so.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from sandbox.anthropic import cache_controls, model_rules, tokens
from sandbox.engine.json_types import JsonObject

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.engine.prompt_cache import PromptCache

LOOK_BACK: Final = 20
"""Blocks at which a breakpoint looks for an entry, its own among them."""
SECONDS: Final = {"5m": 300.0, "1h": 3600.0}
BEFORE_THE_FIRST: Final = -1


@dataclass(frozen=True, slots=True)
class CacheUsage:
    """Tokens of a question's input; all of it is the sum."""

    uncached: int
    read: int = 0
    written_5m: int = 0
    written_1h: int = 0

    @property
    def total(self) -> int:
        """All tokens of the input."""
        return self.uncached + self.read + self.written_5m + self.written_1h

    def to_json(self) -> JsonObject:
        """As the usage of an answer shows it."""
        return {
            "input_tokens": self.uncached,
            "cache_creation_input_tokens": self.written_5m + self.written_1h,
            "cache_read_input_tokens": self.read,
            "cache_creation": {"ephemeral_5m_input_tokens": self.written_5m, "ephemeral_1h_input_tokens": self.written_1h},
        }


@dataclass(frozen=True, slots=True)
class _PromptPart:
    """A block of the prompt."""

    digest: bytes
    """Of the prompt up to here."""
    tokens: int
    """Of the prompt up to here."""
    ttl: str | None
    """Of the breakpoint that stands here."""


def use(request: JsonObject, total: int, cache: PromptCache, now: float) -> CacheUsage:
    """Read and write the cache for an accepted request of so many tokens. `now` is in seconds of the epoch."""
    breakpoints = dict(cache_controls.places(request))
    if not breakpoints:
        return CacheUsage(total)
    parts = _parts(request, breakpoints)
    least = model_rules.least_cached(request)
    marked = [number for number, part in enumerate(parts) if part.ttl is not None and part.tokens >= least]
    found = {number for place in marked if (number := _found(parts, place, cache, now)) is not None}
    for number in found:
        cache.use(parts[number].digest, now)
    newest = max(found, default=BEFORE_THE_FIRST)
    written = [number for number in marked if number > newest]
    for number in written:
        cache.write(parts[number].digest, SECONDS[str(parts[number].ttl)], now)
    return _usage(parts, newest, written, total)


def _usage(parts: list[_PromptPart], newest: int, written: list[int], total: int) -> CacheUsage:
    """The tokens up to the entry that is read, from there to the last breakpoint of an hour, and from there to the last one."""
    read = parts[newest].tokens if newest != BEFORE_THE_FIRST else 0
    long = max((parts[number].tokens for number in written if parts[number].ttl == "1h"), default=read)
    end = max((parts[number].tokens for number in written), default=read)
    return CacheUsage(uncached=total - end, read=read, written_5m=end - long, written_1h=long - read)


def _found(parts: list[_PromptPart], place: int, cache: PromptCache, now: float) -> int | None:
    """The nearest block at or before a breakpoint at which an entry ends."""
    return next((number for number in range(place, max(place - LOOK_BACK, -1), -1) if cache.holds(parts[number].digest, now)), None)


def _parts(request: JsonObject, breakpoints: dict[str, str]) -> list[_PromptPart]:
    """The blocks of the prompt in their order, each with what stands before it, up to the last breakpoint."""
    start = _next(b"", json.dumps([request["model"], (request.get("output_config") or {}).get("effort")]))
    left = len(breakpoints)
    parts: list[_PromptPart] = []
    for place, digest, size in _places(request, start):
        ttl = _ttl_at(place, breakpoints)
        parts.append(_PromptPart(digest, size, ttl))
        left -= ttl is not None
        if not left:
            break
    return parts


def _places(request: JsonObject, start: bytes) -> Iterator[tuple[str, bytes, int]]:
    """The place of each block, and digest and tokens of the prompt up to it."""
    digest, size = start, 0
    if request.get("tools"):
        for number, (digest, size) in enumerate(_of_tools(start, json.dumps(request["tools"]))):
            yield f"tools.{number}", digest, size
    for number, block in enumerate(tokens.blocks_of(request.get("system"))):
        digest, size = _next(digest, _written("system", block)), size + tokens.of_block(block)
        yield f"system.{number}", digest, size
    digest = _next(digest, json.dumps([request.get("tool_choice"), request.get("thinking")], sort_keys=True))
    for place, message in enumerate(request["messages"]):
        size += tokens.MESSAGE_TOKENS
        for number, block in enumerate(tokens.blocks_of(message["content"])):
            digest, size = _next(digest, _written(message["role"], block)), size + tokens.of_block(block)
            yield f"messages.{place}.content.{number}", digest, size


@lru_cache(maxsize=64)
def _of_tools(digest: bytes, written: str) -> list[tuple[bytes, int]]:
    """Digest and tokens up to each tool. Nearly all requests of a program have the same ones."""
    found, size = [], tokens.TOOLS_TOKENS
    for tool in json.loads(written):
        digest, size = _next(digest, _written("tools", tool)), size + tokens.of_tool(tool)
        found.append((digest, size))
    return found


def _next(digest: bytes, written: str) -> bytes:
    return hashlib.sha256(digest + written.encode("utf-8", "surrogatepass")).digest()


def _written(role: str, block: JsonObject) -> str:
    """A block as it goes into a digest: without its breakpoints."""
    if block.get("type") == "text" and not block.get("citations"):
        return f"{role} text {block['text']}"
    written = json.dumps(block, sort_keys=True)
    return f"{role} {json.dumps(_plain(block), sort_keys=True) if 'cache_control' in written else written}"


def _ttl_at(place: str, breakpoints: dict[str, str]) -> str | None:
    """The TTL of the breakpoint at a block; one within the result of a tool stands at the result."""
    if place in breakpoints:
        return breakpoints[place]
    return next((ttl for known, ttl in breakpoints.items() if known.startswith(f"{place}.content.")), None)


def _plain(value: Any) -> Any:
    """A block without its breakpoints."""
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return {name: _plain(each) for name, each in value.items() if name != "cache_control"} if isinstance(value, dict) else value
