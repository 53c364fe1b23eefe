"""What is taken from a record of Twilio's list."""

from __future__ import annotations

from typing import Any

import pytest
from twilio.rest import Client
from twilio.rest.api.v2010.account.message import MessageInstance

from shared.config.loading import load_settings
from shared.errors import ProviderUnavailable
from supervisor_worker.channels.twilio.message_list import _listed, _received, _sent
from supervisor_worker.reconciler.result import Bounds

RECORD: dict[str, Any] = {
    "sid": "SM1", "account_sid": "AC1", "from": "+15551234567", "to": "+15559876543", "body": " Hello\u200b ", "num_media": "2",
    "direction": "inbound", "status": "received", "date_created": "Wed, 25 Nov 2026 10:00:00 +0000", "date_sent": None,
}  # fmt: skip


def record(**changes: Any) -> MessageInstance:
    return MessageInstance(Client("AC1", "token").api.v2010, RECORD | changes, account_sid="AC1")


def test_a_record_is_read_as_the_webhook_s_form_is() -> None:
    """Cleaned text, both ends, and the count of pictures."""
    listed = _listed(record())
    assert listed.created == 1_795_600_800
    text = listed.text
    assert (text.sid, text.account, text.sender, text.recipient) == ("SM1", "AC1", "+15551234567", "+15559876543")
    assert (text.text, text.media_count, text.opt_out) == ("Hello", 2, "")


@pytest.mark.parametrize("changes", [{"date_created": None}, {"date_created": "yesterday"}, {"sid": None}])
def test_a_record_without_an_id_or_a_time_makes_the_list_unreadable(changes: dict[str, Any]) -> None:
    """It is not passed over: what is missing may be the very text."""
    with pytest.raises(ProviderUnavailable):
        _listed(record(**changes))


def test_a_date_of_sending_does_where_none_of_making_is_given() -> None:
    """They are the same for what came in."""
    assert _listed(record(date_created=None, date_sent=RECORD["date_created"])).created == 1_795_600_800


@pytest.mark.parametrize(
    ("direction", "status", "came_in", "went_out"),
    [
        ("inbound", "received", True, False),
        ("inbound", "receiving", False, False),
        ("outbound-api", "queued", False, True),
        ("outbound-api", "delivered", False, True),
        ("outbound-api", "undelivered", False, True),
        ("outbound-reply", "sent", False, True),
        ("outbound-api", "failed", False, False),
        ("outbound-api", "canceled", False, False),
        (None, None, False, False),
    ],
)
def test_what_is_not_there_yet_waits_and_what_never_left_is_no_answer(
    direction: str, status: str, *, came_in: bool, went_out: bool
) -> None:
    """By direction and status."""
    found = record(direction=direction, status=status)
    assert (_received(found), _sent(found)) == (came_in, went_out)


@pytest.mark.parametrize(
    ("minutes", "young", "pause", "total"),
    [(5, 60, 1, 240), (60, 60, 1, 240), (1, 12, 0.2, 48), (0.02, 0.24, 0.004, 0.96), (0.0, 60, 1, 240)],
)
def test_a_shorter_interval_has_narrower_bounds(minutes: float, young: float, pause: float, total: float) -> None:
    """A run always ends before the next may begin."""
    bounds = Bounds.of(load_settings(sandbox="on", reconcile_minutes=minutes, reconcile_window_minutes=90))
    assert (bounds.window, bounds.young, bounds.pause, bounds.total) == pytest.approx((5400, young, pause, total))
