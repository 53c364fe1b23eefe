"""An operator's request for a retry: it stays until a worker has served it, and has its effect once."""

from __future__ import annotations

from typing import cast

import pytest

from shared.mailbox import calls
from shared.mailbox.calls import retry_requests
from shared.mailbox.calls.retry_requests import Result, RetryRequest, RetryResult
from tests.support.mailbox_driver import MailboxDriver
from tests.support.mailbox_state import LEASE, RETENTION

REQUEST = RetryRequest("o-1", "m-1", "ada")


def requested(driver: MailboxDriver, operation: str = "o-1", message: str = "m-1") -> RetryResult:
    """The request."""
    return driver.run(retry_requests.request_retry(message, operation, by="ada"))


def sweep(driver: MailboxDriver, places: int = 5) -> tuple[RetryRequest, ...]:
    """The requests that a worker's look gives it to serve."""
    return driver.run(calls.sweep(recheck_ms=10_000, lease_ms=LEASE, retries=places)).retries


def result(driver: MailboxDriver, operation: str = "o-1") -> RetryResult:
    """What is known of the request."""
    raw = cast("dict[bytes, bytes]", driver.redis.hgetall(f"boss:retry:{operation}"))
    return retry_requests.result_from({name.decode(): value.decode() for name, value in raw.items()})


def retry(driver: MailboxDriver, operation: str = "o-1") -> str:
    """The end of a served request: the message is to be answered again."""
    return driver.run(calls.retry("m-1", operation, by="ada")).outcome


def test_a_request_stays_until_a_worker_serves_it(driver: MailboxDriver) -> None:
    """It changes nothing by itself, and is in the ledger with who asked."""
    driver.to_parked()
    assert requested(driver) == RetryResult()
    assert driver.state("m-1") == "parked(test)"
    assert [line["by"] for line in driver.lines("retry_requested")] == ["ada"]
    assert driver.ttl("boss:retry:o-1") == -1
    driver.advance(30 * calls.DAY_MS)
    assert sweep(driver) == (REQUEST,)
    assert (result(driver).result, result(driver).taken) == ("", True)
    assert retry(driver) == "done"
    assert (result(driver).result, driver.inbox()) == ("retried", ["m-1"])
    assert 0 < driver.ttl("boss:retry:o-1") <= calls.DAY_MS
    assert sweep(driver) == ()


def test_a_repeated_request_is_the_same_request(driver: MailboxDriver) -> None:
    """Also after it was served, and the message was parked once more."""
    driver.to_parked()
    for _ in range(2):
        assert requested(driver) == RetryResult()
    assert len(driver.lines("retry_requested")) == 1
    assert sweep(driver) == (REQUEST,)
    retry(driver)
    driver.taken("k2")
    driver.park("k2")
    assert requested(driver).result == "retried"
    assert sweep(driver) == ()


@pytest.mark.parametrize(("message", "wanted", "detail"), [("m-1", "not_parked", "pending"), ("m-9", "unknown", "")])
def test_a_message_that_is_not_parked_has_its_result_at_once(driver: MailboxDriver, message: str, wanted: Result, detail: str) -> None:
    """No worker is asked."""
    driver.accept("m-1")
    assert requested(driver, message=message) == RetryResult(wanted, detail)
    assert sweep(driver) == ()
    assert driver.lines("retry_requested") == []
    assert 0 < driver.ttl("boss:retry:o-1") <= calls.DAY_MS


def test_a_request_is_one_worker_s_until_its_time_has_passed(driver: MailboxDriver) -> None:
    """A worker that was killed in the midst of it leaves it to the next one."""
    driver.to_parked()
    requested(driver)
    assert sweep(driver) == (REQUEST,)
    driver.advance(LEASE - 1)
    assert sweep(driver) == ()
    driver.advance(1)
    assert sweep(driver) == (REQUEST,)


def test_a_worker_takes_no_more_than_it_has_room_for_the_oldest_first(driver: MailboxDriver) -> None:
    """The others are left to other workers."""
    driver.to_parked()
    for number in range(3):
        requested(driver, f"o-{number}")
        driver.advance(1)
    assert sweep(driver, 0) == ()
    assert [each.operation for each in sweep(driver, 2)] == ["o-0", "o-1"]
    assert [each.operation for each in sweep(driver, 2)] == ["o-2"]


def test_who_serves_a_request_keeps_it_and_gives_it_back(driver: MailboxDriver) -> None:
    """A look-up may last longer than a lease; one that is broken off at the process's end goes to the next worker at once."""
    driver.to_parked()
    requested(driver)
    sweep(driver)
    driver.advance(LEASE - 1)
    assert driver.run(retry_requests.hold_retry("o-1", LEASE))
    driver.advance(LEASE - 1)
    assert sweep(driver) == ()
    for _ in range(9):
        assert driver.run(retry_requests.hold_retry("o-1", 0))
        assert sweep(driver) == (REQUEST,)
    retry(driver)
    assert not driver.run(retry_requests.hold_retry("o-1", LEASE))
    assert sweep(driver) == ()


def test_a_request_is_served_once_also_by_a_worker_that_comes_late(driver: MailboxDriver) -> None:
    """It stood still in the midst; meanwhile another one served it, and the message was parked again, and retried again."""
    driver.to_parked()
    requested(driver)
    assert sweep(driver) == (REQUEST,)
    assert retry(driver) == "done"
    driver.taken("k2")
    driver.park("k2")
    requested(driver, "o-2")
    assert retry(driver, "o-2") == "done"
    driver.taken("k3")
    driver.park("k3")
    assert retry(driver) == "done"  # its own request's result; nothing is done for it
    assert driver.state("m-1") == "parked(test)"
    assert len(driver.lines("retried")) == 2


def test_a_request_that_could_not_be_served_says_why_and_is_over(driver: MailboxDriver) -> None:
    """The first result counts, in the ledger too; who is late with a retry changes nothing."""
    driver.to_parked()
    requested(driver)
    sweep(driver)
    words: tuple[Result, ...] = ("provider_away", "too_early")
    for word in words:
        driver.run(retry_requests.refuse_retry("o-1", word, "twilio_503"))
    assert result(driver) == RetryResult("provider_away", "twilio_503", taken=True)
    assert [(line["msg"], line["by"], line["reason"]) for line in driver.lines("retry_failed")] == [("m-1", "ada", "provider_away")]
    assert 0 < driver.ttl("boss:retry:o-1") <= calls.DAY_MS
    assert retry(driver) == "over"
    assert (driver.state("m-1"), sweep(driver)) == ("parked(test)", ())


def test_a_message_whose_reply_turns_out_to_have_arrived_is_answered(driver: MailboxDriver) -> None:
    """The look-up settles it; the request ends with that."""
    driver.to_sending()
    driver.park("k1", looked_up=True)
    requested(driver)
    sweep(driver)
    driver.outcome("k1", "a1", "accepted", "SM1")
    assert retry(driver) == "not_parked"
    assert result(driver).result == "answered"


def test_a_message_that_somebody_else_gave_up_ends_the_request(driver: MailboxDriver) -> None:
    """Discarded meanwhile, or erased."""
    driver.to_parked()
    requested(driver)
    requested(driver, "o-2")
    sweep(driver)
    driver.run(calls.discard("m-1", "o-9", retention_ms=RETENTION))
    assert (retry(driver), result(driver)) == ("not_parked", RetryResult("not_parked", "ignored", taken=True))
    driver.redis.delete("boss:msg:m-1")
    assert (retry(driver, "o-2"), result(driver, "o-2").result) == ("unknown", "unknown")
    assert sweep(driver) == ()


def test_a_request_whose_servers_all_die_is_given_up(driver: MailboxDriver) -> None:
    """It kills them, perhaps."""
    driver.to_parked()
    requested(driver)
    for _ in range(5):
        assert sweep(driver) == (REQUEST,)
        driver.advance(LEASE)
    assert sweep(driver) == ()
    assert (result(driver).result, result(driver).detail) == ("failed", "too_many_tries")
    assert driver.state("m-1") == "parked(test)"


def test_a_request_from_the_future_is_one_of_now(driver: MailboxDriver) -> None:
    """The server's clock has stepped back since it was made."""
    driver.to_parked()
    driver.advance(10 * LEASE)
    requested(driver)
    driver.advance(-5 * LEASE)
    assert sweep(driver) == (REQUEST,)
