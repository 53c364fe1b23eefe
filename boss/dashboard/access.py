"""Access to `boss dashboard`, and the security headers of its answers."""

from __future__ import annotations

from typing import Final

from flask import Flask, Response, jsonify, request
from werkzeug.serving import WSGIRequestHandler

from shared.config.secret_rules import MIN_PASSWORD_LENGTH
from shared.config.settings import Settings
from shared.errors import ConfigurationError
from shared.net import ANSWER_HEADERS, is_loopback_url
from shared.security.password import PasswordVerifier, Verdict

SAFE_METHODS: Final = ("GET", "HEAD", "OPTIONS")
REMOVING: Final = ("rq_dashboard.delete_job_view", "rq_dashboard.empty_queue")
CHANGING: Final = ("rq_dashboard.requeue_all", "rq_dashboard.requeue_job_view", "rq_dashboard.compact_queue")
IDLE_SECONDS: Final = 15.0
HEADERS: Final = {
    **ANSWER_HEADERS,
    # The pages carry their scripts inline and build templates with `new Function`.
    "Content-Security-Policy": (
        "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
        "base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'"
    ),
}


def require_password(settings: Settings) -> None:
    """ConfigurationError in production without a password; elsewhere the dashboard may be open to this machine."""
    if settings.environment == "production" and not settings.console_password.get_secret_value():
        raise ConfigurationError(
            "CONSOLE_PASSWORD: is missing; in production the dashboard opens with it alone. "
            f"It has at least {MIN_PASSWORD_LENGTH} characters"
        )


def guard(app: Flask, settings: Settings) -> None:
    """Add the checks and the headers to an application."""
    console = PasswordVerifier(settings.console_password.get_secret_value())
    app.before_request(_not_allowed)
    if console.is_set:
        app.before_request(lambda: _not_known(console))
    app.after_request(_add_headers)


def refusal(status: int, sentence: str) -> Response:
    """The answer for an error."""
    response = jsonify(error=sentence)
    response.status_code = status
    return response


def _not_allowed() -> Response | None:
    """Refuse foreign names for this machine, changes that no page of ours asked for, and all deletion."""
    if not _names_this_machine(request.host):
        return refusal(421, "the Host header must name this machine: 127.0.0.1 or localhost")
    if request.endpoint in REMOVING:
        return refusal(403, "deleting is off: the records of jobs go by themselves")
    if request.endpoint in CHANGING and request.method != "POST":
        return refusal(405, "this changes something: POST only")
    if request.method not in SAFE_METHODS and not _from_own_page():
        return refusal(403, "cross-origin requests are refused")
    return None


def _not_known(console: PasswordVerifier) -> Response | None:
    """Ask for the password; a browser that has not been asked yet guesses nothing."""
    if "Authorization" in request.headers:
        given = request.authorization
        verdict = console.verify(given.password if given else None, str(request.remote_addr))
        if verdict is Verdict.RIGHT:
            return None
        if verdict is Verdict.BUSY:
            response = refusal(429, "too many wrong passwords: come again in a moment")
            response.headers["Retry-After"] = "1"
            return response
    response = refusal(401, "the password is CONSOLE_PASSWORD; any user name will do")
    response.headers["WWW-Authenticate"] = 'Basic realm="Bossline", charset="UTF-8"'
    return response


def _names_this_machine(host: str) -> bool:
    return is_loopback_url(f"//{host}")


def _from_own_page() -> bool:
    """Browsers name the asking page's origin on every POST; a program on this machine, which names none, may ask."""
    origin, site = request.headers.get("Origin"), request.headers.get("Sec-Fetch-Site")
    return origin in (None, f"{request.scheme}://{request.host}") and site in (None, "same-origin", "none")


def _add_headers(response: Response) -> Response:
    response.headers.update(HEADERS)
    return response


class Handler(WSGIRequestHandler):
    """werkzeug's, which says nothing of its version and waits for nobody without end."""

    timeout = IDLE_SECONDS

    def send_header(self, keyword: str, value: str) -> None:
        """Write a header, but for the one that names the server."""
        if keyword != "Server":
            super().send_header(keyword, value)
