"""What was heard, as it stays with its message: read back as it was written, and heard once more where it cannot be read."""

from __future__ import annotations

from typing import get_args

from hypothesis import given
from hypothesis import strategies as st

from shared.mailbox.records import message_from
from shared.model.heard import Heard, HearingFault

WORDS = st.text(max_size=200)


@given(WORDS, st.sampled_from(["", *get_args(HearingFault)]))
def test_what_was_heard_is_read_back(text: str, fault: HearingFault) -> None:
    """Words, or why there are none."""
    heard = Heard(text, fault)
    assert Heard.parse(str(heard)) == heard
    assert message_from({"id": "m", "state": "pending", "heard:ME1": str(heard)}).heard == {"ME1": heard}


def test_a_field_that_cannot_be_read_was_not_heard() -> None:
    """A later version's, or a broken one."""
    records = ("", "x", "[]", "7", '{"text":3,"fault":""}', '{"text":"a"}', '{"text":"a","fault":"later"}', '{"text":"a","fault":[]}')
    assert [Heard.parse(record) for record in records] == [None] * len(records)
    assert message_from({"id": "m", "state": "pending", "heard:ME1": "x"}).heard == {}
