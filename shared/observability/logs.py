"""Structured logs: one sentence, an `action` word, ids and figures.

Message text, phone numbers, addresses and secrets stay out: callers log ids, and every line passes `redaction` all the same. Exceptions are
logged as summaries. A library may log anything, so of its lines only what is in its code is kept: the template and its location, without
the arguments. What Python itself prints (an error that ends the process or a thread, a warning) is logged in the same way.
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
"""Packages whose lines are logged in full: ours, and RQ, whose lines hold names of jobs and workers."""
QUIET: Final = (
    *("httpx", "httpx2", "httpcore", "anthropic", "twilio", "twilio.http_client", "asyncio", "rq.worker", "_granian", "websockets"),
    "werkzeug",
)
"""Libraries that would log each request or connection."""
LIBRARY_MESSAGE: Final = "A library's message."

Event = MutableMapping[str, Any]


class StderrHandler(logging.StreamHandler[Any]):
    """Writes lines to stderr. A line that cannot be written is lost: logging itself would print its arguments unmasked."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        """Write only where the line came from."""
        with suppress(OSError, ValueError):
            self.stream.write(f"A line of {record.filename}:{record.lineno} could not be written.\n")


def configure(process: str, log_format: str = "auto", secrets: Iterable[str] = ()) -> None:
    """Set up logging for one process (`web`, `worker`, ...), for the libraries and for what Python itself prints.

    `secrets` are the process's own: they are masked wherever they appear.
    """
    KNOWN_SECRETS.replace(secrets)
    console = log_format == "console" or (log_format == "auto" and sys.stderr.isatty())
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _summarized,
        _masked,
    ]
    renderer: Any = structlog.dev.ConsoleRenderer() if console else structlog.processors.JSONRenderer()
    handler = StderrHandler()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[_from_library, *shared],
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
    _log_what_python_prints()


def logger(name: str) -> Any:
    """A logger whose lines carry `action=` and ids."""
    return structlog.get_logger(name)


def _from_library(_logger: Any, _name: str, event: Event) -> Event:
    """A line of the standard library's logging: in full from our packages, otherwise only what is in the library's code."""
    record: logging.LogRecord = event["_record"]
    arguments = event.pop("positional_args", ())
    event.pop("stack_info", None)
    if record.name.partition(".")[0] in OURS:
        event["event"] = _filled(event["event"], arguments)
        return event
    event["event"] = event["event"] if arguments else LIBRARY_MESSAGE  # without arguments the text may have been composed at run time
    event["logger"], event["where"] = record.name, f"{record.filename}:{record.lineno}"
    return event


def _filled(template: str, arguments: Any) -> str:
    """`template % arguments`, as logging does it; a template that does not fit its arguments must not raise in the caller."""
    try:
        return template % arguments if arguments else template
    except Exception:  # noqa: BLE001 - whatever an argument's `__str__` raises
        return template


def _summarized(_logger: Any, _name: str, event: Event) -> Event:
    """Replace a line's exception by its summary."""
    given = event.pop("exc_info", None)
    if given and not isinstance(given, BaseException):
        given = given[1] if isinstance(given, tuple) else sys.exc_info()[1]
    if given:
        event["exception"] = summarize(given)
    return event


def _masked(_logger: Any, _name: str, event: Event) -> Event:
    return {name: value if name in ("_record", "_from_structlog") else mask_value(value) for name, value in event.items()}


def _log_what_python_prints() -> None:
    """Log uncaught errors and warnings, which Python would print with their messages."""
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
        del message  # it may quote data
        log.warning("Python warned.", action="warned", kind=category.__name__, where=f"{filename}:{lineno}")

    sys.excepthook, threading.excepthook, sys.unraisablehook, warnings.showwarning = process_ends, thread_ends, nobody_hears, warned
