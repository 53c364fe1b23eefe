"""When a load's conversation is out of order."""

from __future__ import annotations

import pytest

from tests.support.installation import Person
from tests.support.load import in_order
from tests.support.load_lanes import Lane, Way


def lane(way: Way) -> Lane:
    """Somebody's."""
    return Lane(Person("u0001", "+15552000001", "u0001@example.com"), way, 0)


@pytest.mark.parametrize("way", ["sms", "bridge sms"])
def test_a_place_that_falls_or_repeats_is_out_of_order(way: Way) -> None:
    """One answered before the one before it, or two answered by what one turn saw."""
    assert in_order(lane(way), [1, 2, 4])
    assert not in_order(lane(way), [1, 3, 2])
    assert not in_order(lane(way), [1, 2, 2])


def test_beyond_what_the_model_is_shown_turns_cannot_rise() -> None:
    """A long conversation over the bridge stays at its most, and must not fall from there."""
    assert in_order(lane("bridge sms"), [19, 20, 21, 21, 21])
    assert not in_order(lane("bridge sms"), [20, 21, 20])
    assert not in_order(lane("sms"), [20, 21, 21])
