"""The documents hold together: every link leads somewhere, every page is found from README.md, and lines can be read."""

from __future__ import annotations

import re
from typing import Final

import pytest

from tests.support.documents import NAMES, anchors, links, prose, target_of, text_of
from tests.support.processes import ROOT

WIDTH: Final = 120
START: Final = "README.md"
KINDS: Final = ("tutorial", "howto", "reference", "explanation", "adr")
LISTED: Final = "docs/README.md"


def test_every_link_leads_to_a_file_of_the_repository() -> None:
    """And to a heading that is there, where it names one."""
    assert {name: found for name in NAMES if (found := broken(name, text_of(name)))} == {}


def broken(name: str, text: str) -> list[str]:
    """The links of a page that lead nowhere, each with what is wrong."""
    found = []
    for _, target in links(text):
        if "://" in target or target.startswith("mailto:"):
            continue
        file, anchor = target_of(name, target)
        if not file.is_relative_to(ROOT) or not file.exists():
            found.append(f"{target}: no such file")
        elif anchor and (file.suffix != ".md" or anchor not in anchors(file.read_text(encoding="utf-8"))):
            found.append(f"{target}: no such heading")
    return found


def test_code_that_a_link_names_stands_in_its_file() -> None:
    """[`run_turn`](…/turn.py): a reader who follows the link looks for that word."""
    assert {name: found for name in NAMES if (found := strangers(name, text_of(name)))} == {}


def strangers(name: str, text: str) -> list[str]:
    """Links from a name in the code to a file of code that does not hold it."""
    found = []
    for words, target in links(text):
        file, _ = target_of(name, target)
        code = re.fullmatch(r"`([\w.]+)`", words)
        if code and "://" not in target and file.suffix in (".py", ".lua") and file.exists() and not code[1].endswith(file.suffix):
            word = code[1].rpartition(".")[2]
            if not re.search(rf"\b{word}\b", file.read_text(encoding="utf-8")) and word != file.stem:
                found.append(f"{code[1]}: not in {target}")
    return found


def test_every_page_is_found_from_the_readme() -> None:
    """A page to which no link leads is read by nobody."""
    seen, waiting = set[str](), [START]
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            files = [target_of(name, target)[0] for _, target in links(text_of(name)) if "://" not in target]
            waiting += [file.relative_to(ROOT).as_posix() for file in files if file.suffix == ".md" and file.is_relative_to(ROOT)]
    assert set(NAMES) - seen == set()


def test_every_page_is_of_one_kind_and_listed_once() -> None:
    """In docs/README.md, which has one line a page."""
    pages = {name for name in NAMES if name.startswith("docs/") and name.count("/") > 1}
    assert {name.split("/")[1] for name in pages} == set(KINDS)
    listed = [target_of(LISTED, target)[0].relative_to(ROOT).as_posix() for _, target in links(text_of(LISTED)) if ".md" in target]
    assert sorted(each for each in listed if each in pages) == sorted(pages)


def test_lines_of_prose_are_wrapped() -> None:
    """At 120 columns; tables, code and what has no blank to break at are left as they are."""
    assert {name: found for name in NAMES if (found := too_long(text_of(name)))} == {}


def too_long(text: str) -> list[int]:
    """The numbers of the lines that are to be wrapped."""
    return [
        number for number, line in prose(text) if len(line) > WIDTH and not line.startswith(("|", "    ")) and " " in line.lstrip("-*> ")
    ]


def test_the_checks_find_what_they_are_for() -> None:
    """Each of them can fail."""
    assert broken(LISTED, "[a](nowhere.md) [b](glossary.md#nowhere) [c](glossary.md) [d](../../outside.md)") == [
        "nowhere.md: no such file", "glossary.md#nowhere: no such heading", "../../outside.md: no such file",
    ]  # fmt: skip
    assert broken(LISTED, "[a](../boss/main.py#L10)") == ["../boss/main.py#L10: no such heading"]
    assert strangers(LISTED, "[`nonsense`](../boss/main.py) [`main`](../boss/main.py) [words](../boss/main.py)") == [
        "nonsense: not in ../boss/main.py"
    ]
    assert too_long("a " * 61 + "\n| " + "a " * 61 + "\n```\n" + "a " * 61 + "\n```\n" + "a" * 130) == [1]
    assert anchors("# One\n## Two: `three`?\n## One\n```\n# no\n```") == {"one", "two-three", "one-1"}


DECISIONS: Final = [name for name in NAMES if name.startswith("docs/adr/")]
HEADINGS: Final = ["Status", "Context", "Decision", "Consequences", "What would change our mind"]


@pytest.mark.parametrize("name", DECISIONS)
def test_a_decision_has_its_five_parts(name: str) -> None:
    """In their order, with a date, under a number that no other has."""
    text = text_of(name)
    number = name.rpartition("/")[2][:4]
    assert text.startswith(f"# {int(number)}. ")
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == HEADINGS
    assert re.search(r"^(Accepted|Superseded by .+|Withdrawn), \d{4}-\d{2}-\d{2}", text, re.MULTILINE)


def test_the_decisions_are_numbered_without_a_gap() -> None:
    """A number is never given twice."""
    assert [int(name.rpartition("/")[2][:4]) for name in DECISIONS] == list(range(1, len(DECISIONS) + 1))
