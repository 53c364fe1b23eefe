"""What the simulated model says. It always says that it is simulated, unless a knob puts other words into its mouth."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from sandbox.anthropic import models as anthropic_models
from sandbox.engine.faults import AnthropicKnobs

if TYPE_CHECKING:
    from collections.abc import Iterator

JsonObject = dict[str, Any]
NOTES: Final = re.compile(r"⟦[^⟦⟧]*⟧\s*")
"""What the asking program has put around the user's words."""
MARK: Final = "[simulated]"
ECHO: Final = 200
SHORT: Final = 160
CHARACTERS_A_TOKEN: Final = 4
PICTURE_TOKENS: Final = 1_500
EFFORTS: Final = {"low": 0.1, "medium": 0.5, "high": 1.0, "xhigh": 1.5, "max": 2.0}
"""How much of the thinking at effort high there is at another."""
SHORTER: Final = re.compile(r"\bshort(?:er|en)?\b|\bbrief(?:er|ly)?\b|\btoo long\b", re.IGNORECASE)
LIMIT: Final = re.compile(r"(\d[\d,]*)[ -]?(?:characters?|chars?)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What the model answers, before it becomes JSON or events."""

    content: list[JsonObject]
    stop_reason: str
    usage: JsonObject


def text_of(content: object) -> str:
    """Return the text of a message's content, blocks joined."""
    if isinstance(content, str):
        return content
    blocks = content if isinstance(content, list) else []
    return "\n".join(str(block.get("text", "")) for block in blocks if isinstance(block, dict) and block.get("type") == "text")


def last_user_text(messages: list[JsonObject]) -> str:
    """Return what the user wrote last."""
    return next((text_of(message.get("content")) for message in reversed(messages) if message.get("role") == "user"), "")


def user_turns(messages: list[JsonObject]) -> int:
    """Count the user's turns."""
    return sum(1 for message in messages if message.get("role") == "user")


def without_pictures(messages: list[JsonObject]) -> list[JsonObject]:
    """Return the messages with what their pictures are, instead of the pictures."""
    return [{**message, "content": _described(message.get("content"))} for message in messages]


def _described(content: object) -> object:
    if not isinstance(content, list):
        return content
    return [_picture(block) if isinstance(block, dict) and block.get("type") == "image" else block for block in content]


def _picture(block: JsonObject) -> JsonObject:
    given = block.get("source")
    source = given if isinstance(given, dict) else {}
    try:
        data = base64.b64decode(str(source.get("data", "")))
    except ValueError:
        data = b""
    shown = {"media_type": source.get("media_type"), "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    return {"type": "image", "source": shown}


def tokens(value: object) -> int:
    """Estimate tokens, by length: good enough to be budgeted with, not to be billed with."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return max(1, len(text) // CHARACTERS_A_TOKEN)


def input_tokens(request: JsonObject) -> int:
    """Estimate the tokens of a whole request."""
    messages = [message for message in request.get("messages") or () if isinstance(message, dict)]
    pictures = json.dumps(messages).count('"type": "image"')
    return (
        tokens(without_pictures(messages))
        + pictures * PICTURE_TOKENS
        + sum(tokens(request[n]) for n in ("system", "tools") if request.get(n))
    )


def answer(request: JsonObject, knobs: AnthropicKnobs) -> Reply:
    """Think of a reply."""
    if knobs.match is not None and knobs.match not in json.dumps(request["messages"], ensure_ascii=False):
        knobs = AnthropicKnobs()
    budget = int(request["max_tokens"])
    stop_reason = knobs.stop_reason or "end_turn"
    thought = min(budget, _thought(request, knobs))
    budget -= thought
    if knobs.content is not None:
        content = knobs.content
    elif budget == 0 or (stop_reason == "refusal" and knobs.text is None):
        content, stop_reason = [], "max_tokens" if budget == 0 else stop_reason
    else:
        text = _words(request["messages"], knobs)
        if tokens(text) > budget:
            text, stop_reason = text[: budget * CHARACTERS_A_TOKEN], "max_tokens"
        content = [{"type": "text", "text": text}] if text else []
    if thought:
        content = [{"type": "thinking", "thinking": knobs.thinking or "", "signature": "c2ltdWxhdGVk"}, *content]
    return Reply(content=content, stop_reason=stop_reason, usage=_usage(request, content, knobs, thought))


def _thought(request: JsonObject, knobs: AnthropicKnobs) -> int:
    """How many tokens of thinking come first: what the knobs say of effort high, and a share of it at another."""
    if not anthropic_models.thinks(request):
        return 0
    config = request.get("output_config")
    share = EFFORTS.get(str(config.get("effort")) if isinstance(config, dict) else "", 1.0)
    written = tokens(knobs.thinking) if knobs.thinking is not None else 0
    return max(written, int((knobs.thinking_tokens or 0) * share))


def _words(messages: list[JsonObject], knobs: AnthropicKnobs) -> str:
    """Choose the words: the knob's, the user's own, an essay of the length asked for, or an echo."""
    heard = last_user_text(messages)
    if knobs.text is not None:
        return knobs.text
    if knobs.obey:
        return heard
    if knobs.length is not None:
        return essay(_agreed_length(heard, knobs.length))
    beginning = NOTES.sub("", heard).strip()
    beginning = beginning if len(beginning) <= ECHO else beginning[:ECHO].rstrip() + "..."
    return f"{MARK} You wrote: {beginning} (user turns: {user_turns(messages)})"


def _agreed_length(heard: str, length: int) -> int:
    """Answer shorter when the user asks for shorter, within the limit named if there is one."""
    limits = [int(number.replace(",", "")) for number in LIMIT.findall(heard)]
    if limits:
        return max(1, min(length, *limits))
    return min(length, SHORT) if SHORTER.search(heard) else length


def essay(length: int) -> str:
    """Write exactly so many characters, in numbered sentences, so that a cut shows where it is."""
    text, number = MARK, 0
    while len(text) < length:
        number += 1
        text += f" Sentence {number} of a long simulated answer."
    return text[: length - 1].rstrip().ljust(length - 1, ".") + "." if length > len(MARK) else text[:length]


def _usage(request: JsonObject, content: list[JsonObject], knobs: AnthropicKnobs, thought: int) -> JsonObject:
    said = "".join(str(block.get("text", "" if thought else block.get("thinking", ""))) for block in content)
    return {
        "input_tokens": input_tokens(request),
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
        "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0},
        "output_tokens": (tokens(said) if said else 0) + thought,
        "output_tokens_details": {"thinking_tokens": thought},
        "service_tier": "standard",
        **knobs.usage,
    }


def pieces(text: str, size: int = 24) -> Iterator[str]:
    """Cut a text into the deltas of a stream."""
    return (text[start : start + size] for start in range(0, len(text), size))
