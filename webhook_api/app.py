"""The Flask application: the one place where routes meet, each with its size limit, and where errors become answers.

An answer to an error has no content: a provider wants the status, and nobody else is to learn anything.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable
from functools import partial
from typing import Final

from flask import Flask, Request, Response, request
from flask.typing import ResponseReturnValue
from redis.exceptions import RedisError
from werkzeug.exceptions import HTTPException, RequestURITooLarge

from shared.errors import BadInput, StorageUnavailable
from shared.model.addresses import Channel
from shared.observability import logs as telemetry
from shared.runtime import Runtime
from shared.security.password import DelaySlots, PasswordVerifier
from shared.storage.clock_skew import ClockWatch
from webhook_api.email import event_routes as email_events
from webhook_api.email import inbound_routes as email
from webhook_api.http.flask_app import Answer, LeanFlask
from webhook_api.intake.intake import Intake, RefusalLedger
from webhook_api.operations import health as ops
from webhook_api.operations import metrics
from webhook_api.security.authentication import Gate, Refusal
from webhook_api.sms import routes as sms

log = telemetry.logger(__name__)

_CHANNELS: Final[dict[str, Channel]] = {"/sms/": "sms", "/email/": "email"}
_QUICK: Final = frozenset({"/sms/inbound", "/sms/status"})
"""What is read in a millisecond. A mail may take longer, and a wrong secret is held."""
_REFUSED: Final = {400: "bad_request", 413: "too_large", 414: "long_query"}
_UNAVAILABLE: Final = 503
_AGAIN: Final = [("Retry-After", "5")]
MAX_QUERY: Final = 4_096
"""Bytes of a URL's query; the providers' are our own, of some hundred."""
MAX_DELAYED: Final = 2
MAX_DELAYED_PER_SOURCE: Final = 1
"""Callers that are held for a wrong secret, in all and of one direction: each has one of the few threads that mails need."""
INTAKE: Final = "intake"
"""The application's `extensions` hold its way in under this name: who made the application closes it."""
_Handler = Callable[[Request], ResponseReturnValue]


def create_app(runtime: Runtime) -> LeanFlask:
    """The application on an open runtime; what waits on disk is replayed from now on.

    Raises ConfigurationError for a public key that is none.
    """
    app = LeanFlask("webhook_api")
    slots = DelaySlots(MAX_DELAYED, MAX_DELAYED_PER_SOURCE)
    gate = Gate.of(runtime.settings, slots)
    intake = app.extensions[INTAKE] = Intake(runtime)
    clock = ClockWatch()
    app.reads, app.quick = gate.may_read, lambda environ: environ["PATH_INFO"] in _QUICK and not intake.slow
    _warm(runtime, clock)
    webhooks: dict[str, tuple[int, _Handler]] = {
        "/sms/inbound": (sms.MAX_BODY, partial(sms.inbound, intake, gate)),
        "/sms/status": (sms.MAX_BODY, partial(sms.status, intake, gate)),
        "/email/inbound": (email.MAX_BODY, partial(email.inbound, intake, gate)),
        "/email/events": (email_events.MAX_BODY, partial(email_events.events, intake, gate)),
    }
    closed = [channel for channel in _CHANNELS.values() if channel not in runtime.users.channels and not gate.used(channel)]
    for path, (limit, handler) in webhooks.items():
        _post(app, path, limit, _unused if _channel_of(path) in closed else handler)
    for channel in closed:
        log.info("No user has this channel, and it has no credentials: its webhooks answer 404.", action="channel_unused", channel=channel)
    app.add_url_rule("/livez", "livez", ops.livez)
    app.add_url_rule("/readyz", "readyz", lambda: ops.readyz(intake, clock))
    figures, console = metrics.Page(intake), PasswordVerifier(runtime.settings.console_password.get_secret_value(), slots)
    app.add_url_rule("/metrics", "metrics", lambda: metrics.metrics(figures, console, request))
    _answer_errors(app, RefusalLedger(intake))
    intake.start()
    return app


def _post(app: Flask, path: str, limit: int, handler: _Handler) -> None:
    def view() -> ResponseReturnValue:
        called = request._get_current_object()  # type: ignore[attr-defined] # noqa: SLF001 - Flask documents it: no detour at each use
        if len(called.environ.get("QUERY_STRING", "")) > MAX_QUERY:
            raise RequestURITooLarge
        called.max_content_length = limit
        return handler(called)

    app.add_url_rule(path, path, view, methods=["POST"])


def _unused(_request: Request) -> ResponseReturnValue:
    """A webhook of a channel that nobody has here."""
    raise Refusal("channel_unused", 404)


def _warm(runtime: Runtime, clock: ClockWatch) -> None:
    """Give the server the script now: asking for it in vain would cost the first webhook a round trip of its own. And compare clocks."""
    if not runtime.identified:
        log.info("Redis is not there yet: what comes in waits on disk.", action="storage_unavailable")
        return
    try:
        runtime.mailbox.load("accept")
        clock.seconds(runtime.redis)
    except (RedisError, OSError):
        log.warning("Redis went away at the start.", action="storage_unavailable")


def _answer_errors(app: Flask, refusals: RefusalLedger) -> None:
    @app.errorhandler(BadInput)
    def bad_input(error: BadInput) -> Response:
        return _refused(refusals, error.code, getattr(error, "status", 400))

    @app.errorhandler(StorageUnavailable)
    def unavailable(error: StorageUnavailable) -> Response:
        log.warning("Could not store a message.", action="storage_unavailable", channel=_channel(), reason=error.detail)
        return Answer(status=_UNAVAILABLE, headers=_AGAIN)

    @app.errorhandler(HTTPException)
    def http(error: HTTPException) -> Response:
        code = error.code or 500
        if code in _REFUSED and _channel():
            return _refused(refusals, _REFUSED[code], code)
        return Answer(status=code)

    @app.errorhandler(Exception)
    def unexpected(error: Exception) -> Response:
        where = traceback.extract_tb(error.__traceback__)[-1]  # the error's own text may hold a message or an address
        log.error("A request failed.", action="failed", error=type(error).__name__, where=f"{where.filename}:{where.lineno}")
        return Answer(status=500)


def _refused(refusals: RefusalLedger, reason: str, status: int) -> Response:
    refusals.record(_channel(), reason, status)
    return Answer(status=status, headers=_AGAIN if status == _UNAVAILABLE else ())


def _channel() -> str:
    return _channel_of(request.path)


def _channel_of(path: str) -> str:
    return next((channel for prefix, channel in _CHANNELS.items() if path.startswith(prefix)), "")
