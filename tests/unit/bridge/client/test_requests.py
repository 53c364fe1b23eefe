"""What each frame means for the requests that wait for an answer."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.client.errors import BridgeError, RequestTooBig, TooManyWaiting
from bridge.client.requests import (
    MAX_PENDING_REQUESTS,
    Acknowledged,
    Answered,
    Failed,
    PendingRequest,
    PendingRequests,
    Repeat,
    error_of,
    parse,
)
from bridge.client.subscription import ClientSubscription
from bridge.protocol.codes import ClientFrame
from tests.support.effort import rounds

LONGEST = max
"""What is drawn at random, at its upper end: whole waits."""


def new_requests() -> PendingRequests:
    return PendingRequests(uniform=LONGEST)


def opened(requests: PendingRequests, request_id: str = "1", kind: ClientFrame = ClientFrame.SMS) -> PendingRequest:
    return requests.open(kind, {"message": "hello"}, request_id)


def answer(request_id: str, kind: str = "send_sms_response", **more: object) -> dict[str, Any]:
    return {"type": kind, "in_reply_to": request_id, **more}


def test_an_error_frame_becomes_an_error_without_its_text() -> None:
    """The code and whether it may pass; the sentence stays out of logs, and rubbish is no code."""
    error = error_of({"type": "error", "message": "about +15551234567", "code": "parked", "retryable": False})
    assert (str(error), error.retryable) == ("parked", False)
    assert error_of({"code": ["x"], "retryable": "yes"}).code == "bridge"
    assert not error_of({"code": ["x"], "retryable": "yes"}).retryable


def test_a_request_is_acknowledged_once_and_answered_once() -> None:
    """Whatever comes a second time, or after the end, is nobody's."""
    requests = new_requests()
    request = opened(requests)
    acknowledgement, reply = answer("1", "message_acknowledged"), answer("1")
    assert requests.receive(acknowledgement) == Acknowledged(request, acknowledgement)
    assert requests.receive(acknowledgement) is None
    assert requests.receive(reply) == Answered(request, reply)
    assert [requests.receive(frame) for frame in (reply, acknowledgement, answer("1", "error", code="x"))] == [None] * 3
    assert requests.waiting == ()


def test_an_answer_of_the_other_channel_is_no_answer() -> None:
    """A text is answered by a text, a mail by a mail."""
    requests = new_requests()
    text, mail = opened(requests, "1"), opened(requests, "2", ClientFrame.EMAIL)
    assert requests.receive(answer("1", "send_email_response")) is None
    assert requests.receive(answer("2")) is None
    assert requests.waiting == (text, mail)


def test_a_refusal_that_passes_is_repeated_with_growing_waits() -> None:
    """Half a second, one, two, up to eight; the last refusal is kept for the caller whose patience ends."""
    requests = new_requests()
    request = opened(requests)
    updates = [requests.receive(answer("1", "error", code="storage_unavailable", retryable=True)) for _ in range(7)]
    assert [update.after for update in updates if isinstance(update, Repeat)] == [0.5, 1, 2, 4, 8, 8, 8]
    assert requests.is_pending(request)
    assert request.last_error is not None
    assert request.last_error.code == "storage_unavailable"


def test_a_final_refusal_ends_the_request() -> None:
    """With the code that the bridge gave."""
    requests = new_requests()
    opened(requests)
    update = requests.receive(answer("1", "error", code="stranger", retryable=False))
    assert isinstance(update, Failed)
    assert (update.error.code, requests.waiting) == ("stranger", ())


def test_ids_are_random_and_cannot_be_in_use_twice() -> None:
    """Two requests without an id differ; a chosen one is free again after its end."""
    requests = new_requests()
    assert requests.open(ClientFrame.SMS, {}).id != requests.open(ClientFrame.SMS, {}).id
    request = opened(requests)
    with pytest.raises(BridgeError) as caught:
        opened(requests)
    assert caught.value.code == "id_in_use"
    requests.forget(request)
    assert opened(requests).id == "1"


def test_the_number_of_waiting_requests_is_bounded() -> None:
    """One more than the bound is refused, and may be tried again."""
    requests = new_requests()
    for number in range(MAX_PENDING_REQUESTS):
        opened(requests, str(number))
    with pytest.raises(TooManyWaiting):
        opened(requests, "one more")


def test_what_is_too_big_fails_alone() -> None:
    """Before it is sent, when a bridge turns out to take less, and when a bridge closes for it: always the largest."""
    requests = new_requests()
    with pytest.raises(RequestTooBig):
        requests.open(ClientFrame.SMS, {"message": "x" * 65_536})
    small, large = opened(requests, "small"), requests.open(ClientFrame.SMS, {"message": "x" * 1000}, "large")
    (failed,) = requests.apply_limit(500)
    assert (failed.request, type(failed.error), requests.waiting) == (large, RequestTooBig, (small,))
    assert [requests.apply_limit(odd) for odd in (None, "many", True, -1, 1.5)] == [[]] * 5
    assert requests.max_frame == 500
    update = requests.fail_largest()
    assert update
    assert update.request is small
    assert requests.fail_largest() is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
NAMES = st.sampled_from(["type", "in_reply_to", "code", "retryable", "seq", "event", "success"])
VALUES = JSON | st.sampled_from(["error", "event", "subscribed", "message_acknowledged", "send_sms_response", "1", "2", "resync_required"])


@settings(max_examples=rounds(40), deadline=None)
@given(st.lists(st.dictionaries(NAMES, VALUES, max_size=6), max_size=8))
def test_no_frame_breaks_the_client(frames: list[dict[str, Any]]) -> None:
    """Whatever a bridge sends: no exception, and no request ends but by a frame that names it."""
    requests, subscription = new_requests(), ClientSubscription()
    opened(requests, "1")
    opened(requests, "2")
    subscription.subscribe_frame()
    for frame in frames:
        message = parse(json.dumps(frame))
        assert message == frame
        update = requests.receive(message)
        assert update is None or update.request.id == frame["in_reply_to"]
        subscription.receive(message)


@pytest.mark.parametrize("message", ["", "{", "[1]", "null", '"text"', "[" * 50_000, b"{}"])
def test_what_is_no_frame_is_an_empty_one(message: str | bytes) -> None:
    """Binary messages, broken JSON and other values do not end the connection."""
    assert parse(message) == {}
