"""HTTP for the command: one request and one answer, with a timeout. Redirects are not followed, and no status raises an exception.

The standard library suffices here and starts at once; the SDKs' own transports take seconds to import.
"""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.message import Message
from typing import Any, Final
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, ProxyHandler, Request, build_opener

from shared.errors import BosslineError

MAX_BODY: Final = 1_000_000
LOCAL: Final = ("127.0.0.1", "::1", "localhost")


class Unreachable(BosslineError):
    """No answer came."""

    code = "unreachable"

    def __init__(self, detail: str, *, local: bool) -> None:
        """`local`: the address is one of this machine."""
        super().__init__(detail)
        self.local = local


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer of any status."""

    status: int
    headers: Message = field(repr=False)
    body: bytes = field(repr=False)

    def json(self) -> Any:
        """The body as JSON; None when it is not JSON."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return None


class _NoRedirect(HTTPRedirectHandler):
    """A redirect is an answer: following it would hand our credentials to another host."""

    def redirect_request(self, *_args: Any, **_kwargs: Any) -> None:
        """Never."""


def ask(
    url: str,
    *,
    timeout: float,
    method: str = "GET",
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
    proxied: bool = True,
) -> Answer:
    """Send one request. Raises Unreachable. The environment's proxies are used where it is `proxied`, except for this machine."""
    handlers: list[Any] = [_NoRedirect()]
    if not proxied or urlsplit(url).hostname in LOCAL:
        handlers.append(ProxyHandler({}))
    request = Request(url, data=body, headers=dict(headers or {}), method=method)  # noqa: S310 - settings allow http(s) only
    try:
        with build_opener(*handlers).open(request, timeout=timeout) as response:
            return Answer(response.status, response.headers, response.read(MAX_BODY))
    except HTTPError as error:
        with error:
            return Answer(error.code, error.headers, error.read(MAX_BODY))
    except (URLError, OSError, http.client.HTTPException, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise Unreachable(_why(reason), local=urlsplit(url).hostname in LOCAL) from None


def _why(reason: object) -> str:
    """The failure in words, without the address and without a secret."""
    if isinstance(reason, TimeoutError):
        return "no answer in time"
    if isinstance(reason, ConnectionRefusedError):
        return "nothing listens there"
    text = getattr(reason, "strerror", None) or type(reason).__name__
    return str(text)
