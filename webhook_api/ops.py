"""GET /livez and GET /readyz: whether this process runs, and whether it can take messages in."""

from __future__ import annotations

from flask import Response
from redis.exceptions import RedisError

from shared import codec
from shared.runtime import Runtime


def livez() -> Response:
    """The process answers; Redis is not asked."""
    return _answer(200, status="ok")


def readyz(runtime: Runtime) -> Response:
    """503 while Redis does not answer within the web's timeouts."""
    try:
        runtime.redis.ping()
    except (RedisError, OSError):
        return _answer(503, status="unavailable", redis="away")
    return _answer(200, status="ok", redis="ok")


def _answer(code: int, **fields: str) -> Response:
    return Response(codec.dumps(fields), status=code, content_type="application/json", headers={"Cache-Control": "no-store"})
