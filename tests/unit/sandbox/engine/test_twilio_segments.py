"""The segments of a text, as Twilio bills them."""

from __future__ import annotations

import pytest

from sandbox.engine.twilio_segments import count_segments


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 1),
        ("a" * 160, 1),
        ("a" * 161, 2),
        ("€" * 80, 1),
        ("€" * 81, 2),
        ("ж" * 70, 1),
        ("ж" * 71, 2),
        ("🎉" * 36, 2),
        ("a" * 307, 3),
    ],
)
def test_segments(text: str, count: int) -> None:
    """GSM-7 and UCS-2, escape and surrogate pairs."""
    assert count_segments(text) == count
