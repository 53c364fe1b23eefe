"""SendGrid's events as calls."""

from __future__ import annotations

import json

import pytest

from tests.payloads import payload
from webhook_api.email_events import report


def test_events_become_reports_on_replies() -> None:
    """Our custom arguments say which, the message id up to its dot is the provider's."""
    calls = [report(event, retention_ms=5) for event in json.loads(payload("events.json"))]
    assert [call and call.args for call in calls] == [
        ("r-1", "a-1", "X-MSG-ID", "sent", "", 5),
        ("r-1", "a-1", "X-MSG-ID", "delivered", "", 5),
        None,
        ("r-2", "a-2", "Y-MSG-ID", "undelivered", "5.7.1", 5),
        ("r-3", "a-3", "Z-MSG-ID", "failed", "", 5),
    ]


@pytest.mark.parametrize(
    "event",
    [
        None,
        5,
        "x",
        [],
        {},
        {"event": "delivered"},
        {"event": ["delivered"], "reply": "r"},
        {"event": "delivered", "reply": "r:1", "sg_message_id": 7.5j},
    ],
)
def test_what_is_no_event_of_ours_is_passed_over(event: object) -> None:
    """No exception, no call for something unknown."""
    found = report(event, retention_ms=5)
    assert found is None or found.args[0] == ""
