"""Webhooks reach this machine alone."""

from __future__ import annotations

import pytest

from sandbox.engine.settings import SandboxSettings
from sandbox.engine.webhook_sender import WebhookResponse, WebhookSender


@pytest.mark.parametrize(
    ("url", "destination"),
    [
        ("https://boss.example/sms/status?x=1", "http://127.0.0.1:1/sms/status?x=1"),
        ("https://boss.example/sms/status#rc=2", "http://127.0.0.1:1/sms/status"),
        ("http://localhost:5/cb", "http://localhost:5/cb"),
        ("https://boss.example.evil/sms", None),
        ("https://elsewhere.example/", None),
    ],
)
def test_webhooks_only_reach_this_machine(url: str, destination: str | None) -> None:
    """The public URL leads back here, every other host nowhere."""
    settings = SandboxSettings(webhook_url="http://127.0.0.1:1", public_url="https://boss.example")
    assert WebhookSender(settings=settings).destination(url) == destination


@pytest.mark.parametrize(
    ("status", "accepted", "repeated"),
    [(200, True, False), (204, True, False), (302, False, False), (404, False, False), (500, False, True), (None, False, True)],
)
def test_a_webhook_is_repeated_after_a_server_error_or_without_an_answer(status: int | None, accepted: bool, repeated: bool) -> None:
    """A client error is final, and 2xx alone is accepted."""
    response = WebhookResponse(status=status)
    assert (response.accepted, response.may_be_repeated) == (accepted, repeated)
