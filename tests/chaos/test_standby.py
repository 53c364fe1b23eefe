"""The standby's change-overs while texts keep coming: all workers killed, it answers; workers back, it leaves. Nothing lost or doubled.

One each way by default, with a second of silence instead of fifteen; thirty with BOSSLINE_CHAOS=full.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from types import TracebackType
from typing import Final, Self

import pytest

from shared.mailbox import ledger
from tests.chaos.change_overs import Record, killed_and_answered, report, watches
from tests.chaos.table import FULL
from tests.support.installation import Installation, reply_id

CHANGES: Final = 30 if FULL else 1
SOON: Final = {"STANDBY_AFTER_SECONDS": "1"}
WRITERS: Final = 4
PACE: Final = 0.4
"""Seconds between two texts of one person: ten texts a second from all."""
OK: Final = 200


class Flow:
    """People who go on writing, whatever happens, each in one conversation; a word is the number of the text."""

    def __init__(self, installation: Installation) -> None:
        self.people = [installation.person() for _ in range(WRITERS)]
        self.texts = 0
        self._installation = installation
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._write, daemon=True)
        self._refused: list[int | None] = []

    def __enter__(self) -> Self:
        """Begin."""
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Nobody writes any more."""
        self._stop.set()
        self._thread.join(30)

    def _write(self) -> None:
        while not self._stop.is_set():
            self._refused += [status for status in self._installation.texts(self.people, self.texts) if status != OK]
            self.texts += 1
            self._stop.wait(PACE)

    def assert_answered(self) -> None:
        """Every text of everybody was answered once, in order, by the replies that the provider took, in their order."""
        assert not self._refused
        assert not self._thread.is_alive()
        for person in self.people:
            self._installation.assert_one_copy(person)
            lines = self._installation.lines(self._installation.conversation(person), "sms_received", "answered")
            answered = [line for line in lines if line.type == "answered"]
            arrived = [line.fields["msg"] for line in lines if line.type == "sms_received"]
            assert len(arrived) == self.texts
            assert [line.fields["msg"] for line in answered] == arrived
            turns = list(dict.fromkeys(line.fields["turn"] for line in answered))
            assert [reply_id(entry) for entry in self._installation.replies(person)] == [turn.replace("t-", "r-", 1) for turn in turns]


@pytest.fixture
def busy() -> Iterator[Installation]:
    """A house of its own, whose people may write as often as they like."""
    with Installation() as running:
        yield running


@pytest.mark.timeout(1500 if FULL else 120)
def test_change_overs_in_both_directions_lose_nothing_and_answer_nothing_twice(busy: Installation, record_property: Record) -> None:
    """Two workers die by kill -9 in the middle of turns, the standby takes over; two others come, and it leaves with its turns ended."""
    busy.sandbox.faults(anthropic={"latency_seconds": [0.05, 0.4]}, twilio={"latency_seconds": [0.1, 0.4], "status_callbacks": False})
    standby, asker, took = busy.standby(**SOON), busy.person(), list[float]()
    with Flow(busy) as flow:
        for change in range(CHANGES):
            workers = busy.fork(2, **SOON)
            watches(busy)
            busy.text(asker, f"before {change}")
            busy.wait_for_replies(asker, 2 * change + 1, 30)
            took.append(killed_and_answered(busy, workers, asker, change))
        busy.fork(2, **SOON)
        watches(busy)
    busy.quiet(60)
    flow.assert_answered()
    assert busy.assert_one_copy(asker) == [f"{word} {change}" for change in range(CHANGES) for word in ("before", "after")]
    assert len(_told(busy, "standby_started")) >= CHANGES
    assert _told(busy, "standby_started") == _told(busy, "standby_ended")
    assert standby.terminate(5) == 0
    report(record_property, took, flow.texts * WRITERS)


def _told(installation: Installation, kind: str) -> list[str]:
    return [line.fields["worker"] for line in ledger.latest(installation.redis, 100_000) if line.type == kind]
