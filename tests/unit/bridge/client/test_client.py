"""What the bridge's client decides, without a network: frames, waits, the ledger's lines, and the pace."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.client import errors
from bridge.client.errors import BridgeError, RequestTooBig, TooManyWaiting
from bridge.client.rate_limit import Pace
from bridge.client.reconnect import SETTLED_SECONDS, Ended, Reconnection
from bridge.client.requests import MAX_WAITING, Acknowledged, Answered, Exchange, Failed, Repeat, Request, error_of, read
from bridge.client.subscription import LedgerEvent, Subscription
from bridge.protocol.codes import Ask, Close
from shared.errors import BosslineError, Disposition

LEAST, MOST = (lambda: 1.0), (lambda: 0.0)
"""The jitter's ends: a wait cut to its half, and a whole one."""
ALL = [value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, BridgeError)]


def exchange() -> Exchange:
    return Exchange(jitter=MOST)


def opened(books: Exchange, request_id: str = "1", kind: Ask = Ask.SMS) -> Request:
    return books.open(kind, {"message": "hello"}, request_id)


def answer(request_id: str, kind: str = "send_sms_response", **more: object) -> dict[str, Any]:
    return {"type": kind, "in_reply_to": request_id, **more}


# The errors


@pytest.mark.parametrize("cls", ALL)
def test_every_error_is_in_the_tree_and_says_whether_to_try_again(cls: type[BridgeError]) -> None:
    """The docstring draws it, and its disposition agrees with `retryable`."""
    assert f"-- {cls.__name__} " in (errors.__doc__ or "")
    error = cls("detail")
    assert isinstance(error, BosslineError)
    assert (error.disposition == Disposition.RETRY) == error.retryable


def test_an_error_frame_becomes_an_error_without_its_text() -> None:
    """The code and whether it may pass; the sentence stays out of logs, and rubbish is no code."""
    error = error_of({"type": "error", "message": "about +15551234567", "code": "parked", "retryable": False})
    assert (str(error), error.retryable) == ("parked", False)
    assert error_of({"code": ["x"], "retryable": "yes"}).code == "bridge"
    assert not error_of({"code": ["x"], "retryable": "yes"}).retryable


# Requests


def test_a_request_is_acknowledged_once_and_answered_once() -> None:
    """Whatever comes a second time, or after the end, is nobody's."""
    books = exchange()
    request = opened(books)
    acknowledgement, reply = answer("1", "message_acknowledged"), answer("1")
    assert books.receive(acknowledgement) == Acknowledged(request, acknowledgement)
    assert books.receive(acknowledgement) is None
    assert books.receive(reply) == Answered(request, reply)
    assert [books.receive(frame) for frame in (reply, acknowledgement, answer("1", "error", code="x"))] == [None] * 3
    assert books.waiting == ()


def test_an_answer_of_the_other_channel_is_no_answer() -> None:
    """A text is answered by a text, a mail by a mail."""
    books = exchange()
    text, mail = opened(books, "1"), opened(books, "2", Ask.EMAIL)
    assert books.receive(answer("1", "send_email_response")) is None
    assert books.receive(answer("2")) is None
    assert books.waiting == (text, mail)


def test_a_refusal_that_passes_is_repeated_with_growing_waits() -> None:
    """Half a second, one, two, up to eight; the last refusal is kept for the caller whose patience ends."""
    books = exchange()
    request = opened(books)
    verdicts = [books.receive(answer("1", "error", code="storage_unavailable", retryable=True)) for _ in range(7)]
    assert [verdict.after for verdict in verdicts if isinstance(verdict, Repeat)] == [0.5, 1, 2, 4, 8, 8, 8]
    assert books.waits(request)
    assert request.refusal is not None
    assert request.refusal.code == "storage_unavailable"


def test_a_final_refusal_ends_the_request() -> None:
    """With the code that the bridge gave."""
    books = exchange()
    opened(books)
    verdict = books.receive(answer("1", "error", code="stranger", retryable=False))
    assert isinstance(verdict, Failed)
    assert (verdict.error.code, books.waiting) == ("stranger", ())


def test_ids_are_random_and_cannot_be_in_use_twice() -> None:
    """Two requests without an id differ; a chosen one is free again after its end."""
    books = exchange()
    assert books.open(Ask.SMS, {}).id != books.open(Ask.SMS, {}).id
    request = opened(books)
    with pytest.raises(BridgeError) as caught:
        opened(books)
    assert caught.value.code == "id_in_use"
    books.forget(request)
    assert opened(books).id == "1"


def test_the_number_of_waiting_requests_is_bounded() -> None:
    """One more than the bound is refused, and may be tried again."""
    books = exchange()
    for number in range(MAX_WAITING):
        opened(books, str(number))
    with pytest.raises(TooManyWaiting):
        opened(books, "one more")


def test_what_is_too_big_fails_alone() -> None:
    """Before it is sent, when a bridge turns out to take less, and when a bridge closes for it: always the largest."""
    books = exchange()
    with pytest.raises(RequestTooBig):
        books.open(Ask.SMS, {"message": "x" * 65_536})
    small, large = opened(books, "small"), books.open(Ask.SMS, {"message": "x" * 1000}, "large")
    (failed,) = books.limit(500)
    assert (failed.request, type(failed.error), books.waiting) == (large, RequestTooBig, (small,))
    assert [books.limit(odd) for odd in (None, "many", True, -1, 1.5)] == [[]] * 5
    assert books.max_frame == 500
    verdict = books.closed_as_too_big()
    assert verdict
    assert verdict.request is small
    assert books.closed_as_too_big() is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
NAMES = st.sampled_from(["type", "in_reply_to", "code", "retryable", "seq", "event", "success"])
VALUES = JSON | st.sampled_from(["error", "event", "subscribed", "message_acknowledged", "send_sms_response", "1", "2", "resync_required"])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.dictionaries(NAMES, VALUES, max_size=6), max_size=8))
def test_no_frame_breaks_the_client(frames: list[dict[str, Any]]) -> None:
    """Whatever a bridge sends: no exception, and no request ends but by a frame that names it."""
    books, subscription = exchange(), Subscription()
    opened(books, "1")
    opened(books, "2")
    subscription.ask()
    for frame in frames:
        message = read(json.dumps(frame))
        assert message == frame
        verdict = books.receive(message)
        assert verdict is None or verdict.request.id == frame["in_reply_to"]
        subscription.take(message)


@pytest.mark.parametrize("message", ["", "{", "[1]", "null", '"text"', "[" * 50_000, b"{}"])
def test_what_is_no_frame_is_an_empty_one(message: str | bytes) -> None:
    """Binary messages, broken JSON and other values do not end the connection."""
    assert read(message) == {}


# Coming back


def test_waits_double_up_to_half_a_minute() -> None:
    """1, 2, 4, 8, 16, 30, 30 without jitter; with all of it, half of that."""
    for jitter, part in ((MOST, 1.0), (LEAST, 0.5)):
        reconnection = Reconnection(jitter=jitter)
        assert [reconnection.wait(Ended()) for _ in range(7)] == [part * seconds for seconds in (1, 2, 4, 8, 16, 30, 30)]


def test_a_connection_that_stood_begins_anew() -> None:
    """One that broke at once does not: whoever takes us and drops us is met with growing waits too."""
    reconnection = Reconnection(jitter=MOST)
    assert [reconnection.wait(Ended(stood=0.1)) for _ in range(3)] == [1, 2, 4]
    assert reconnection.wait(Ended(1001, stood=SETTLED_SECONDS)) == 1


def test_a_restart_is_answered_at_once_but_not_in_a_circle() -> None:
    """1012: no wait. A bridge that says only that gets growing ones."""
    reconnection = Reconnection(jitter=MOST)
    assert [reconnection.wait(Ended(Close.RESTART, stood=0.1)) for _ in range(4)] == [0, 1, 2, 4]
    assert reconnection.wait(Ended(Close.RESTART, stood=60)) == 0


def test_an_overloaded_bridge_is_left_alone_for_longer() -> None:
    """1013: four times the wait, up to two minutes."""
    reconnection = Reconnection(jitter=MOST)
    assert [reconnection.wait(Ended(Close.OVERLOADED, stood=0.1)) for _ in range(7)] == [4, 8, 16, 32, 64, 120, 120]


def test_a_policy_close_ends_it() -> None:
    """1008 after authentication: at once. Before it: the second in a row, for one may come of a machine that stood still."""
    assert Reconnection().wait(Ended(Close.POLICY, stood=0.1)) is None
    reconnection = Reconnection(jitter=MOST)
    assert [reconnection.wait(Ended(code)) for code in (Close.POLICY, None, Close.POLICY, Close.POLICY)] == [1, 2, 4, None]


def test_there_is_no_last_attempt() -> None:
    """After ten thousand failures the wait is still half a minute."""
    reconnection = Reconnection(jitter=MOST)
    assert [reconnection.wait(Ended()) for _ in range(10_000)][-1] == 30


# The ledger


def line(number: int) -> dict[str, Any]:
    return {"type": "event", "seq": f"{number}-0", "event": {"type": "accepted"}}


def subscribed(seq: str) -> dict[str, Any]:
    return {"type": "subscribed", "seq": seq}


def drained(subscription: Subscription) -> list[str]:
    found = []
    while item := subscription.next():
        found.append("resync" if item.resync else item.seq)
    return found


def test_a_subscription_goes_on_after_the_last_line() -> None:
    """The first time from now on; later after what it saw, or after where it began."""
    subscription = Subscription()
    assert subscription.ask().keys() == {"type", "id"}
    subscription.take(subscribed("4-0"))
    assert subscription.ask()["since"] == "4-0"
    subscription.take(line(5))
    assert subscription.next() is None, "lines between `subscribe` and `subscribed` belong to the one before"
    subscription.take(subscribed("4-0"))
    subscription.take(line(5))
    assert subscription.next() == LedgerEvent("5-0", {"type": "accepted"})
    assert subscription.ask()["since"] == "5-0"


def test_a_slow_reader_misses_nothing_and_costs_no_memory() -> None:
    """At the bound lines are let pass; when all is read they are asked for again, from the last that was kept."""
    subscription = Subscription(since="0-0", capacity=3)
    subscription.ask()
    subscription.take(subscribed("0-0"))
    for number in range(1, 10):
        subscription.take(line(number))
    assert not subscription.wants_more()
    assert drained(subscription) == ["1-0", "2-0", "3-0"]
    assert subscription.wants_more()
    assert subscription.ask()["since"] == "3-0"
    assert not subscription.wants_more()


def test_a_gap_is_seen() -> None:
    """resync_required is an item of its own, once; so is a reconnect for which nothing says where to go on."""
    subscription = Subscription(since="9-0")
    own = subscription.ask()["id"]
    for _ in range(2):
        subscription.take(answer(own, "error", code="resync_required"))
    subscription.take(subscribed("1-0"))
    subscription.take(line(2))
    assert drained(subscription) == ["resync", "2-0"]
    silent = Subscription()
    silent.ask()
    silent.take({"type": "subscribed"})
    silent.ask()
    assert drained(silent) == ["resync"]


def test_an_error_about_something_else_is_not_the_subscription_s() -> None:
    """One that names another frame is passed over; a refusal that passes grows its wait, a final one is kept."""
    subscription = Subscription()
    own = subscription.ask()["id"]
    assert subscription.take(answer("another", "error", code="bad_field")) is None
    assert [subscription.take(answer(own, "error", code="too_many_requests", retryable=True)) for _ in range(3)] == [0.5, 1, 2]
    assert subscription.failure is None
    subscription.take(answer(own, "error", code="bad_field"))
    assert subscription.failure is not None


# The pace


def test_the_pace_stays_under_the_bridge_s_limit() -> None:
    """A client that waits as it is told never sends one that a bucket of the announced size would refuse."""
    pace, now, tokens, last = Pace({"burst": 20, "requests_per_second": 10}, 0.0), 0.0, 19.0, 0.0
    for _ in range(200):
        now += pace.wait(now)
        tokens = min(20.0, tokens + (now - last) * 10)
        last = now
        assert tokens >= 1
        tokens -= 1
    assert now < 25, "and it does not dawdle"


def test_rubbish_is_no_limit() -> None:
    """A bridge that says nothing useful of its limits is taken for one with the usual ones."""
    odd: list[Any] = [None, [], {"burst": "x", "requests_per_second": 0}, {"burst": True, "requests_per_second": float("inf")}]
    for limits in odd:
        pace = Pace(limits, 0.0)
        assert [pace.wait(0.0) for _ in range(18)] == [0.0] * 18
        assert 0 < pace.wait(0.0) < 1
