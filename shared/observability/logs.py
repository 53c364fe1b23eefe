"""Structured logs: one sentence, an `action` word, ids and figures.

Message text, phone numbers, addresses and secrets stay out: callers log ids, and every line passes `redaction` all the same.
Exceptions are told in outline. A library says what it likes, so of its lines only what stands in its code is told: the template,
and where; its arguments are left out. What Python itself prints (an error that ends the process or a thread, a warning) goes the
same way.
"""

from __future__ import annotations

import logging
import sys
import threading
import warnings
from collections.abc import Iterable, MutableMapping
from contextlib import suppress
from typing import Any, Final

import structlog

from shared.observability.redaction import KNOWN_SECRETS, mask_value, summarize

OURS: Final = ("shared", "bridge", "boss", "webhook_api", "supervisor_worker", "rq_async", "rq")
"""Loggers that are told what they say: ours, and RQ's, which speaks of jobs and workers by their names."""
QUIET: Final = (
    *("httpx", "httpx2", "httpcore", "anthropic", "twilio", "twilio.http_client", "asyncio", "rq.worker", "_granian", "websockets"),
    "werkzeug",
)
"""Libraries that would tell of each request or connection."""
UNTOLD: Final = "A library's message."

Event = MutableMapping[str, Any]


class StderrHandler(logging.StreamHandler[Any]):
    """Writes lines on stderr. One that cannot be written is lost: logging's own way is to print its arguments and its errors raw."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        """Say no more than where the line comes from."""
        with suppress(OSError, ValueError):
            self.stream.write(f"A line of {record.filename}:{record.lineno} could not be written.\n")


def configure(process: str, log_format: str = "auto", secrets: Iterable[str] = ()) -> None:
    """Set up logging for one process (`web`, `worker`, ...); the libraries' logs and Python's own last words go the same way.

    `secrets` are the process's own: they are hidden wherever they turn up.
    """
    KNOWN_SECRETS.replace(secrets)
    console = log_format == "console" or (log_format == "auto" and sys.stderr.isatty())
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _outlined,
        _masked,
    ]
    renderer: Any = structlog.dev.ConsoleRenderer() if console else structlog.processors.JSONRenderer()
    handler = StderrHandler()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[_told, *shared],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
            use_get_message=False,
            pass_foreign_args=True,
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    for noisy in QUIET:
        logging.getLogger(noisy).setLevel(logging.WARNING)
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(process=process)
    _hear_python()


def logger(name: str) -> Any:
    """A logger whose lines carry `action=` and ids."""
    return structlog.get_logger(name)


def _told(_logger: Any, _name: str, event: Event) -> Event:
    """A line of the standard library's logging: whole from ours, otherwise what stands in the library's code."""
    record: logging.LogRecord = event["_record"]
    arguments = event.pop("positional_args", ())
    event.pop("stack_info", None)
    if record.name.partition(".")[0] in OURS:
        event["event"] = _filled(event["event"], arguments)
        return event
    event["event"] = event["event"] if arguments else UNTOLD  # without arguments it may have been put together elsewhere
    event["logger"], event["where"] = record.name, f"{record.filename}:{record.lineno}"
    return event


def _filled(template: str, arguments: Any) -> str:
    """`template % arguments`, as logging does it; a template that does not fit is a fault of the line, not of the work."""
    try:
        return template % arguments if arguments else template
    except Exception:  # noqa: BLE001 - whatever an argument's own text raises
        return template


def _outlined(_logger: Any, _name: str, event: Event) -> Event:
    """The exception of a line, in outline."""
    given = event.pop("exc_info", None)
    if given and not isinstance(given, BaseException):
        given = given[1] if isinstance(given, tuple) else sys.exc_info()[1]
    if given:
        event["exception"] = summarize(given)
    return event


def _masked(_logger: Any, _name: str, event: Event) -> Event:
    return {name: value if name in ("_record", "_from_structlog") else mask_value(value) for name, value in event.items()}


def _hear_python() -> None:
    """Let errors that nobody caught, and warnings, be lines like all others."""
    log = logger("shared.python")

    def process_ends(kind: type[BaseException], error: BaseException, trace: Any) -> None:
        if issubclass(kind, KeyboardInterrupt):
            sys.__excepthook__(kind, error, trace)
            return
        log.critical("The process ends by an error.", action="process_failed", exc_info=error)

    def thread_ends(given: threading.ExceptHookArgs) -> None:
        if given.exc_value is not None and not issubclass(given.exc_type, SystemExit):
            log.error("A thread ended by an error.", action="thread_failed", exc_info=given.exc_value)

    def nobody_hears(given: sys.UnraisableHookArgs) -> None:
        log.error("An error was raised where nobody could hear it.", action="unraisable", exc_info=given.exc_value)

    def warned(message: Warning | str, category: type[Warning], filename: str, lineno: int, *_place: Any, **_more: Any) -> None:
        del message  # it may quote what it warns of
        log.warning("Python warned.", action="warned", kind=category.__name__, where=f"{filename}:{lineno}")

    sys.excepthook, threading.excepthook, sys.unraisablehook, warnings.showwarning = process_ends, thread_ends, nobody_hears, warned
