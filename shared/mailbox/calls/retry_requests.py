"""An operator's request that a parked message be answered after all, its way to a worker, and its result. No I/O.

Pending attempts of the message's reply are looked up at its provider first, and only a worker can do that: a command or a page leaves a
request here, and the next sweep of any worker serves it (`supervisor_worker.turns.retry_request`). The request and its effect end in one
step, so that it has its effect once, whoever dies in between.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, cast

from shared.mailbox.call import Call

Result = Literal["", "retried", "answered", "not_parked", "unknown", "too_early", "provider_away", "failed"]
"""What came of a request; "" while it is not served. `answered`: the look-up showed that the reply had arrived. `unknown`: no record of the
message is left. `too_early`: an attempt may still be under way. `provider_away`: the look-up got no answer. Only `retried` has the message
answered again; the others but `answered` leave it as it was."""


@dataclass(frozen=True, slots=True)
class RetryRequest:
    """An operator's request that a worker is to serve: its id, the message, and the operator's name."""

    operation: str
    message: str
    by: str


@dataclass(frozen=True, slots=True)
class RetryResult:
    """What is known of a request. `detail` is the message's state, the provider's error, or in how many seconds to try again.

    `taken`: a worker has begun to serve it.
    """

    result: Result = ""
    detail: str = ""
    taken: bool = False


def request_retry(message: str, operation: str, *, by: str) -> Call[RetryResult]:
    """Ask for a retry; `operation` is a new id. A message that is not parked has its result at once."""
    return Call("request_retry", {"id": message, "operation": operation, "by": by}, _answer)


def refuse_retry(operation: str, result: Result, detail: str = "") -> Call[bool]:
    """End a request without a retry. The first result counts."""
    return Call("serve_retry", {"operation": operation, "result": result, "detail": detail, "hold": 0}, bool)


def hold_retry(operation: str, hold_ms: int) -> Call[bool]:
    """Keep a request for `hold_ms` more, or (0) leave it to the next worker; False when it has ended."""
    return Call("serve_retry", {"operation": operation, "result": "", "detail": "", "hold": hold_ms}, bool)


def result_from(record: dict[str, Any]) -> RetryResult:
    """The result from a request's record; an empty one when the request is not known."""
    return RetryResult(cast("Result", record.get("result", "")), record.get("detail", ""), bool(record.get("taken_at")))


def _answer(raw: Any) -> RetryResult:
    return RetryResult(cast("Result", raw[0]), raw[1])
