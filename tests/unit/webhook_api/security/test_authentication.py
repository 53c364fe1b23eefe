"""Who may call without a signature: this machine, of a provider that the sandbox plays."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Request
from werkzeug.test import EnvironBuilder

from shared.config.loading import load_settings
from webhook_api.security.authentication import Refusal, WebhookAuthenticator, caller_of, from_this_machine

CURL = {"REMOTE_ADDR": "127.0.0.1", "HTTP_HOST": "127.0.0.1:8787"}


@pytest.mark.parametrize(
    ("changes", "ours"),
    [
        ({}, True),
        ({"HTTP_HOST": "localhost:8787"}, True),
        ({"HTTP_HOST": "[::1]:8787", "REMOTE_ADDR": "::1"}, True),
        ({"REMOTE_ADDR": "::ffff:127.0.0.1"}, True),
        ({"REMOTE_ADDR": "192.0.2.1"}, False),
        ({"REMOTE_ADDR": ""}, False),
        ({"REMOTE_ADDR": "localhost"}, False),
        ({"HTTP_X_FORWARDED_FOR": "127.0.0.1"}, False),
        ({"HTTP_X_FORWARDED_PROTO": "https"}, False),
        ({"HTTP_FORWARDED": "for=127.0.0.1"}, False),
        ({"HTTP_VIA": "1.1 proxy"}, False),
        ({"HTTP_HOST": "boss.example.com"}, False),
        ({"HTTP_HOST": "127.0.0.1.evil.example"}, False),
        ({"HTTP_ORIGIN": "https://evil.example"}, False),
    ],
)
def test_only_a_plain_local_call_is_ours(changes: dict[str, str], ours: bool) -> None:
    """A proxy, a tunnel, a rebound name or a web page in the operator's browser is not."""
    assert from_this_machine({**CURL, **changes}) is ours


@pytest.mark.parametrize(
    ("peer", "forwarded", "caller"),
    [
        ("198.51.100.7", "", "198.51.100.7"),
        ("8.8.8.8", "203.0.113.1", "8.8.8.8"),
        ("127.0.0.1", "203.0.113.1", "203.0.113.1"),
        ("127.0.0.1", "1.1.1.1, 203.0.113.1", "203.0.113.1"),
        ("10.0.0.2", "1.1.1.1,2001:db8::1", "2001:db8::1"),
        ("127.0.0.1", "unknown", "127.0.0.1"),
        ("127.0.0.1", "203.0.113.1:4711", "127.0.0.1"),
        ("127.0.0.1", "203.0.113.1, ", "127.0.0.1"),
        ("", "203.0.113.1", ""),
        ("unix:", "203.0.113.1", "unix:"),
    ],
)
def test_a_caller_is_whom_the_connection_shows_or_our_proxy_names_last(peer: str, forwarded: str, caller: str) -> None:
    """What a caller from outside writes into the header is not believed, nor what stands before our proxy's own word."""
    assert caller_of({"REMOTE_ADDR": peer, "HTTP_X_FORWARDED_FOR": forwarded}) == caller


REAL = {
    "claude": {"anthropic_api_key": "mine"},
    "sendgrid": {"sendgrid_api_key": "SG.mine"},
    "twilio": {"twilio_account_sid": "AC" + "1" * 32, "twilio_auth_token": "0a1b2c3d4e5f60718293a4b5c6d7e8f9"},
}


@pytest.mark.parametrize(
    ("real", "texts", "mails"),
    [
        ((), True, True),
        (("claude",), True, True),
        (("twilio",), False, True),
        (("sendgrid",), True, False),
        (("twilio", "sendgrid"), False, False),
    ],
)
def test_only_a_played_provider_s_webhook_may_come_unsigned(tmp_path: Path, real: tuple[str, ...], texts: bool, mails: bool) -> None:
    """A real Claude behind a played phone changes nothing; a real Twilio beside a played SendGrid opens no texts."""
    settings = load_settings(boss_data_dir=tmp_path, **{name: value for each in real for name, value in REAL[each].items()})
    authenticator = WebhookAuthenticator.of(settings)
    request = Request(EnvironBuilder(base_url="http://127.0.0.1:8787", environ_overrides={"REMOTE_ADDR": "127.0.0.1"}).get_environ())
    calls: list[tuple[bool, Callable[[], bool]]] = [
        (texts, lambda: authenticator.verify_twilio(request, {})),
        (mails, lambda: authenticator.begin_sendgrid(request, None).finish()),
    ]
    for allowed, call in calls:
        if allowed:
            assert call() is False
        else:
            with pytest.raises(Refusal, match="unsigned"):
                call()
