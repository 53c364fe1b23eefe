"""Who is struck, when: by dice, one strike at a time, and nobody who is spared."""

from __future__ import annotations

import random
from typing import Any, cast

from bench.soak.faults import KINDS, SPARED, Mayhem, choose
from bench.soak.processes import Cast

HOUR = 3600.0


class Stage:
    """A cast that only remembers what was done to it."""

    def __init__(self) -> None:
        self.done: list[tuple[str, str]] = []
        self.status = 0
        self.dead: dict[str, int] = {}

    def kill(self, name: str) -> None:
        """What `Cast` does, remembered."""
        self.done.append(("kill", name))

    def end(self, name: str) -> int:
        """The same."""
        self.done.append(("end", name))
        return self.status

    def freeze(self) -> None:
        """The same."""
        self.done.append(("kill", "frozen"))

    def thaw(self) -> None:
        """The same."""
        self.done.append(("start", "frozen"))

    def start(self, name: str) -> None:
        """The same; who had fallen is up again."""
        self.done.append(("start", name))
        self.dead.pop(name, None)

    def fallen(self) -> dict[str, int]:
        """Whoever the test says."""
        return dict(self.dead)


def played(stage: Stage, seed: int = 1, seconds: float = HOUR) -> Mayhem:
    """A whole soak in steps of a second."""
    mayhem = Mayhem(cast("Cast", cast("Any", stage)), random.Random(seed), seconds)  # noqa: S311 - dice, no secret
    for now in range(int(seconds)):
        mayhem.step(float(now))
    mayhem.settle()
    return mayhem


def test_an_hour_strikes_in_every_way_and_gives_everything_back() -> None:
    """Every kind is among a hundred strikes or so, and whoever was struck was started again."""
    stage = Stage()
    mayhem = played(stage)
    assert sum(mayhem.counts.values()) > 70
    assert len(mayhem.counts) == len(KINDS)
    away: set[str] = set()
    for act, name in stage.done:
        assert (name in away) == (act == "start")
        away ^= {name}
    assert not away


def test_the_same_dice_strike_the_same() -> None:
    """A seed that found something finds the same strikes again."""
    first, again, other = Stage(), Stage(), Stage()
    played(first, 1)
    played(again, 1)
    played(other, 2)
    assert first.done == again.done != other.done


def test_nobody_spared_is_struck() -> None:
    """All the same, all kinds that can do without them come up."""
    strikes = [choose(random.Random(seed), SPARED) for seed in range(300)]  # noqa: S311 - dice, no secret
    assert not {name for strike in strikes for name in strike.victims} & SPARED
    assert len({strike.name for strike in strikes}) == len(KINDS) - 1


def test_a_short_soak_is_struck_all_the_same() -> None:
    """Half a minute has shorter pauses."""
    assert sum(played(Stage(), seconds=30).counts.values()) >= 3


def test_whoever_ends_by_itself_or_badly_is_told_and_started_again() -> None:
    """A crash that nobody ordered is the soak's failure."""
    stage = Stage()
    stage.dead["bridge"] = 1
    stage.status = 9
    mayhem = played(stage)
    assert mayhem.failures[0] == "bridge ended by itself with status 1"
    assert stage.done[0] == ("start", "bridge")
    assert any(failure.endswith("ended with status 9 on SIGTERM") for failure in mayhem.failures)
