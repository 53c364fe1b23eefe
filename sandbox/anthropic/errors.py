"""How the errors of the Messages API look: https://docs.anthropic.com/en/api/errors."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Final

from sandbox.engine.provider_request import ProviderResponse

if TYPE_CHECKING:
    from sandbox.engine.faults import InjectedFault

SERVER_ERROR: Final = 500
MAX_REQUEST: Final = 32 * 1024 * 1024
"""Bytes of a request."""
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


def problem_of_size(size: int | None) -> str | None:
    """Why a request of so many bytes is rejected, with 413."""
    return "Request exceeds the maximum size" if size is not None and size > MAX_REQUEST else None
