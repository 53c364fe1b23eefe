"""Structured logs: one sentence, an `action` word, ids and figures.

Message text, phone numbers, addresses and secrets stay out: callers log ids, and the last processor masks whatever
looks like a number or an address all the same, in tracebacks too.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any, Final

import structlog

_PHONE: Final = re.compile(r"(?:\+|%2[Bb])\d{7,15}")  # connection errors quote URLs, and a look-up's URL holds the number
_EMAIL: Final = re.compile(r"[^\s<>\"'=,;:]{1,64}(?:@|%40)[A-Za-z0-9.-]{1,255}")
_SECRET: Final = re.compile(
    r"(?i)(sk-[a-z0-9_-]{8,}|SG\.[a-z0-9_.-]{4,}|(?:bearer|basic) [a-z0-9+/=._-]{8,}|(?:token|password|key|secret)=[^\s&\"']+)"
)
_URL_LOGIN: Final = re.compile(r"(\w+://)[^/\s@]+@")
MAX_VALUE: Final = 4000
_CUT: Final = 400  # an address that the limit cuts in two is still masked as a whole


def mask(text: str) -> str:
    """`text` without phone numbers, addresses and what looks like a secret."""
    text = _URL_LOGIN.sub(r"\1***@", text[: MAX_VALUE + _CUT])
    return _SECRET.sub("***", _EMAIL.sub("***@***", _PHONE.sub("+***", text)))[:MAX_VALUE]


def _masked(_logger: Any, _name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    return {name: mask(value) if isinstance(value, str) else value for name, value in event.items()}


def configure(process: str, log_format: str = "auto") -> None:
    """Set up logging for one process (`web`, `worker`, ...); the libraries' logs go the same way."""
    console = log_format == "console" or (log_format == "auto" and sys.stderr.isatty())
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _masked,
    ]
    plain = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    renderer: Any = plain if console else structlog.processors.JSONRenderer()
    handler = logging.StreamHandler()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared, processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer]
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    for noisy in ("httpx", "httpx2", "httpcore", "anthropic", "twilio", "twilio.http_client", "asyncio", "rq.worker", "_granian"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(process=process)


def logger(name: str) -> Any:
    """A logger whose lines carry `action=` and ids."""
    return structlog.get_logger(name)
