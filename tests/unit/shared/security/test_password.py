"""The console's password: guessing is slow, a right one comes in all the same, and what is remembered has a bound."""

from __future__ import annotations

import hmac
import threading
from collections.abc import Callable

import pytest

from shared.security.password import (
    DIRECTIONS,
    FORGIVEN_IN_ALL,
    FREE,
    FREE_IN_ALL,
    HOLD_SECONDS,
    MOST_HELD,
    MOST_HELD_OF_ONE,
    Guesses,
    Login,
    Places,
    Verdict,
    direction_of,
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
def login(clock: Clock) -> Login:
    return Login(RIGHT, None, clock, clock.sleep)


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

    login = Login(RIGHT, None, clock, sleep)
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
    assert not login._places._held


def test_what_is_remembered_of_guessers_has_a_bound(login: Login, clock: Clock) -> None:
    """A hundred thousand addresses leave a thousand; whose is forgotten is no way round the limit of all."""
    tell: Callable[[int], str] = "2001:db8:{:x}::1".format
    for number in range(3 * DIRECTIONS):
        login.judge("guess", tell(number))
    assert len(login._guesses._each) == DIRECTIONS
    assert (FORGIVEN_IN_ALL + 1) * clock.now >= 3 * DIRECTIONS - FREE_IN_ALL
    for number in range(3 * DIRECTIONS):
        assert login.judge(RIGHT, tell(number)) is Verdict.RIGHT
    assert len(login._guesses._known) == DIRECTIONS


def test_who_was_right_lately_waits_for_nobody(login: Login, clock: Clock) -> None:
    """A flood from everywhere, also from the very same direction, holds up no genuine caller who was there before."""
    assert login.judge(RIGHT, "192.0.2.1") is Verdict.RIGHT
    for number in range(3 * FREE_IN_ALL):
        login.judge("guess", f"198.51.100.{number % 200}")
        login.judge("guess", "192.0.2.1")
    clock.slept.clear()
    assert login.judge(RIGHT, "192.0.2.1") is Verdict.RIGHT
    assert clock.slept == []
    assert login.judge("guess", "192.0.2.1") is Verdict.WRONG
    assert clock.slept == [HOLD_SECONDS]


def test_a_full_house_judges_nobody_but_who_was_right_lately(clock: Clock) -> None:
    """With no place left a stranger is told to come again, with the right secret too; the other comes in at once."""
    login = Login(RIGHT, Places(0, 0), clock, clock.sleep)
    assert login.judge(RIGHT, "192.0.2.1") is Verdict.RIGHT
    for number in range(FREE_IN_ALL):
        login.judge("guess", f"198.51.100.{number}")
    assert [login.judge(given, "203.0.113.1") for given in ("guess", RIGHT)] == [Verdict.BUSY, Verdict.BUSY]
    assert login.judge(RIGHT, "192.0.2.1") is Verdict.RIGHT


def test_the_doors_of_a_process_share_its_places(clock: Clock) -> None:
    """However many doors are guessed at, only so many threads are held."""
    places = Places(1, 1)
    doors = [Login(RIGHT, places, clock, clock.sleep), Login("another one of our own", places, clock, clock.sleep)]
    for door in doors:
        for _ in range(FREE):
            door.judge("guess", "192.0.2.1")
    with places.one("198.51.100.1") as found:
        assert found
        assert [door.judge("guess", "192.0.2.1") for door in doors] == [Verdict.BUSY, Verdict.BUSY]
    assert [door.judge("guess", "192.0.2.1") for door in doors] == [Verdict.WRONG, Verdict.WRONG]


def test_one_second_of_guessing_at_full_speed_judges_a_few(clock: Clock) -> None:
    """470 a second for a minute, from one direction: what is judged are the free ones, one that is forgiven a second, and the held."""
    judged = 0
    login = Login(RIGHT, Places(0, 0), clock, clock.sleep)
    for _ in range(60 * 470):
        clock.now += 1 / 470
        judged += login.judge("guess", "192.0.2.1") is not Verdict.BUSY
    assert FREE <= judged <= FREE + 61


@pytest.mark.parametrize(
    ("address", "direction"),
    [
        ("192.0.2.7", "192.0.2.7"), ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"), ("2001:db8:1:2:ffff::1", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"), ("fe80::1%eth0", "fe80::/64"), ("", ""), ("unix:", "unix:"),
    ],
)  # fmt: skip
def test_a_direction_is_what_one_caller_has(address: str, direction: str) -> None:
    """Of IPv6 a whole network."""
    assert direction_of(address) == direction


def test_a_door_without_threads_asks_how_long_to_wait() -> None:
    """The bridge waits by itself: nothing while wrong ones are free, a second then, and one is forgiven a second."""
    guesses = Guesses(RIGHT, 0.0)
    assert all(guesses.hold("here", 0.0) == 0 and not guesses.right("guess", "here", 0.0) for _ in range(FREE))
    assert guesses.hold("here", 0.0) == HOLD_SECONDS
    assert guesses.hold("there", 0.0) == 0
    assert guesses.right(RIGHT, "here", 0.0)
    assert [guesses.hold("here", 0.5), guesses.hold("here", 1.1)] == [HOLD_SECONDS, 0.0]
    assert not guesses.right("guess", "here", 1.1)
    assert guesses.hold("here", 1.2) == HOLD_SECONDS
