"""GET /livez and GET /readyz: whether this process runs, and whether it can take messages in. /metrics is in `metrics`."""

from __future__ import annotations

from typing import Any

from shared.model import codec
from shared.storage.clock_skew import ClockWatch
from webhook_api.http.flask_app import CompleteResponse
from webhook_api.intake.intake import Intake


def livez() -> CompleteResponse:
    """The process answers; Redis is not asked."""
    return _answer(200, {"status": "ok"})


def readyz(intake: Intake, clock: ClockWatch) -> CompleteResponse:
    """200 while messages can be taken, into Redis or onto the disk; the body tells which, and what waits on disk.

    It also tells by how many seconds this host's clock is ahead of the server's; null while that is away. It takes no longer than
    the web's timeouts for Redis, and looks at no file.
    """
    state = intake.state()
    skew = clock.seconds(intake.runtime.redis) if state["redis"] == "ok" else None
    state["clock_skew_seconds"] = None if skew is None else round(skew, 3) + 0.0  # not "-0.0"
    return _answer(503 if state["status"] == "unavailable" else 200, state)


def _answer(code: int, fields: dict[str, Any]) -> CompleteResponse:
    content = codec.dumps(fields).encode()
    return CompleteResponse(content, code, [("Content-Type", "application/json"), ("Content-Length", str(len(content)))])
