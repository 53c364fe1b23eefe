"""The begin and the end of an outage are told once each."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from shared.observability.outage import Outage


def test_the_first_failure_and_the_first_success_are_told() -> None:
    """However many follow."""
    outage = Outage()
    assert not outage.ends()
    assert [outage.begins() for _ in range(3)] == [True, False, False]
    assert outage
    assert outage.failures == 3
    assert [outage.ends() for _ in range(2)] == [True, False]
    assert not outage
    assert outage.begins()
    assert outage.failures == 1


def test_one_that_is_under_way_from_the_start_begins_silently() -> None:
    """Processes start together with the server that they need."""
    outage = Outage(under_way=True)
    assert not outage.begins()
    assert outage.ends()


def test_of_many_threads_one_is_told() -> None:
    """At the begin and at the end."""
    with ThreadPoolExecutor(16) as threads:
        for _ in range(50):
            outage = Outage()
            assert sum(threads.map(lambda _: outage.begins(), range(16))) == 1  # noqa: B023 - used up within the round
            assert sum(threads.map(lambda _: outage.ends(), range(16))) == 1  # noqa: B023
