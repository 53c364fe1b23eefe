"""Having parked messages answered after all: a request that a worker serves (`shared.mailbox.retry_requests`), and its result."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final

from shared.mailbox import Mailbox, statistics
from shared.mailbox.calls.retry_requests import RetryResult, request_retry
from shared.operations.errors import NotPossible

PATIENCE_SECONDS: Final = 10.0
"""How long it is waited for a worker to take a request, or to come to the end of another one."""
SERVING_SECONDS: Final = 60.0
"""How long it is waited for the result of a request that a worker has taken: a provider's list is asked twice, ten seconds apart."""
POLL_SECONDS: Final = 0.1


def require_parked(mailbox: Mailbox, message: str) -> None:
    """Raise NotPossible `not_parked` for a message that cannot be retried."""
    record = mailbox.message(message)
    if record is None or record.state != "parked":
        state = record.state.value if record else "gone"
        raise NotPossible(f"{message} is {state}; only a parked message can be retried", "not_parked")


def request(mailbox: Mailbox, messages: Iterable[str], *, by: str) -> dict[str, str]:
    """Ask the workers for a retry of each; the messages by the ids of their requests. `by` is the operator's name."""
    operations = {f"o-{uuid.uuid4().hex}": message for message in messages}
    for operation, message in operations.items():
        mailbox.run(request_retry(message, operation, by=by))
    return operations


def workers_live(mailbox: Mailbox) -> bool:
    """Whether a worker, or a standby that works, gives signs of life. Raises RedisError."""
    figures = statistics.look(mailbox.redis)
    return figures.workers + figures.standbys > 0


def results(
    mailbox: Mailbox, operations: Mapping[str, str], *, patience: float = 0, sleep: Callable[[float], None] = time.sleep
) -> Iterator[tuple[str, RetryResult]]:
    """Each message with the result of its request, as they come; those without one last, with an empty result.

    It is waited until nothing has happened for `patience` seconds, `PATIENCE_SECONDS` without; for a request that a worker serves, longer.
    """
    left, taken, patience = dict(operations), set[str](), patience or PATIENCE_SECONDS
    end = time.monotonic() + patience
    while left:
        for operation, message in list(left.items()):
            found = mailbox.retry_result(operation)
            if found.result:
                del left[operation]
                end = max(end, time.monotonic() + patience)
                yield message, found
            elif found.taken and operation not in taken:
                taken.add(operation)
                end = max(end, time.monotonic() + SERVING_SECONDS)
        if left and time.monotonic() >= end:
            break
        if left:
            sleep(POLL_SECONDS)
    for operation, message in left.items():
        yield message, RetryResult(taken=operation in taken)
