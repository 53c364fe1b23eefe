"""What was read in files, as it stays with their message: bounded, marked by file, and read back as it was written."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from shared.model.extracts import MAX_BYTES, NOTHING_READ, Extracts, shared_out
from shared.model.marks import MAX_SOURCE

NAMES = st.text(min_size=1, max_size=60).map(lambda name: name.strip() or "a")
TEXTS = st.text(max_size=200) | st.integers(0, 40_000).map(lambda size: "\u0416" * size)


@given(st.lists(st.tuples(NAMES, TEXTS), max_size=20))
def test_extracts_are_bounded_marked_and_read_back(files: list[tuple[str, str]]) -> None:
    """Each text, or its beginning, is behind the name of its own file."""
    found = Extracts.of(files)
    assert len(found.text.encode()) <= MAX_BYTES
    assert Extracts.parse(str(found)) == found
    told = [(name, text) for name, text in files if text]
    parts = list(found)
    assert [name for name, _ in parts] == [name[:MAX_SOURCE] for name, _ in told][: len(parts)]
    assert all(text.startswith(part) and part for (_, text), (_, part) in zip(told, parts, strict=False))
    assert [(mark.kind, mark.end) for mark in found.marks[:-1]] == [("attached", mark.start) for mark in found.marks[1:]]
    if sum(len(text.encode()) for _, text in files) <= MAX_BYTES:
        assert parts == told


def test_no_text_is_cut_for_a_longer_one() -> None:
    """And all room is used."""
    assert shared_out(["x" * 100, "short", "y" * 100, ""], 105) == ["x" * 50, "short", "y" * 50, ""]
    assert shared_out(["\u0416" * 10], 5) == ["\u0416" * 2]


def test_a_field_that_cannot_be_read_is_nothing() -> None:
    """A later version's, or a broken one."""
    for record in (
        "",
        "x",
        "[]",
        '{"text":3}',
        '{"text":"a","marks":["quoted 0 1"]}',
        '{"text":"a","marks":["?"]}',
        '{"text":"a","marks":7}',
    ):
        assert Extracts.parse(record) == NOTHING_READ
