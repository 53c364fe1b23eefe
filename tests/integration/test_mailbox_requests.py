"""An operator's request for a retry: it stays until a worker has served it, and has its effect once."""

from __future__ import annotations

from typing import cast

import pytest

from shared.mailbox import calls
from shared.mailbox.calls import retry_requests
from shared.mailbox.calls.retry_requests import Result, RetryRequest, RetryResult
from tests.integration.mailbox_books import LEASE, RETENTION
from tests.integration.mailbox_desk import Desk

REQUEST = RetryRequest("o-1", "m-1", "ada")


def requested(desk: Desk, operation: str = "o-1", message: str = "m-1") -> RetryResult:
    """The request."""
    return desk.run(retry_requests.request_retry(message, operation, by="ada"))


def sweep(desk: Desk, places: int = 5) -> tuple[RetryRequest, ...]:
    """The requests that a worker's look gives it to serve."""
    return desk.run(calls.sweep(recheck_ms=10_000, lease_ms=LEASE, retries=places)).retries


def result(desk: Desk, operation: str = "o-1") -> RetryResult:
    """What is known of the request."""
    raw = cast("dict[bytes, bytes]", desk.redis.hgetall(f"boss:retry:{operation}"))
    return retry_requests.result_from({name.decode(): value.decode() for name, value in raw.items()})


def retry(desk: Desk, operation: str = "o-1") -> str:
    """The end of a served request: the message is to be answered again."""
    return desk.run(calls.retry("m-1", operation, by="ada")).outcome


def test_a_request_stays_until_a_worker_serves_it(desk: Desk) -> None:
    """It changes nothing by itself, and is in the ledger with who asked."""
    desk.to_parked()
    assert requested(desk) == RetryResult()
    assert desk.state("m-1") == "parked(test)"
    assert [line["by"] for line in desk.lines("retry_requested")] == ["ada"]
    assert desk.ttl("boss:retry:o-1") == -1
    desk.advance(30 * calls.DAY_MS)
    assert sweep(desk) == (REQUEST,)
    assert (result(desk).result, result(desk).taken) == ("", True)
    assert retry(desk) == "done"
    assert (result(desk).result, desk.inbox()) == ("retried", ["m-1"])
    assert 0 < desk.ttl("boss:retry:o-1") <= calls.DAY_MS
    assert sweep(desk) == ()


def test_a_repeated_request_is_the_same_request(desk: Desk) -> None:
    """Also after it was served, and the message was parked once more."""
    desk.to_parked()
    for _ in range(2):
        assert requested(desk) == RetryResult()
    assert len(desk.lines("retry_requested")) == 1
    assert sweep(desk) == (REQUEST,)
    retry(desk)
    desk.taken("k2")
    desk.park("k2")
    assert requested(desk).result == "retried"
    assert sweep(desk) == ()


@pytest.mark.parametrize(("message", "wanted", "detail"), [("m-1", "not_parked", "pending"), ("m-9", "unknown", "")])
def test_a_message_that_is_not_parked_has_its_result_at_once(desk: Desk, message: str, wanted: Result, detail: str) -> None:
    """No worker is asked."""
    desk.accept("m-1")
    assert requested(desk, message=message) == RetryResult(wanted, detail)
    assert sweep(desk) == ()
    assert desk.lines("retry_requested") == []
    assert 0 < desk.ttl("boss:retry:o-1") <= calls.DAY_MS


def test_a_request_is_one_worker_s_until_its_time_has_passed(desk: Desk) -> None:
    """A worker that was killed in the midst of it leaves it to the next one."""
    desk.to_parked()
    requested(desk)
    assert sweep(desk) == (REQUEST,)
    desk.advance(LEASE - 1)
    assert sweep(desk) == ()
    desk.advance(1)
    assert sweep(desk) == (REQUEST,)


def test_a_worker_takes_no_more_than_it_has_room_for_the_oldest_first(desk: Desk) -> None:
    """The others are left to other workers."""
    desk.to_parked()
    for number in range(3):
        requested(desk, f"o-{number}")
        desk.advance(1)
    assert sweep(desk, 0) == ()
    assert [each.operation for each in sweep(desk, 2)] == ["o-0", "o-1"]
    assert [each.operation for each in sweep(desk, 2)] == ["o-2"]


def test_who_serves_a_request_keeps_it_and_gives_it_back(desk: Desk) -> None:
    """A look-up may last longer than a lease; one that is broken off at the process's end goes to the next worker at once."""
    desk.to_parked()
    requested(desk)
    sweep(desk)
    desk.advance(LEASE - 1)
    assert desk.run(retry_requests.hold_retry("o-1", LEASE))
    desk.advance(LEASE - 1)
    assert sweep(desk) == ()
    for _ in range(9):
        assert desk.run(retry_requests.hold_retry("o-1", 0))
        assert sweep(desk) == (REQUEST,)
    retry(desk)
    assert not desk.run(retry_requests.hold_retry("o-1", LEASE))
    assert sweep(desk) == ()


def test_a_request_is_served_once_also_by_a_worker_that_comes_late(desk: Desk) -> None:
    """It stood still in the midst; meanwhile another one served it, and the message was parked again, and retried again."""
    desk.to_parked()
    requested(desk)
    assert sweep(desk) == (REQUEST,)
    assert retry(desk) == "done"
    desk.taken("k2")
    desk.park("k2")
    requested(desk, "o-2")
    assert retry(desk, "o-2") == "done"
    desk.taken("k3")
    desk.park("k3")
    assert retry(desk) == "done"  # its own request's result; nothing is done for it
    assert desk.state("m-1") == "parked(test)"
    assert len(desk.lines("retried")) == 2


def test_a_request_that_could_not_be_served_says_why_and_is_over(desk: Desk) -> None:
    """The first result counts, in the ledger too; who is late with a retry changes nothing."""
    desk.to_parked()
    requested(desk)
    sweep(desk)
    words: tuple[Result, ...] = ("provider_away", "too_early")
    for word in words:
        desk.run(retry_requests.refuse_retry("o-1", word, "twilio_503"))
    assert result(desk) == RetryResult("provider_away", "twilio_503", taken=True)
    assert [(line["msg"], line["by"], line["reason"]) for line in desk.lines("retry_failed")] == [("m-1", "ada", "provider_away")]
    assert 0 < desk.ttl("boss:retry:o-1") <= calls.DAY_MS
    assert retry(desk) == "over"
    assert (desk.state("m-1"), sweep(desk)) == ("parked(test)", ())


def test_a_message_whose_reply_turns_out_to_have_arrived_is_answered(desk: Desk) -> None:
    """The look-up settles it; the request ends with that."""
    desk.to_sending()
    desk.park("k1", looked_up=True)
    requested(desk)
    sweep(desk)
    desk.outcome("k1", "a1", "accepted", "SM1")
    assert retry(desk) == "not_parked"
    assert result(desk).result == "answered"


def test_a_message_that_somebody_else_gave_up_ends_the_request(desk: Desk) -> None:
    """Discarded meanwhile, or erased."""
    desk.to_parked()
    requested(desk)
    requested(desk, "o-2")
    sweep(desk)
    desk.run(calls.discard("m-1", "o-9", retention_ms=RETENTION))
    assert (retry(desk), result(desk)) == ("not_parked", RetryResult("not_parked", "ignored", taken=True))
    desk.redis.delete("boss:msg:m-1")
    assert (retry(desk, "o-2"), result(desk, "o-2").result) == ("unknown", "unknown")
    assert sweep(desk) == ()


def test_a_request_whose_servers_all_die_is_given_up(desk: Desk) -> None:
    """It kills them, perhaps."""
    desk.to_parked()
    requested(desk)
    for _ in range(5):
        assert sweep(desk) == (REQUEST,)
        desk.advance(LEASE)
    assert sweep(desk) == ()
    assert (result(desk).result, result(desk).detail) == ("failed", "too_many_tries")
    assert desk.state("m-1") == "parked(test)"


def test_a_request_from_the_future_is_one_of_now(desk: Desk) -> None:
    """The server's clock has stepped back since it was made."""
    desk.to_parked()
    desk.advance(10 * LEASE)
    requested(desk)
    desk.advance(-5 * LEASE)
    assert sweep(desk) == (REQUEST,)
