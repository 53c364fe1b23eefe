"""Who may call without a signature: this machine, in sandbox mode."""

from __future__ import annotations

import pytest

from webhook_api.gate import caller_of, from_this_machine

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
