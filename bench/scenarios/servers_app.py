"""What `servers.py` serves: the product's application on a real Valkey, beside two routes of plain Flask.

`/bare` answers and does nothing; `/checked` reads the same form and checks the same signature, and stores nothing.
"""

from __future__ import annotations

from flask import Flask, Response, request
from werkzeug.middleware.dispatcher import DispatcherMiddleware

from shared.config import settings as knobs
from shared.runtime import open_runtime
from webhook_api.app import create_app
from webhook_api.security.signatures import twilio_signed
from webhook_api.sms.parsing import read_form
from webhook_api.sms.routes import EMPTY_TWIML


def load() -> DispatcherMiddleware:
    """The product's application, and the plain one under /plain."""
    settings = knobs.load(_env_file=None)
    plain = Flask("plain", static_folder=None)
    token, url = settings.twilio_auth_token.get_secret_value(), f"{settings.webhook_base_url}/plain/checked"

    def checked() -> Response:
        signed = twilio_signed(token, url, read_form(request.get_data()), request.headers.get("X-Twilio-Signature", ""))
        return _twiml() if signed else Response(status=403)

    plain.add_url_rule("/bare", "bare", _twiml, methods=["POST"])
    plain.add_url_rule("/checked", "checked", checked, methods=["POST"])
    return DispatcherMiddleware(create_app(open_runtime(settings, "web")), {"/plain": plain})


def _twiml() -> Response:
    return Response(EMPTY_TWIML, content_type="text/xml; charset=utf-8")
