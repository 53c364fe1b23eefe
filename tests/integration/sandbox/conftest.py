"""A sandbox with credentials, and the product that its webhooks go to."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from tests.integration.sandbox.clients import ACCOUNT, TOKEN, WebhookReceiver
from tests.support.sandbox import SandboxProcess


@pytest.fixture(scope="module")
def receiver() -> Iterator[WebhookReceiver]:
    server = WebhookReceiver()
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def process(receiver: WebhookReceiver) -> Iterator[SandboxProcess]:
    env = {
        "SANDBOX_WEBHOOK_URL": receiver.url,
        "SANDBOX_PUBLIC_URL": "https://boss.example.com",
        "TWILIO_ACCOUNT_SID": ACCOUNT,
        "TWILIO_AUTH_TOKEN": TOKEN,
        "SENDGRID_API_KEY": "SG.key",
        "EMAIL_WEBHOOK_SECRET": "mail secret",
        "ANTHROPIC_API_KEY": "sk-ant",
    }
    with SandboxProcess(**env) as running:
        yield running


@pytest.fixture
def sandbox(process: SandboxProcess, receiver: WebhookReceiver) -> SandboxProcess:
    process.reset()
    receiver.seen.clear()
    receiver.statuses.clear()
    process.faults(twilio={"callback_delay_seconds": 0}, sendgrid={"event_delay_seconds": 0})
    return process
