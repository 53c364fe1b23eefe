"""GET /livez and GET /readyz: whether this process runs, and whether it can accept messages. /metrics is in `metrics`."""

from __future__ import annotations

from collections.abc import Mapping

from shared.model import codec
from shared.storage.clock_skew import ClockWatch
from webhook_api.http.flask_app import CompleteResponse
from webhook_api.intake.intake import Intake, IntakeState


class Readiness(IntakeState):
    """The body of /readyz. `clock_skew_seconds`: by how much this host's clock is ahead of the server's; null while that is away."""

    clock_skew_seconds: float | None


def livez() -> CompleteResponse:
    """The process answers; Redis is not asked."""
    return _json(200, {"status": "ok"})


def readyz(intake: Intake, clock: ClockWatch) -> CompleteResponse:
    """200 while messages can be accepted, into Redis or onto the disk: the body says which, and what waits on disk.

    It takes no longer than the web process's timeouts for Redis, and reads no file.
    """
    state = intake.state()
    skew = clock.seconds(intake.runtime.redis) if state["redis"] == "ok" else None
    readiness: Readiness = {**state, "clock_skew_seconds": None if skew is None else round(skew, 3) + 0.0}  # + 0.0: never "-0.0"
    return _json(503 if state["status"] == "unavailable" else 200, readiness)


def _json(status: int, fields: Mapping[str, object]) -> CompleteResponse:
    content = codec.dumps(fields).encode()
    return CompleteResponse(content, status, [("Content-Type", "application/json"), ("Content-Length", str(len(content)))])
