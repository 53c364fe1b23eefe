"""Which requests the Messages API refuses, and in which words."""

from __future__ import annotations

import json
import secrets
from typing import TYPE_CHECKING, Any, Final

from sandbox.anthropic import models as anthropic_models
from sandbox.engine.provider_request import Answer

if TYPE_CHECKING:
    from sandbox.engine.faults import Fault

JsonObject = dict[str, Any]
MOST_CACHE_MARKS: Final = 4
SERVER_ERROR: Final = 500
LARGEST_PICTURE: Final = 5 * 1024 * 1024
PICTURES: Final = {"image/png": "iVBORw0KGgo", "image/jpeg": "/9j/", "image/gif": "R0lGOD", "image/webp": "UklGR"}
"""How each kind begins, in base64."""
TYPES: Final = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    500: "api_error",
    503: "api_error",
    504: "timeout_error",
    529: "overloaded_error",
}
SENTENCES: Final = {
    401: "invalid x-api-key",
    402: "Your credit balance is too low to access the Anthropic API.",
    429: "This request would exceed your organization's rate limit (simulated).",
    500: "Internal server error",
    529: "Overloaded",
}
NO_PREFILL: Final = "This model does not support assistant message prefill. The conversation must end with a user message."


def request_id() -> str:
    """Return a fresh request id."""
    return "req_" + secrets.token_hex(12)


def error(status: int, sentence: str, headers: dict[str, str] | None = None) -> Answer:
    """Word an error as the API does."""
    identity = request_id()
    kind = TYPES.get(status, "invalid_request_error" if status < SERVER_ERROR else "api_error")
    body = {"type": "error", "error": {"type": kind, "message": sentence}, "request_id": identity}
    return Answer(status=status, body=body, headers={"request-id": identity, **(headers or {})}, accepted=False)


def fault(status: int, given: Fault | None = None) -> Answer:
    """Word a fault."""
    wait = given.retry_after if given is not None else None
    headers = {"retry-after": f"{wait:g}"} if wait is not None else {}
    return error(status, SENTENCES.get(status, "simulated fault"), headers)


def judge(request: JsonObject) -> str | None:
    """Return why the API would refuse a request; None when it would not."""
    if not isinstance(request.get("model"), str) or not request["model"]:
        return "model: Field required"
    budget = request.get("max_tokens")
    if not isinstance(budget, int) or isinstance(budget, bool) or budget < 0:
        return "max_tokens: Field required" if budget is None else "max_tokens: Input should be greater than or equal to 0"
    return anthropic_models.judge(request) or judge_messages(request)


def judge_messages(request: JsonObject) -> str | None:
    """Return what is wrong with the messages and the system prompt."""
    messages = request.get("messages")
    if not isinstance(messages, list) or not messages:
        return "messages: at least one message is required"
    for number, message in enumerate(messages):
        fault = _judge_message(message, f"messages.{number}")
        if fault is not None:
            return fault
    if messages[0]["role"] != "user":
        return 'messages: first message must use the "user" role'
    if messages[-1]["role"] != "user":
        return NO_PREFILL
    return _judge_blocks(request.get("system") or "system", "system") or _judge_cache_marks(request)


def _judge_message(message: object, place: str) -> str | None:
    if not isinstance(message, dict) or message.get("role") not in {"user", "assistant"}:
        return f"{place}.role: Input should be 'user' or 'assistant'"
    if not message.get("content"):
        return f"{place}: all messages must have non-empty content"
    return _judge_blocks(message["content"], f"{place}.content")


def _judge_blocks(content: object, place: str) -> str | None:
    """Texts must hold something to read."""
    if isinstance(content, str):
        return None if content.strip() else f"{place}: text content must contain non-whitespace text"
    if not isinstance(content, list):
        return f"{place}: Input should be a valid list"
    for number, block in enumerate(content):
        if not isinstance(block, dict) or not isinstance(block.get("type"), str):
            return f"{place}.{number}.type: Field required"
        if block["type"] == "text" and not str(block.get("text", "")).strip():
            return f"{place}.{number}: text content blocks must contain non-whitespace text"
        if block["type"] == "image" and (fault := _judge_picture(block.get("source"), f"{place}.{number}.image.source")):
            return fault
    return None


def _judge_picture(source: object, place: str) -> str | None:
    """A picture must be of a known kind, not too large, and begin as its kind does."""
    if not isinstance(source, dict) or source.get("type") != "base64":
        return f"{place}.type: Input should be 'base64'"
    beginning, data = PICTURES.get(str(source.get("media_type"))), str(source.get("data", ""))
    if beginning is None:
        return f"{place}.media_type: Input should be 'image/jpeg', 'image/png', 'image/gif' or 'image/webp'"
    if not data:
        return f"{place}.base64: image cannot be empty"
    if len(data) > LARGEST_PICTURE:
        return f"{place}.base64: image exceeds 5 MB maximum: {len(data)} bytes > {LARGEST_PICTURE} bytes"
    return None if data.startswith(beginning) else "Could not process image"


def _judge_cache_marks(request: JsonObject) -> str | None:
    parts = [request.get("tools") or [], request.get("system") or [], request["messages"]]
    marks = json.dumps(parts).count('"cache_control": {') + (1 if request.get("cache_control") else 0)
    if marks <= MOST_CACHE_MARKS:
        return None
    return f"A maximum of {MOST_CACHE_MARKS} blocks with cache_control may be provided. Found {marks}."
