"""Which requests the Messages API rejects, and how its errors look: https://docs.anthropic.com/en/api/errors."""

from __future__ import annotations

import base64
import json
import re
import secrets
from typing import TYPE_CHECKING, Final

from sandbox.anthropic import model_rules
from sandbox.engine.json_types import JsonObject
from sandbox.engine.provider_request import ProviderResponse

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.engine.faults import InjectedFault

MAX_CACHE_CONTROLS: Final = 4
SERVER_ERROR: Final = 500
MAX_PICTURE: Final = 5 * 1024 * 1024
"""Characters of base64."""
PICTURE_PREFIXES: Final = {"image/png": "iVBORw0KGgo", "image/jpeg": "/9j/", "image/gif": "R0lGOD", "image/webp": "UklGR"}
"""How a file of each type begins, in base64."""
MAX_REQUEST: Final = 32 * 1024 * 1024
"""Bytes of a request."""
MAX_PAGES: Final = 100
"""Of all documents of a request."""
PDF_PREFIX: Final = "JVBERi0"
PAGES: Final = re.compile(rb"/Type\s*/Page(?![a-zA-Z])")
ERROR_TYPES: Final = {
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
    """Return a new request id."""
    return "req_" + secrets.token_hex(12)


def error_response(status: int, sentence: str, headers: dict[str, str] | None = None) -> ProviderResponse:
    """An error as the API answers it."""
    identity = request_id()
    kind = ERROR_TYPES.get(status, "invalid_request_error" if status < SERVER_ERROR else "api_error")
    body = {"type": "error", "error": {"type": kind, "message": sentence}, "request_id": identity}
    return ProviderResponse(status=status, body=body, headers={"request-id": identity, **(headers or {})}, accepted=False)


def fault_response(status: int, fault: InjectedFault | None = None) -> ProviderResponse:
    """The answer of an injected fault."""
    wait = fault.retry_after if fault is not None else None
    headers = {"retry-after": f"{wait:g}"} if wait is not None else {}
    return error_response(status, SENTENCES.get(status, "simulated fault"), headers)


def problem_of(body: JsonObject) -> str | None:
    """Why the API rejects a request for a message; None if it accepts it."""
    if not isinstance(body.get("model"), str) or not body["model"]:
        return "model: Field required"
    budget = body.get("max_tokens")
    if not isinstance(budget, int) or isinstance(budget, bool) or budget < 0:
        return "max_tokens: Field required" if budget is None else "max_tokens: Input should be greater than or equal to 0"
    return model_rules.problem_of(body) or problem_of_messages(body)


def problem_of_messages(body: JsonObject) -> str | None:
    """What is wrong with the messages and the system prompt; None if nothing is."""
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        return "messages: at least one message is required"
    for number, message in enumerate(messages):
        problem = _problem_of_message(message, f"messages.{number}")
        if problem is not None:
            return problem
    if messages[0]["role"] != "user":
        return 'messages: first message must use the "user" role'
    if messages[-1]["role"] != "user":
        return NO_PREFILL
    problem = _problem_of_blocks(body.get("system") or "system", "system") or _problem_of_documents(messages)
    return problem or _problem_of_cache_controls(body)


def _problem_of_message(message: object, place: str) -> str | None:
    if not isinstance(message, dict) or message.get("role") not in {"user", "assistant"}:
        return f"{place}.role: Input should be 'user' or 'assistant'"
    if not message.get("content"):
        return f"{place}: all messages must have non-empty content"
    return _problem_of_blocks(message["content"], f"{place}.content")


def _problem_of_blocks(content: object, place: str) -> str | None:
    """Every text must have something other than white space; every picture and every document must be one."""
    if isinstance(content, str):
        return None if content.strip() else f"{place}: text content must contain non-whitespace text"
    if not isinstance(content, list):
        return f"{place}: Input should be a valid list"
    for number, block in enumerate(content):
        if not isinstance(block, dict) or not isinstance(block.get("type"), str):
            return f"{place}.{number}.type: Field required"
        if block["type"] == "text" and not str(block.get("text", "")).strip():
            return f"{place}.{number}: text content blocks must contain non-whitespace text"
        check = _CHECKS.get(block["type"])
        problem = check(block.get("source"), f"{place}.{number}.{block['type']}.source") if check else None
        if problem is not None:
            return problem
    return None


def pages_of(source: object) -> int:
    """How many pages a PDF has, as far as it is not compressed; one at least."""
    try:
        data = base64.b64decode(str(source.get("data", "")) if isinstance(source, dict) else "")
    except ValueError:
        return 1
    return max(1, len(PAGES.findall(data)))


def problem_of_size(size: int | None) -> str | None:
    """Why a request of so many bytes is rejected, with 413."""
    return "Request exceeds the maximum size" if size is not None and size > MAX_REQUEST else None


def _problem_of_documents(messages: list[JsonObject]) -> str | None:
    blocks = [block for message in messages if isinstance(message["content"], list) for block in message["content"]]
    pages = sum(pages_of(block["source"]) for block in blocks if block["type"] == "document")
    return f"A maximum of {MAX_PAGES} PDF pages may be provided." if pages > MAX_PAGES else None


def _problem_of_document(source: object, place: str) -> str | None:
    """A document must be a PDF that begins as one and has no password."""
    if not isinstance(source, dict) or source.get("type") != "base64":
        return f"{place}.type: Input should be 'base64'"
    if source.get("media_type") != "application/pdf":
        return f"{place}.base64.media_type: Input should be 'application/pdf'"
    data = str(source.get("data", ""))
    if not data:
        return f"{place}.base64.data: PDF cannot be empty"
    try:
        content = base64.b64decode(data, validate=True)
    except ValueError:
        return f"{place}.base64.data: Invalid base64 data"
    if not data.startswith(PDF_PREFIX):
        return "The PDF specified was not valid."
    return "The PDF specified is password protected." if b"/Encrypt" in content else None


def _problem_of_picture(source: object, place: str) -> str | None:
    """A picture must be of a known type, not too large, and begin as a file of its type does."""
    if not isinstance(source, dict) or source.get("type") != "base64":
        return f"{place}.type: Input should be 'base64'"
    beginning, data = PICTURE_PREFIXES.get(str(source.get("media_type"))), str(source.get("data", ""))
    if beginning is None:
        return f"{place}.media_type: Input should be 'image/jpeg', 'image/png', 'image/gif' or 'image/webp'"
    if not data:
        return f"{place}.base64: image cannot be empty"
    if len(data) > MAX_PICTURE:
        return f"{place}.base64: image exceeds 5 MB maximum: {len(data)} bytes > {MAX_PICTURE} bytes"
    return None if data.startswith(beginning) else "Could not process image"


_CHECKS: Final[dict[str, Callable[[object, str], str | None]]] = {"image": _problem_of_picture, "document": _problem_of_document}
"""What each type of block must be."""


def _problem_of_cache_controls(body: JsonObject) -> str | None:
    parts = [body.get("tools") or [], body.get("system") or [], body["messages"]]
    count = json.dumps(parts).count('"cache_control": {') + (1 if body.get("cache_control") else 0)
    if count <= MAX_CACHE_CONTROLS:
        return None
    return f"A maximum of {MAX_CACHE_CONTROLS} blocks with cache_control may be provided. Found {count}."
