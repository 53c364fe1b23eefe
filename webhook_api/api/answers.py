"""The API's answers: JSON, and a problem (RFC 9457) for what cannot be had."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from shared.model import codec
from webhook_api.http.flask_app import CompleteResponse

_TITLES = {400: "Bad request", 401: "Not authorised", 404: "Not found", 409: "Still running", 413: "Too large", 415: "Not JSON",
           422: "Not possible", 429: "Too many", 503: "Not available now"}  # fmt: skip


class Problem(Exception):
    """A request that is not carried out: its status, a word for programs and a sentence for people, and perhaps when to come again."""

    def __init__(self, status: int, code: str, detail: str, retry_after: int = 0) -> None:
        super().__init__(code)
        self.status, self.code, self.detail, self.retry_after = status, code, detail, retry_after

    def response(self) -> CompleteResponse:
        """The answer."""
        fields = {"title": _TITLES[self.status], "status": self.status, "code": self.code, "detail": self.detail}
        headers = [("Retry-After", str(self.retry_after))] if self.retry_after else []
        if self.status == 401:  # noqa: PLR2004 - RFC 9110, 11.6.1
            headers.append(("WWW-Authenticate", "Bearer"))
        return json(self.status, fields, headers, "application/problem+json")


def json(
    status: int, fields: Mapping[str, object], headers: Iterable[tuple[str, str]] = (), kind: str = "application/json"
) -> CompleteResponse:  # fmt: skip
    """A document."""
    content = codec.dumps(fields).encode()
    return CompleteResponse(content, status, [("Content-Type", kind), ("Content-Length", str(len(content))), *headers])
