"""`.env` is edited by line: what is not ours stays, byte by byte, and what is ours is read back as it was set."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from boss.setup.env_file import HEADING, edited, line, value_of
from shared.operator_files import read_env

EXAMPLE = """\
# --- Place ---

# local or production.
#ENVIRONMENT=local

PORT=8787   # as ever
export PUBLIC_URL="https://old.example.com"
NOTE='two
lines'
PUBLIC_URL=https://newer.example.com
"""


@pytest.mark.parametrize(
    ("text", "changes", "expected"),
    [
        ("", {"A_B": "1"}, f"{HEADING}\nA_B=1\n"),
        ("X=1", {"A_B": "1"}, f"X=1\n\n{HEADING}\nA_B=1\n"),
        (f"X=1\n\n{HEADING}\nA_B=1\n", {"C_D": "2"}, f"X=1\n\n{HEADING}\nA_B=1\nC_D=2\n"),
        ("X=1\n\nA_B=old # why\nY=2\n", {"A_B": "new"}, "X=1\n\nA_B=new\nY=2\n"),
        ("# why\n#A_B=example\nY=2\n", {"A_B": "new"}, "# why\n#A_B=example\nA_B=new\nY=2\n"),
        ("#A_B=", {"A_B": "new"}, "#A_B=\nA_B=new\n"),
        ("A_B=1\r\nY=2\r\n", {"Y": "3"}, "A_B=1\r\nY=3\n"),
        ("A_B=1\nY=2\nA_B=3\n", {"A_B": None}, "Y=2\n"),
        (f"X=1\n\n{HEADING}\nA_B=1\n", {"A_B": None}, "X=1\n"),
        (f"{HEADING}\nA_B=1\n", {"A_B": None}, ""),
        ("A_B=1\n", {"C_D": None}, "A_B=1\n"),
    ],
)
def test_lines_that_are_set_and_taken_out(text: str, changes: dict[str, str | None], expected: str) -> None:
    """A line in its place, a new one behind its example, or at the end."""
    assert edited(text, changes) == expected


def test_the_last_of_several_lines_counts_and_is_the_one_that_is_changed() -> None:
    """As it does for whoever reads the file; a value of two lines and all comments stay."""
    found = edited(EXAMPLE, {"PUBLIC_URL": "https://boss.example.com", "ENVIRONMENT": "production"})
    assert value_of(found, "PUBLIC_URL") == "https://boss.example.com"
    assert found.replace("#ENVIRONMENT=local\nENVIRONMENT=production\n", "#ENVIRONMENT=local\n") == EXAMPLE.replace(
        "PUBLIC_URL=https://newer.example.com", "PUBLIC_URL=https://boss.example.com"
    )


@pytest.mark.parametrize("value", ["a\nb", "it's", "a\\b", "\0"])
def test_a_value_that_cannot_stand_there_is_refused_without_being_shown(value: str) -> None:
    """It would be read as another one."""
    with pytest.raises(ValueError, match="KEY") as caught:
        line("KEY", value)
    assert value not in str(caught.value)


names = st.from_regex(re.compile(r"[A-Z]{2,8}_[A-Z]{1,8}", re.ASCII), fullmatch=True)
values = st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="'\\"), max_size=30)
lines = st.one_of(
    st.just(""),
    st.from_regex(re.compile(r"#[ -~]{0,20}", re.ASCII), fullmatch=True),
    st.builds("{}={}".format, names, st.from_regex(re.compile(r"[A-Za-z0-9:/]{0,12}", re.ASCII), fullmatch=True)),
    st.builds('{}="{}"'.format, names, st.from_regex(re.compile(r"[A-Za-z #]{0,12}", re.ASCII), fullmatch=True)),
)


@given(st.lists(lines, max_size=12), st.dictionaries(names, values, min_size=1, max_size=5), st.booleans())
def test_what_is_set_is_read_and_all_other_lines_stay(
    tmp_path_factory: pytest.TempPathFactory, before: list[str], changes: dict[str, str], ends: bool
) -> None:
    """Whatever stood there; and a second time changes nothing."""
    text = "\n".join(before) + ("\n" if ends and before else "")
    new = edited(text, changes)
    path = _written(tmp_path_factory.mktemp("env"), new)
    old = read_env(_written(tmp_path_factory.mktemp("env"), text))
    assert read_env(path) == {**old, **changes}
    kept = [each for each in before if each and each.partition("=")[0] not in changes]
    assert [each for each in new.split("\n") if each in kept] == kept
    assert edited(new, changes) == new


def _written(folder: Path, text: str) -> Path:
    path = folder / ".env"
    path.write_text(text, encoding="utf-8", newline="")
    return path


@given(st.lists(lines, max_size=12), st.dictionaries(names, values, min_size=1, max_size=5))
def test_what_is_put_back_is_as_it_was(before: list[str], changes: dict[str, str]) -> None:
    """The names with their former values: those that were not there are gone."""
    text = "".join(f"{each}\n" for each in before)
    former = {name: value_of(text, name) for name in changes}
    back = edited(edited(text, changes), former)
    assert {name: value_of(back, name) for name in changes} == former
    others = [each for each in before if each and each.partition("=")[0] not in changes]
    assert [each for each in back.split("\n") if each in others] == others
