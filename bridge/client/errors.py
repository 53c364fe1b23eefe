"""What a client of the bridge may hear instead of an answer.

The tree::

    BosslineError
    +-- BridgeError              the bridge answered this request with `error`: its code, and whether a repetition may succeed
        +-- RequestTooBig        the request is over the bridge's limit and was not sent
        +-- TooManyWaiting       so many requests wait for their answers that one more was not sent
        +-- RequestTimeout       neither answer nor acknowledgement within the request's time
        +-- BridgeUnavailable    nobody there yet; the client goes on trying
        +-- BridgeRefused        the bridge refuses this client (its token, or its address): the client has stopped
        +-- BridgeClosed         `disconnect()` was called

None of them holds message text, an address or the token.
"""

from __future__ import annotations

from shared.errors import BosslineError, Disposition


class BridgeError(BosslineError):
    """`retryable`: whether the same request, under the same id, may succeed later."""

    code = "bridge"
    retryable = False

    def __init__(self, detail: str = "", *, code: str | None = None, retryable: bool | None = None) -> None:
        """`code` is the `error` frame's, `detail` goes to the operator; None keeps the class's own."""
        super().__init__(detail, code=code)
        if retryable is not None:
            self.retryable = retryable
        if self.retryable:
            self.disposition = Disposition.RETRY


class RequestTooBig(BridgeError):
    """Over `limits.max_frame`: the bridge would close the connection, and with it the others' requests."""

    code = "too_big"


class TooManyWaiting(BridgeError):
    """The client's own bound; some answers have to come first."""

    code = "too_many_waiting"
    retryable = True


class RequestTimeout(BridgeError):
    """Nothing is known of the request's fate: it may be sent again under its id, and is then the same message."""

    code = "timeout"
    retryable = True


class BridgeUnavailable(BridgeError):
    """The bridge cannot be reached now."""

    code = "bridge_unavailable"
    retryable = True


class BridgeRefused(BridgeError):
    """Every request raises this until a new client is made with what the bridge wants."""

    code = "bridge_refused"


class BridgeClosed(BridgeError):
    """The client was told to end; a closed one does not open again."""

    code = "bridge_closed"
