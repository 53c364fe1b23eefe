"""What stands before a subject."""

from __future__ import annotations

import pytest

from shared.model.subjects import is_passed_on


@pytest.mark.parametrize(
    "subject", ["Fwd: x", "FW: x", "Re: Fwd: x", "AW: WG: x", "Re[2]: fwd : x", "[Fwd: x]", "\u8f6c\u53d1\uff1ax", "Re: Re: Re: Fwd: x"]
)
def test_a_subject_that_was_passed_on_is_known(subject: str) -> None:
    """Also where it was answered since."""
    assert is_passed_on(subject)


@pytest.mark.parametrize("subject", ["", "Plans", "Re: Plans", "Re: forward: x y", "Look at Fwd: x", "Re:" * 30 + "Fwd: x", "9: Fwd"])
def test_any_other_subject_is_its_authors(subject: str) -> None:
    """A word of the subject's own is no prefix."""
    assert not is_passed_on(subject)
