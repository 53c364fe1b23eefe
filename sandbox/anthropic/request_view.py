"""What the journal shows of a request and of its answer."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import asdict

from sandbox.anthropic import cache_controls, transcript
from sandbox.engine.json_types import JsonObject


def describe(body: JsonObject) -> JsonObject:
    """The user's last text, then the conversation, what the tools are called and what they answered, then all other fields of the body."""
    messages = body.get("messages")
    conversation = [each for each in messages if isinstance(each, dict)] if isinstance(messages, list) else []
    other = {name: value for name, value in body.items() if name not in {"messages", "system"}}
    shown = {
        "text": transcript.last_user_text(conversation),
        "user_turns": transcript.user_turns(conversation),
        "system": transcript.text_of(body.get("system")),
        "messages": _without_files(conversation),
        **other,
    }
    if isinstance(body.get("tools"), list):
        shown["tool_names"] = [str(tool.get("name")) for tool in body["tools"] if isinstance(tool, dict)]
    if outcomes := transcript.newest_outcomes(conversation):
        shown["tool_results"] = [asdict(outcome) for outcome in outcomes]
    return shown


def describe_breakpoints(body: JsonObject) -> list[JsonObject]:
    """Where an accepted request has breakpoints of the cache, and for how long."""
    return [{"place": place, "ttl": ttl} for place, ttl in cache_controls.places(body)]


def _without_files(messages: list[JsonObject]) -> list[JsonObject]:
    """The messages with a description of each picture and document (type, bytes, SHA-256) in its place."""
    return [{**message, "content": _described(message.get("content"))} for message in messages]


def _described(content: object) -> object:
    return [_described_block(block) for block in content] if isinstance(content, list) else content


def _described_block(block: object) -> object:
    if not isinstance(block, dict):
        return block
    if block.get("type") == "tool_result":
        return {**block, "content": _described(block["content"])} if "content" in block else block
    return _file(block) if block.get("type") in ("image", "document") else block


def _file(block: JsonObject) -> JsonObject:
    given = block.get("source")
    source = given if isinstance(given, dict) else {}
    try:
        data = base64.b64decode(str(source.get("data", "")))
    except ValueError:
        data = b""
    shown = {"media_type": source.get("media_type"), "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    return {**block, "source": shown}
