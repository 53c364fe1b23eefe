"""The Flask webhooks: the product's form, check and answer, then one enqueue by a contender's client.

`stock` takes the parts that the tutorials take instead: Flask's own form, Twilio's `RequestValidator`, redis-py's defaults.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib import import_module
from typing import Any, Final

from flask import Flask, Response, request

from webhook_api.security.signatures import twilio_signed
from webhook_api.sms.parsing import read_form
from webhook_api.sms.routes import EMPTY_TWIML

Fields = tuple[str, str, str, str]
Send = Callable[[str, str, str, str], None]
NAMES: Final = ("MessageSid", "From", "To", "Body")


def url() -> str:
    """The address that the requests are signed for."""
    return f"http://127.0.0.1:{os.environ['PORT']}/sms/inbound"


def checked() -> Fields | None:
    """The text's fields by the product's own form and signature; None for a wrong one."""
    form = read_form(request.get_data(cache=False))
    signature = request.headers.get("X-Twilio-Signature", "")
    if not twilio_signed(os.environ["TWILIO_AUTH_TOKEN"], url(), form, signature):
        return None
    sid, sender, recipient, text = (form[name][0] for name in NAMES)
    return sid, sender, recipient, text


def checked_by_sdk() -> Callable[[], Fields | None]:
    """The same by Flask's form and Twilio's SDK."""
    from twilio.request_validator import RequestValidator  # noqa: PLC0415 - only stock parts need it

    validator = RequestValidator(os.environ["TWILIO_AUTH_TOKEN"])

    def check() -> Fields | None:
        form = request.form
        if not validator.validate(url(), form, request.headers.get("X-Twilio-Signature", "")):
            return None
        return form["MessageSid"], form["From"], form["To"], form["Body"]

    return check


def load(peer: str, *_: Any, stock: bool = False) -> Flask:
    """The application; without a `peer` it enqueues nothing."""
    if stock:
        os.environ["BENCH_STOCK"] = "1"
    check = checked_by_sdk() if stock else checked
    send: Send | None = import_module(f"bench.peers.{peer}").send_text if peer else None

    def inbound() -> Response:
        fields = check()
        if fields is None:
            return Response(status=403)
        if send:
            send(*fields)
        return Response(EMPTY_TWIML, content_type="text/xml; charset=utf-8")

    app = Flask("webhook", static_folder=None)
    app.add_url_rule("/sms/inbound", "sms", inbound, methods=["POST"])
    app.add_url_rule("/livez", "livez", lambda: Response("ok"))
    return app
