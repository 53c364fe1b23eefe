"""The client's view of the ledger: where it goes on, and what waits to be read."""

from __future__ import annotations

from typing import Any

from bridge.client.subscription import ClientSubscription, LedgerEvent


def answer(request_id: str, kind: str = "send_sms_response", **more: object) -> dict[str, Any]:
    return {"type": kind, "in_reply_to": request_id, **more}


def line(number: int) -> dict[str, Any]:
    return {"type": "event", "seq": f"{number}-0", "event": {"type": "accepted"}}


def subscribed(seq: str) -> dict[str, Any]:
    return {"type": "subscribed", "seq": seq}


def drained(subscription: ClientSubscription) -> list[str]:
    found = []
    while item := subscription.next():
        found.append("resync" if item.resync else item.seq)
    return found


def test_a_subscription_goes_on_after_the_last_line() -> None:
    """The first time from now on; later after what it saw, or after where it began."""
    subscription = ClientSubscription()
    assert subscription.subscribe_frame().keys() == {"type", "id"}
    subscription.receive(subscribed("4-0"))
    assert subscription.subscribe_frame()["since"] == "4-0"
    subscription.receive(line(5))
    assert subscription.next() is None, "lines between `subscribe` and `subscribed` belong to the one before"
    subscription.receive(subscribed("4-0"))
    subscription.receive(line(5))
    assert subscription.next() == LedgerEvent("5-0", {"type": "accepted"})
    assert subscription.subscribe_frame()["since"] == "5-0"


def test_a_slow_reader_misses_nothing_and_costs_no_memory() -> None:
    """At the bound lines are let pass; when all is read they are asked for again, from the last that was kept."""
    subscription = ClientSubscription(since="0-0", capacity=3)
    subscription.subscribe_frame()
    subscription.receive(subscribed("0-0"))
    for number in range(1, 10):
        subscription.receive(line(number))
    assert not subscription.is_behind()
    assert drained(subscription) == ["1-0", "2-0", "3-0"]
    assert subscription.is_behind()
    assert subscription.subscribe_frame()["since"] == "3-0"
    assert not subscription.is_behind()


def test_a_gap_is_seen() -> None:
    """resync_required is an item of its own, once; so is a reconnect for which nothing says where to go on."""
    subscription = ClientSubscription(since="9-0")
    own = subscription.subscribe_frame()["id"]
    for _ in range(2):
        subscription.receive(answer(own, "error", code="resync_required"))
    subscription.receive(subscribed("1-0"))
    subscription.receive(line(2))
    assert drained(subscription) == ["resync", "2-0"]
    silent = ClientSubscription()
    silent.subscribe_frame()
    silent.receive({"type": "subscribed"})
    silent.subscribe_frame()
    assert drained(silent) == ["resync"]


def test_an_error_about_something_else_is_not_the_subscription_s() -> None:
    """One that names another frame is passed over; a refusal that passes grows its wait, a final one is kept."""
    subscription = ClientSubscription()
    own = subscription.subscribe_frame()["id"]
    assert subscription.receive(answer("another", "error", code="bad_field")) is None
    assert [subscription.receive(answer(own, "error", code="too_many_requests", retryable=True)) for _ in range(3)] == [0.5, 1, 2]
    assert subscription.failure is None
    subscription.receive(subscribed("1-0"))
    own = subscription.subscribe_frame()["id"]
    again = subscription.receive(answer(own, "error", code="too_many_requests", retryable=True))
    assert again == 0.5, "one that was accepted begins with the shortest wait"
    subscription.receive(answer(own, "error", code="bad_field"))
    assert subscription.failure is not None
