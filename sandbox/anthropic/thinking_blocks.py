"""Signs the model's thinking, and finds in a request what was not thought by this model in this conversation, word for word.

A signature holds nothing secret: it is a digest of the model's name, of the conversation up to the user's last block before the answer,
and of the thinking. Breakpoints of the cache are left out, and one message may be written as two: neither changes what was said.
"""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Final

from sandbox.anthropic.tokens import blocks_of
from sandbox.engine.json_types import JsonObject

START: Final = hashlib.sha256(b"simulated").digest()


def signed(content: list[JsonObject], request: JsonObject) -> list[JsonObject]:
    """An answer's content with a signature in each thinking block that has none."""
    if all(block.get("type") != "thinking" or "signature" in block for block in content):
        return content
    before = _digests(request["messages"])[-1]
    return [_signed(block, str(request["model"]), before) for block in content]


def problem_of(request: JsonObject) -> str | None:
    """Why a thinking block of a request is rejected; None if all are as they were written."""
    messages: list[JsonObject] = request["messages"]
    if not any(block["type"] == "thinking" for message in messages for block in blocks_of(message["content"])):
        return None
    before = _digests(messages)
    for number, message in enumerate(messages):
        for place, block in enumerate(blocks_of(message["content"])):
            if block["type"] == "thinking" and block["signature"] != _signature(
                str(request.get("model")), before[number], block["thinking"]
            ):
                return f"messages.{number}.content.{place}: Invalid `signature` in `thinking` block"
    return None


def _digests(messages: list[JsonObject]) -> list[bytes]:
    """For each message, and behind the last one, the digest of all blocks up to the user's last one before it."""
    digests, current, at_user = [], START, START
    for message in messages:
        digests.append(at_user)
        for block in blocks_of(message["content"]):
            plain = {name: value for name, value in block.items() if name != "cache_control"}
            current = hashlib.sha256(current + json.dumps([message["role"], plain], sort_keys=True).encode()).digest()
        if message["role"] == "user":
            at_user = current
    return [*digests, at_user]


def _signed(block: JsonObject, model: str, before: bytes) -> JsonObject:
    if block.get("type") != "thinking" or "signature" in block:
        return block
    return {**block, "signature": _signature(model, before, str(block.get("thinking", "")))}


def _signature(model: str, before: bytes, thinking: str) -> str:
    return base64.b64encode(hashlib.sha256(before + json.dumps([model, thinking]).encode()).digest()).decode()
