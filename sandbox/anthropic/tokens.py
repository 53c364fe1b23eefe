"""Estimates tokens, block by block: the estimate of a request is the sum of those of its parts, whatever stands beside them."""

from __future__ import annotations

import base64
import json
import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from sandbox.engine.json_types import JsonObject

if TYPE_CHECKING:
    from collections.abc import Iterator

CHARACTERS_PER_TOKEN: Final = 4
MESSAGE_TOKENS: Final = 3
"""Of a message beside its content."""
PICTURE_TOKENS: Final = 1_500
PAGE_TOKENS: Final = 2_500
TOOLS_TOKENS: Final = 346
"""Of the instructions that the API itself adds to a request with tools."""
PAGES: Final = re.compile(rb"/Type\s*/Page(?![a-zA-Z])")


def of_text(value: object) -> int:
    """By the length of the text, or of the JSON; one at least."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return max(1, len(text) // CHARACTERS_PER_TOKEN)


def of_block(block: JsonObject) -> int:
    """Of a content block. Where a breakpoint of the cache stands makes no difference."""
    kind = block.get("type")
    if kind == "text":
        return of_text(str(block.get("text", "")))
    if kind == "image":
        return PICTURE_TOKENS
    if kind == "document":
        return pages_of(block.get("source")) * PAGE_TOKENS
    if kind == "tool_result":
        return of_text(str(block.get("tool_use_id"))) + sum(of_block(each) for each in blocks_of(block.get("content")))
    return of_text({name: value for name, value in block.items() if name not in {"cache_control", "signature"}})


def of_tool(tool: JsonObject) -> int:
    """Of a tool's definition."""
    return of_text({name: value for name, value in tool.items() if name != "cache_control"})


@lru_cache(maxsize=64)
def _of_tools(written: str) -> int:
    """Of a list of tools, with the API's own instructions. Nearly all requests of a program have the same ones."""
    return TOOLS_TOKENS + sum(of_tool(tool) for tool in json.loads(written))


def of_request(request: JsonObject) -> int:
    """Of a whole request's input."""
    tools, messages = request.get("tools") or (), request.get("messages") or ()
    total = _of_tools(json.dumps(tools)) if tools else 0
    total += sum(of_block(block) for block in blocks_of(request.get("system")))
    return total + sum(MESSAGE_TOKENS + sum(of_block(block) for block in blocks_of(message.get("content"))) for message in messages)


def blocks_of(content: object) -> Iterator[JsonObject]:
    """The blocks of a content, which may also be written as one text."""
    if isinstance(content, str):
        yield {"type": "text", "text": content}
    elif isinstance(content, list):
        yield from (block for block in content if isinstance(block, dict))


def pages_of(source: object) -> int:
    """How many pages a PDF has, as far as it is not compressed; one at least."""
    try:
        data = base64.b64decode(str(source.get("data", "")) if isinstance(source, dict) else "")
    except ValueError:
        return 1
    return max(1, len(PAGES.findall(data)))
