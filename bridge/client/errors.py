"""The errors that the bridge's client raises instead of returning an answer.

The tree::

    BosslineError
    +-- BridgeError              the bridge answered this request with `error`: its code, and whether a repetition may succeed
        +-- RequestTooBig        the request is over the bridge's limit and was not sent
        +-- TooManyWaiting       too many requests wait for their answers: this one was not sent
        +-- RequestTimeout       neither answer nor acknowledgement within the request's time
        +-- BridgeUnavailable    the bridge cannot be reached; the client goes on trying
        +-- BridgeRefused        the bridge rejects this client (its token, or its address): the client has stopped
        +-- BridgeClosed         `disconnect()` was called

None of them holds message text, an address or the token.
"""

from __future__ import annotations

from shared.errors import BosslineError


class BridgeError(BosslineError):
    """`retryable`: whether the same request, under the same id, may succeed later."""

    code = "bridge"
    retryable = False

    def __init__(self, detail: str = "", *, code: str | None = None, retryable: bool | None = None) -> None:
        """`code` is the `error` frame's, `detail` goes to the operator; None keeps the class's own."""
        super().__init__(detail, code=code)
        if retryable is not None:
            self.retryable = retryable


class RequestTooBig(BridgeError):
    """Over `limits.max_frame`: the bridge would close the connection, and with it end the other requests on it."""

    code = "too_big"


class TooManyWaiting(BridgeError):
    """The client's own bound is reached: some answers have to come first."""

    code = "too_many_waiting"
    retryable = True


class RequestTimeout(BridgeError):
    """Whether the message was stored is unknown. It may be sent again under its id, and is then the same message."""

    code = "timeout"
    retryable = True


class BridgeUnavailable(BridgeError):
    """The bridge cannot be reached now."""

    code = "bridge_unavailable"
    retryable = True


class BridgeRefused(BridgeError):
    """Every request raises this; a new client with the right token or address is needed."""

    code = "bridge_refused"


class BridgeClosed(BridgeError):
    """`disconnect()` was called: this client does not open again."""

    code = "bridge_closed"
