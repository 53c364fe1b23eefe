"""The console's password: guessing is slow, a right one comes in all the same, and what is remembered has a bound."""

from __future__ import annotations

import hmac
import threading
from collections.abc import Callable

import pytest

from shared.security.password import (
    DELAY_SECONDS,
    FREE_GUESSES,
    FREE_GUESSES_OF_ALL,
    GUESSES_PER_SECOND_OF_ALL,
    MAX_DELAYED,
    MAX_DELAYED_PER_SOURCE,
    MAX_SOURCES,
    DelaySlots,
    PasswordVerifier,
    ThrottledSecret,
    Verdict,
    source_of,
)
from tests.support.wait import wait_for

RIGHT = "twelve chars or more"


class Clock:
    """A clock that goes on when somebody sleeps, and what it saw."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        """Now."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Let the time pass."""
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def verifier(clock: Clock) -> PasswordVerifier:
    return PasswordVerifier(RIGHT, None, clock, clock.sleep)


def test_who_knows_the_password_comes_in(verifier: PasswordVerifier, clock: Clock) -> None:
    """At once, however often; a right one costs nothing."""
    assert [verifier.verify(RIGHT, "192.0.2.1") for _ in range(1000)] == [Verdict.RIGHT] * 1000
    assert clock.slept == []


@pytest.mark.parametrize("given", ["", RIGHT[:-1], RIGHT + " ", RIGHT.upper(), "\ud800", None])
def test_anything_else_is_wrong(verifier: PasswordVerifier, given: str | None) -> None:
    """Also nothing at all, and what is no text."""
    assert verifier.verify(given, "192.0.2.1") is Verdict.WRONG


@pytest.mark.parametrize("given", ["", None, "x"])
def test_no_password_is_known_by_nobody(given: str | None) -> None:
    """An unset one is not the empty one."""
    nobody = PasswordVerifier("")
    assert (nobody.is_set, nobody.verify(given, "192.0.2.1")) == (False, Verdict.WRONG)


def test_the_password_is_compared_in_constant_time_as_bytes(monkeypatch: pytest.MonkeyPatch, verifier: PasswordVerifier) -> None:
    """Whatever was given, the whole comparison is the library's."""
    compared: list[tuple[bytes, bytes]] = []

    def unequal(one: bytes, other: bytes) -> bool:
        compared.append((one, other))
        return False

    monkeypatch.setattr(hmac, "compare_digest", unequal)
    assert verifier.verify("é", "192.0.2.1") is Verdict.WRONG
    assert compared == [("é".encode(), RIGHT.encode())]


def test_after_ten_wrong_ones_every_attempt_of_that_address_takes_a_second(verifier: PasswordVerifier, clock: Clock) -> None:
    """The right one too, so that the time tells nothing; it gets in."""
    assert {verifier.verify("guess", "192.0.2.1") for _ in range(FREE_GUESSES)} == {Verdict.WRONG}
    assert clock.slept == []
    assert verifier.verify("guess", "192.0.2.1") is Verdict.WRONG
    assert verifier.verify(RIGHT, "192.0.2.1") is Verdict.RIGHT
    assert clock.slept == [DELAY_SECONDS] * len(clock.slept) != []
    clock.now += FREE_GUESSES
    clock.slept.clear()
    assert verifier.verify(RIGHT, "192.0.2.1") is Verdict.RIGHT
    assert clock.slept == []


def test_somebody_elses_guesses_cost_nobody_a_moment(verifier: PasswordVerifier, clock: Clock) -> None:
    """One address may be wrong as often as it likes."""
    for _ in range(FREE_GUESSES):
        verifier.verify("guess", "192.0.2.1")
    assert verifier.verify(RIGHT, "192.0.2.2") is Verdict.RIGHT
    assert clock.slept == []


def test_guesses_from_everywhere_are_slow_together_and_lock_nobody_out(verifier: PasswordVerifier, clock: Clock) -> None:
    """Each address guesses once: after fifty all wait, and a right one waits a second."""
    assert {verifier.verify("guess", f"192.0.2.{number}") for number in range(FREE_GUESSES_OF_ALL)} == {Verdict.WRONG}
    assert clock.slept == []
    assert verifier.verify(RIGHT, "198.51.100.1") is Verdict.RIGHT
    assert clock.slept == [DELAY_SECONDS]


def test_of_those_who_are_held_there_are_only_a_few(clock: Clock) -> None:
    """A flood takes no threads: four of one address, eight in all; the others are told to come again, and none is judged."""
    asleep, wake = list[str](), threading.Event()

    def sleep(_seconds: float) -> None:
        asleep.append("held")
        assert wake.wait(10)

    verifier = PasswordVerifier(RIGHT, None, clock, sleep)
    for number in range(FREE_GUESSES_OF_ALL):
        verifier.verify("guess", f"192.0.2.{number % 5}")
    verdicts: list[Verdict] = []
    threads: list[threading.Thread] = []

    def hold(address: str, count: int) -> None:
        before = len(asleep)
        for _ in range(count):
            thread = threading.Thread(target=lambda: verdicts.append(verifier.verify(RIGHT, address)))
            thread.start()
            threads.append(thread)
        wait_for(lambda: len(asleep) == before + count, 10, "those who are held")

    hold("192.0.2.1", MAX_DELAYED_PER_SOURCE)
    assert verifier.verify(RIGHT, "192.0.2.1") is Verdict.BUSY
    hold("192.0.2.2", MAX_DELAYED - MAX_DELAYED_PER_SOURCE)
    assert verifier.verify(RIGHT, "192.0.2.3") is Verdict.BUSY
    wake.set()
    for thread in threads:
        thread.join(10)
    assert verdicts == [Verdict.RIGHT] * MAX_DELAYED
    assert verifier.verify(RIGHT, "192.0.2.1") is Verdict.RIGHT
    assert not verifier._slots._used


def test_what_is_remembered_of_guessers_has_a_bound(verifier: PasswordVerifier, clock: Clock) -> None:
    """A hundred thousand addresses leave a thousand; whose is forgotten is no way round the limit of all."""
    tell: Callable[[int], str] = "2001:db8:{:x}::1".format
    for number in range(3 * MAX_SOURCES):
        verifier.verify("guess", tell(number))
    assert len(verifier._secret._wrong) == MAX_SOURCES
    assert (GUESSES_PER_SECOND_OF_ALL + 1) * clock.now >= 3 * MAX_SOURCES - FREE_GUESSES_OF_ALL
    for number in range(3 * MAX_SOURCES):
        assert verifier.verify(RIGHT, tell(number)) is Verdict.RIGHT
    assert len(verifier._secret._right) == MAX_SOURCES


def test_who_was_right_lately_waits_for_nobody(verifier: PasswordVerifier, clock: Clock) -> None:
    """A flood from everywhere, also from the very same direction, holds up no genuine caller who was there before."""
    assert verifier.verify(RIGHT, "192.0.2.1") is Verdict.RIGHT
    for number in range(3 * FREE_GUESSES_OF_ALL):
        verifier.verify("guess", f"198.51.100.{number % 200}")
        verifier.verify("guess", "192.0.2.1")
    clock.slept.clear()
    assert verifier.verify(RIGHT, "192.0.2.1") is Verdict.RIGHT
    assert clock.slept == []
    assert verifier.verify("guess", "192.0.2.1") is Verdict.WRONG
    assert clock.slept == [DELAY_SECONDS]


def test_a_full_house_judges_nobody_but_who_was_right_lately(clock: Clock) -> None:
    """With no place left a stranger is told to come again, with the right secret too; the other comes in at once."""
    verifier = PasswordVerifier(RIGHT, DelaySlots(0, 0), clock, clock.sleep)
    assert verifier.verify(RIGHT, "192.0.2.1") is Verdict.RIGHT
    for number in range(FREE_GUESSES_OF_ALL):
        verifier.verify("guess", f"198.51.100.{number}")
    assert [verifier.verify(given, "203.0.113.1") for given in ("guess", RIGHT)] == [Verdict.BUSY, Verdict.BUSY]
    assert verifier.verify(RIGHT, "192.0.2.1") is Verdict.RIGHT


def test_the_doors_of_a_process_share_its_places(clock: Clock) -> None:
    """However many verifiers are guessed at, only so many threads are held."""
    slots = DelaySlots(1, 1)
    verifiers = [PasswordVerifier(RIGHT, slots, clock, clock.sleep), PasswordVerifier("another one of our own", slots, clock, clock.sleep)]
    for each in verifiers:
        for _ in range(FREE_GUESSES):
            each.verify("guess", "192.0.2.1")
    with slots.slot("198.51.100.1") as found:
        assert found
        assert [each.verify("guess", "192.0.2.1") for each in verifiers] == [Verdict.BUSY, Verdict.BUSY]
    assert [each.verify("guess", "192.0.2.1") for each in verifiers] == [Verdict.WRONG, Verdict.WRONG]


def test_one_second_of_guessing_at_full_speed_judges_a_few(clock: Clock) -> None:
    """470 a second for a minute, from one direction: what is judged are the free ones, one that is forgiven a second, and the held."""
    judged = 0
    verifier = PasswordVerifier(RIGHT, DelaySlots(0, 0), clock, clock.sleep)
    for _ in range(60 * 470):
        clock.now += 1 / 470
        judged += verifier.verify("guess", "192.0.2.1") is not Verdict.BUSY
    assert FREE_GUESSES <= judged <= FREE_GUESSES + 61


@pytest.mark.parametrize(
    ("address", "direction"),
    [
        ("192.0.2.7", "192.0.2.7"), ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"), ("2001:db8:1:2:ffff::1", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"), ("fe80::1%eth0", "fe80::/64"), ("", ""), ("unix:", "unix:"),
    ],
)  # fmt: skip
def test_a_direction_is_what_one_caller_has(address: str, direction: str) -> None:
    """Of IPv6 a whole network."""
    assert source_of(address) == direction


def test_a_door_without_threads_asks_how_long_to_wait() -> None:
    """The bridge waits by itself: nothing while wrong ones are free, a second then, and one is forgiven a second."""
    secret = ThrottledSecret(RIGHT, 0.0)
    assert all(secret.delay("here", 0.0) == 0 and not secret.verify("guess", "here", 0.0) for _ in range(FREE_GUESSES))
    assert secret.delay("here", 0.0) == DELAY_SECONDS
    assert secret.delay("there", 0.0) == 0
    assert secret.verify(RIGHT, "here", 0.0)
    assert [secret.delay("here", 0.5), secret.delay("here", 1.1)] == [DELAY_SECONDS, 0.0]
    assert not secret.verify("guess", "here", 1.1)
    assert secret.delay("here", 1.2) == DELAY_SECONDS
