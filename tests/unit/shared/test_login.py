"""The console's password: guessing is slow, a right one comes in all the same, and what is remembered has a bound."""

from __future__ import annotations

import hmac
import threading
from collections.abc import Callable

import pytest

from shared.login import ADDRESSES, FORGIVEN_IN_ALL, FREE, FREE_IN_ALL, HOLD_SECONDS, MOST_HELD, MOST_HELD_OF_ONE, Login, Verdict
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
def login(clock: Clock) -> Login:
    return Login(RIGHT, clock, clock.sleep)


def test_who_knows_the_password_comes_in(login: Login, clock: Clock) -> None:
    """At once, however often; a right one costs nothing."""
    assert [login.judge(RIGHT, "192.0.2.1") for _ in range(1000)] == [Verdict.RIGHT] * 1000
    assert clock.slept == []


@pytest.mark.parametrize("given", ["", RIGHT[:-1], RIGHT + " ", RIGHT.upper(), "\ud800", None])
def test_anything_else_is_wrong(login: Login, given: str | None) -> None:
    """Also nothing at all, and what is no text."""
    assert login.judge(given, "192.0.2.1") is Verdict.WRONG


@pytest.mark.parametrize("given", ["", None, "x"])
def test_no_password_is_known_by_nobody(given: str | None) -> None:
    """An unset one is not the empty one."""
    nobody = Login("")
    assert (nobody.wanted, nobody.judge(given, "192.0.2.1")) == (False, Verdict.WRONG)


def test_the_password_is_compared_in_constant_time_as_bytes(monkeypatch: pytest.MonkeyPatch, login: Login) -> None:
    """Whatever was given, the whole comparison is the library's."""
    compared: list[tuple[bytes, bytes]] = []

    def unequal(one: bytes, other: bytes) -> bool:
        compared.append((one, other))
        return False

    monkeypatch.setattr(hmac, "compare_digest", unequal)
    assert login.judge("é", "192.0.2.1") is Verdict.WRONG
    assert compared == [("é".encode(), RIGHT.encode())]


def test_after_ten_wrong_ones_every_attempt_of_that_address_takes_a_second(login: Login, clock: Clock) -> None:
    """The right one too, so that the time tells nothing; it gets in."""
    assert {login.judge("guess", "192.0.2.1") for _ in range(FREE)} == {Verdict.WRONG}
    assert clock.slept == []
    assert login.judge("guess", "192.0.2.1") is Verdict.WRONG
    assert login.judge(RIGHT, "192.0.2.1") is Verdict.RIGHT
    assert clock.slept == [HOLD_SECONDS] * len(clock.slept) != []
    clock.now += FREE
    clock.slept.clear()
    assert login.judge(RIGHT, "192.0.2.1") is Verdict.RIGHT
    assert clock.slept == []


def test_somebody_elses_guesses_cost_nobody_a_moment(login: Login, clock: Clock) -> None:
    """One address may be wrong as often as it likes."""
    for _ in range(FREE):
        login.judge("guess", "192.0.2.1")
    assert login.judge(RIGHT, "192.0.2.2") is Verdict.RIGHT
    assert clock.slept == []


def test_guesses_from_everywhere_are_slow_together_and_lock_nobody_out(login: Login, clock: Clock) -> None:
    """Each address guesses once: after fifty all wait, and a right one waits a second."""
    assert {login.judge("guess", f"192.0.2.{number}") for number in range(FREE_IN_ALL)} == {Verdict.WRONG}
    assert clock.slept == []
    assert login.judge(RIGHT, "198.51.100.1") is Verdict.RIGHT
    assert clock.slept == [HOLD_SECONDS]


def test_of_those_who_are_held_there_are_only_a_few(clock: Clock) -> None:
    """A flood takes no threads: four of one address, eight in all; the others are told to come again, and none is judged."""
    asleep, wake = list[str](), threading.Event()

    def sleep(_seconds: float) -> None:
        asleep.append("held")
        assert wake.wait(10)

    login = Login(RIGHT, clock, sleep)
    for number in range(FREE_IN_ALL):
        login.judge("guess", f"192.0.2.{number % 5}")
    verdicts: list[Verdict] = []
    threads: list[threading.Thread] = []

    def hold(address: str, count: int) -> None:
        before = len(asleep)
        for _ in range(count):
            thread = threading.Thread(target=lambda: verdicts.append(login.judge(RIGHT, address)))
            thread.start()
            threads.append(thread)
        wait_for(lambda: len(asleep) == before + count, 10, "those who are held")

    hold("192.0.2.1", MOST_HELD_OF_ONE)
    assert login.judge(RIGHT, "192.0.2.1") is Verdict.BUSY
    hold("192.0.2.2", MOST_HELD - MOST_HELD_OF_ONE)
    assert login.judge(RIGHT, "192.0.2.3") is Verdict.BUSY
    wake.set()
    for thread in threads:
        thread.join(10)
    assert verdicts == [Verdict.RIGHT] * MOST_HELD
    assert login.judge(RIGHT, "192.0.2.1") is Verdict.RIGHT
    assert not login._held


def test_what_is_remembered_of_guessers_has_a_bound(login: Login, clock: Clock) -> None:
    """A hundred thousand addresses leave a thousand; whose is forgotten is no way round the limit of all."""
    tell: Callable[[int], str] = "2001:db8::{:x}".format
    for number in range(3 * ADDRESSES):
        login.judge("guess", tell(number))
    assert len(login._each) == ADDRESSES
    assert (FORGIVEN_IN_ALL + 1) * clock.now >= 3 * ADDRESSES - FREE_IN_ALL
    assert ADDRESSES < 10_000
