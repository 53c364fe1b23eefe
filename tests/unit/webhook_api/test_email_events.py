"""SendGrid's events as reports on replies."""

from __future__ import annotations

import json

import pytest

from tests.payloads import payload
from webhook_api.email_events import report
from webhook_api.entries import Report


def test_events_become_reports_on_replies() -> None:
    """Our custom arguments say which, the message id up to its dot is the provider's."""
    assert [report(event) for event in json.loads(payload("events.json"))] == [
        Report("X-MSG-ID", "sent", "r-1", "a-1"),
        Report("X-MSG-ID", "delivered", "r-1", "a-1"),
        None,
        Report("Y-MSG-ID", "undelivered", "r-2", "a-2", "5.7.1"),
        Report("Z-MSG-ID", "failed", "r-3", "a-3"),
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
    """No exception, no report on something unknown."""
    found = report(event)
    assert found is None or found.reply == ""
