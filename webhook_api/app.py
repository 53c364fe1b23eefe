"""The Flask application: the one place where routes meet, each with its size limit, and where errors become answers.

An answer to an error has no content: a provider reads only the status, and nobody else is to learn anything.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

from flask import Flask, Request, Response, request
from flask.typing import ResponseReturnValue
from redis.exceptions import RedisError
from werkzeug.exceptions import HTTPException, RequestURITooLarge

from shared.errors import BadInput, StorageUnavailable
from shared.model.addresses import Channel
from shared.observability import logs
from shared.observability.redaction import error_location
from shared.runtime import Runtime
from shared.security.password import DelaySlots, PasswordVerifier
from shared.storage.clock_skew import ClockWatch
from webhook_api.api.routes import Api, routes
from webhook_api.email.arrived import ArrivedMail
from webhook_api.email.event_routes import MAX_BATCH_BYTES, receive_events
from webhook_api.email.inbound_routes import MAX_MAIL_BYTES, receive_mail
from webhook_api.http.flask_app import CompleteResponse, MinimalFlask
from webhook_api.intake.intake import Intake, RefusalLedger
from webhook_api.operations import health, metrics
from webhook_api.security.authentication import Refusal, WebhookAuthenticator
from webhook_api.sms.arrived import ArrivedText
from webhook_api.sms.routes import MAX_FORM_BYTES, receive_status, receive_text

log = logs.logger(__name__)

_CHANNELS: Final[dict[str, Channel]] = {"/sms/": "sms", "/email/": "email"}
_QUICK: Final = frozenset({"/sms/inbound", "/sms/status"})
"""Paths whose requests take a millisecond. A mail may take longer to parse, and a wrong secret is delayed."""
_REFUSED: Final = {400: "bad_request", 413: "too_large", 414: "long_query"}
_UNAVAILABLE: Final = 503
_RETRY_LATER: Final = [("Retry-After", "5")]
MAX_QUERY_BYTES: Final = 4_096
"""The providers' queries are ours, of some hundred bytes."""
MAX_DELAYED: Final = 2
MAX_DELAYED_PER_SOURCE: Final = 1
"""Guesses at a secret that may be delayed at once: each holds one of the few threads that mails need."""
INTAKE: Final = "intake"
"""The key of the application's Intake in its `extensions`: who made the application closes it."""
_Handler = Callable[[Request], ResponseReturnValue]


def create_app(runtime: Runtime) -> MinimalFlask:
    """The application on an open runtime; the spool is replayed from now on.

    Raises ConfigurationError for an invalid public key.
    """
    app = MinimalFlask("webhook_api")
    slots = DelaySlots(MAX_DELAYED, MAX_DELAYED_PER_SOURCE)
    authenticator = WebhookAuthenticator.of(runtime.settings, slots)
    intake = app.extensions[INTAKE] = Intake(runtime, {ArrivedText.channel: ArrivedText.read, ArrivedMail.channel: ArrivedMail.read})
    clock = ClockWatch()
    app.reads, app.quick = authenticator.may_read, lambda environ: environ["PATH_INFO"] in _QUICK and not intake.slow
    _warm_up(runtime, clock)
    webhooks: dict[str, tuple[int, _Handler]] = {
        "/sms/inbound": (MAX_FORM_BYTES, partial(receive_text, intake, authenticator)),
        "/sms/status": (MAX_FORM_BYTES, partial(receive_status, intake, authenticator)),
        "/email/inbound": (MAX_MAIL_BYTES, partial(receive_mail, intake, authenticator)),
        "/email/events": (MAX_BATCH_BYTES, partial(receive_events, intake, authenticator)),
    }
    used = runtime.users.channels | runtime.settings.usable_channels
    unused = [channel for channel in _CHANNELS.values() if channel not in used and not authenticator.has_credentials(channel)]
    for path, (limit, handler) in webhooks.items():
        _post(app, path, limit, _refuse_unused if _channel_of(path) in unused else handler)
    for channel in unused:
        log.info("No user has this channel, and it has no credentials: its webhooks answer 404.", action="channel_unused", channel=channel)
    for path, (method, view) in routes(Api(intake, slots)).items():
        app.add_url_rule(path, path, view, methods=[method])
    app.add_url_rule("/livez", "livez", health.livez)
    app.add_url_rule("/readyz", "readyz", lambda: health.readyz(intake, clock))
    page, console = metrics.MetricsPage(intake), PasswordVerifier(runtime.settings.console_password.get_secret_value(), slots)
    app.add_url_rule("/metrics", "metrics", lambda: metrics.metrics(page, console, request))
    _answer_errors(app, RefusalLedger(intake))
    intake.start()
    runtime.people.start()
    return app


def _post(app: Flask, path: str, limit: int, handler: _Handler) -> None:
    def view() -> ResponseReturnValue:
        called = request._get_current_object()  # type: ignore[attr-defined] # noqa: SLF001 - the request itself: each use of the proxy costs a look-up
        if len(called.environ.get("QUERY_STRING", "")) > MAX_QUERY_BYTES:
            raise RequestURITooLarge
        called.max_content_length = limit
        return handler(called)

    app.add_url_rule(path, path, view, methods=["POST"])


def _refuse_unused(_request: Request) -> ResponseReturnValue:
    """The handler of a webhook whose channel nobody uses here."""
    raise Refusal("channel_unused", 404)


def _warm_up(runtime: Runtime, clock: ClockWatch) -> None:
    """Load the accept script into the server now, which would cost the first webhook a round trip of its own; and compare the clocks."""
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
        return CompleteResponse(status=_UNAVAILABLE, headers=_RETRY_LATER)

    @app.errorhandler(HTTPException)
    def http(error: HTTPException) -> Response:
        code = error.code or 500
        if code in _REFUSED and _channel():
            return _refused(refusals, _REFUSED[code], code)
        return CompleteResponse(status=code)

    @app.errorhandler(Exception)
    def unexpected(error: Exception) -> Response:
        log.error("A request failed.", action="failed", **error_location(error))
        return CompleteResponse(status=500)


def _refused(refusals: RefusalLedger, reason: str, status: int) -> Response:
    refusals.record(_channel(), reason, status)
    return CompleteResponse(status=status, headers=_RETRY_LATER if status == _UNAVAILABLE else ())


def _channel() -> str:
    return _channel_of(request.path)


def _channel_of(path: str) -> str:
    return next((channel for prefix, channel in _CHANNELS.items() if path.startswith(prefix)), "")
