"""Writes the simulated model's answers. They say that they are simulated, unless a fault setting gives the text."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sandbox.anthropic import errors, model_rules
from sandbox.engine.faults import AnthropicFaults
from sandbox.engine.json_types import JsonObject

if TYPE_CHECKING:
    from collections.abc import Iterator

NOTES: Final = re.compile(r"⟦[^⟦⟧]*⟧\s*")
"""What the product puts around the user's text."""
MARK: Final = "[simulated]"
MAX_ECHO: Final = 200
SHORT_LENGTH: Final = 160
"""Characters of an answer that the user wants shorter without naming a limit."""
CHARACTERS_PER_TOKEN: Final = 4
PICTURE_TOKENS: Final = 1_500
PAGE_TOKENS: Final = 2_500
THINKING_SHARES: Final = {"low": 0.1, "medium": 0.5, "high": 1.0, "xhigh": 1.5, "max": 2.0}
"""How much the model thinks at each effort, as a share of what it thinks at `high`."""
WANTS_SHORTER: Final = re.compile(r"\bshort(?:er|en)?\b|\bbrief(?:er|ly)?\b|\btoo long\b", re.IGNORECASE)
LENGTH_LIMIT: Final = re.compile(r"(\d[\d,]*)[ -]?(?:characters?|chars?)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelReply:
    """The model's answer: content blocks, stop reason and usage as the API has them."""

    content: list[JsonObject]
    stop_reason: str
    usage: JsonObject


def text_of(content: object) -> str:
    """The text of a message's content: that of its text blocks, joined by newlines."""
    if isinstance(content, str):
        return content
    blocks = content if isinstance(content, list) else []
    return "\n".join(str(block.get("text", "")) for block in blocks if isinstance(block, dict) and block.get("type") == "text")


def last_user_text(messages: list[JsonObject]) -> str:
    """The user's last text."""
    return next((text_of(message.get("content")) for message in reversed(messages) if message.get("role") == "user"), "")


def user_turns(messages: list[JsonObject]) -> int:
    """The number of the user's turns."""
    return sum(1 for message in messages if message.get("role") == "user")


def without_pictures(messages: list[JsonObject]) -> list[JsonObject]:
    """The messages with a description of each picture and document (type, bytes, SHA-256) in its place."""
    return [{**message, "content": _described(message.get("content"))} for message in messages]


def _described(content: object) -> object:
    if not isinstance(content, list):
        return content
    return [_file(block) if isinstance(block, dict) and block.get("type") in ("image", "document") else block for block in content]


def _file(block: JsonObject) -> JsonObject:
    given = block.get("source")
    source = given if isinstance(given, dict) else {}
    try:
        data = base64.b64decode(str(source.get("data", "")))
    except ValueError:
        data = b""
    shown = {"media_type": source.get("media_type"), "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    return {**block, "source": shown}


def tokens(value: object) -> int:
    """Estimate tokens by the length of the text, or of the JSON."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return max(1, len(text) // CHARACTERS_PER_TOKEN)


def input_tokens(request: JsonObject) -> int:
    """Estimate the input tokens of a whole request."""
    messages = [message for message in request.get("messages") or () if isinstance(message, dict)]
    blocks: list[JsonObject] = [block for message in messages if isinstance(message.get("content"), list) for block in message["content"]]
    pictures = sum(block.get("type") == "image" for block in blocks)
    pages = sum(errors.pages_of(block.get("source")) for block in blocks if block.get("type") == "document")
    total: int = (
        tokens(without_pictures(messages))
        + pictures * PICTURE_TOKENS
        + pages * PAGE_TOKENS
        + sum(tokens(request[n]) for n in ("system", "tools") if request.get(n))
    )
    return total


def answer(request: JsonObject, faults: AnthropicFaults) -> ModelReply:
    """Write a reply within the request's max_tokens, thinking first."""
    if faults.match is not None and faults.match not in json.dumps(request["messages"], ensure_ascii=False):
        faults = AnthropicFaults()
    budget = int(request["max_tokens"])
    stop_reason = faults.stop_reason or "end_turn"
    thought = min(budget, _thinking_tokens(request, faults))
    budget -= thought
    if faults.content is not None:
        content = faults.content
    elif budget == 0 or (stop_reason == "refusal" and faults.text is None):
        content, stop_reason = [], "max_tokens" if budget == 0 else stop_reason
    else:
        text = _text(request["messages"], faults)
        if tokens(text) > budget:
            text, stop_reason = text[: budget * CHARACTERS_PER_TOKEN], "max_tokens"
        content = [{"type": "text", "text": text}] if text else []
    if thought:
        content = [{"type": "thinking", "thinking": faults.thinking or "", "signature": "c2ltdWxhdGVk"}, *content]
    return ModelReply(content=content, stop_reason=stop_reason, usage=_usage(request, content, faults, thought))


def _thinking_tokens(request: JsonObject, faults: AnthropicFaults) -> int:
    """The tokens of thinking: what the settings say for effort `high`, or a share of it at another effort."""
    if not model_rules.thinks(request):
        return 0
    config = request.get("output_config")
    share = THINKING_SHARES.get(str(config.get("effort")) if isinstance(config, dict) else "", 1.0)
    written = tokens(faults.thinking) if faults.thinking is not None else 0
    return max(written, int((faults.thinking_tokens or 0) * share))


def _text(messages: list[JsonObject], faults: AnthropicFaults) -> str:
    """Choose the text: that of the settings, the user's own, an essay of a given length, or an echo."""
    asked = last_user_text(messages)
    if faults.text is not None:
        return faults.text
    if faults.obey:
        return asked
    if faults.length is not None:
        return essay(_requested_length(asked, faults.length))
    beginning = NOTES.sub("", asked).strip()
    beginning = beginning if len(beginning) <= MAX_ECHO else beginning[:MAX_ECHO].rstrip() + "..."
    return f"{MARK} You wrote: {beginning} (user turns: {user_turns(messages)})"


def _requested_length(asked: str, length: int) -> int:
    """The length to write: shorter if the user asks for shorter, and within a limit that the user names."""
    limits = [int(number.replace(",", "")) for number in LENGTH_LIMIT.findall(asked)]
    if limits:
        return max(1, min(length, *limits))
    return min(length, SHORT_LENGTH) if WANTS_SHORTER.search(asked) else length


def essay(length: int) -> str:
    """Write exactly `length` characters, in numbered sentences, so that a reader sees where a text was cut."""
    text, number = MARK, 0
    while len(text) < length:
        number += 1
        text += f" Sentence {number} of a long simulated answer."
    return text[: length - 1].rstrip().ljust(length - 1, ".") + "." if length > len(MARK) else text[:length]


def _usage(request: JsonObject, content: list[JsonObject], faults: AnthropicFaults, thought: int) -> JsonObject:
    written = "".join(str(block.get("text", "" if thought else block.get("thinking", ""))) for block in content)
    return {
        "input_tokens": input_tokens(request),
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
        "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0},
        "output_tokens": (tokens(written) if written else 0) + thought,
        "output_tokens_details": {"thinking_tokens": thought},
        "service_tier": "standard",
        **faults.usage,
    }


def pieces(text: str, size: int = 24) -> Iterator[str]:
    """Split a text for the deltas of a stream."""
    return (text[start : start + size] for start in range(0, len(text), size))
