"""What `servers.py` serves: the product's application on a real Valkey, beside a bare Flask route."""

from __future__ import annotations

from flask import Flask, Response

from shared import settings as knobs
from shared.runtime import open_runtime
from webhook_api.app import create_app
from webhook_api.sms import EMPTY_TWIML


def load() -> Flask:
    """The application with one more route, /bare."""
    app = create_app(open_runtime(knobs.load(_env_file=None), "web"))
    app.add_url_rule("/bare", "bare", lambda: Response(EMPTY_TWIML, content_type="text/xml; charset=utf-8"), methods=["POST"])
    return app
