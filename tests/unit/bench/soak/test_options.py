"""The options of a soak."""

from __future__ import annotations

import pytest

from bench.soak.options import SoakOptions, SoakOptionsError


def test_unset_it_is_an_hour_at_five_messages_a_second_with_dice_of_its_own() -> None:
    """And an hour is judged, at the product's own times."""
    options = SoakOptions.from_environ({"SOAK_MINUTES": ""})
    assert (options.minutes, options.rate, options.people) == (60, 5, 300)
    assert options.judges_memory
    assert options.times == {}


def test_the_same_seed_is_the_same_soak() -> None:
    """What a report printed can be given back."""
    assert SoakOptions.from_environ({"SOAK_SEED": "0"}).seed == 0
    assert SoakOptions.from_environ({"SOAK_SEED": "4711"}).seed == 4711


def test_a_short_one_has_short_times_and_is_not_judged_by_its_memory() -> None:
    """Half a minute is enough to try it."""
    options = SoakOptions.from_environ({"SOAK_MINUTES": "0.5"})
    assert options.times["LEASE_SECONDS"] == "3"
    assert not options.judges_memory


@pytest.mark.parametrize("wrong", [{"SOAK_MINUTES": "soon"}, {"SOAK_MINUTES": "0"}, {"SOAK_RATE": "1000"}, {"SOAK_PEOPLE": "2000"}])
def test_what_makes_no_soak_is_refused_by_name(wrong: dict[str, str]) -> None:
    """Before anything is started."""
    with pytest.raises(SoakOptionsError, match="SOAK_"):
        SoakOptions.from_environ(wrong)
