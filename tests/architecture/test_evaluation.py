"""The conversations of `make eval`: they can be read, there are enough of each kind, and a check that does not hold is noticed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.evaluation import case, complaints
from tests.evaluation.case import Case, Step
from tests.evaluation.checks import Seen, failures
from tests.support.processes import ROOT

KINDS = {
    "reminders",
    "clock changes",
    "dates",
    "memory",
    "lists",
    "follow-ups",
    "bursts",
    "two channels",
    "commands",
    "languages",
    "long answers",
} | {"refusals", "tools of others", "tools of ours", "words of others", "outages", "budgets", "briefings", "pictures and recordings"}


def test_there_are_conversations_of_every_kind() -> None:
    """Each with a moment for each of its steps, in their order."""
    cases = case.read()
    assert set(case.kinds(cases)) >= KINDS
    assert len(cases) >= 60
    for each in cases:
        moments = each.moments()
        assert moments == sorted(moments), each.name


def test_every_step_asks_for_something() -> None:
    """One without a message, a command or a change only waits, and says what comes; no step leaves open what the person gets."""
    for each in case.read():
        for step in each.steps:
            assert "gets" in step.model_fields_set, each.name


def test_every_complaint_is_shown_to_be_impossible() -> None:
    """By a conversation, or by tests that there are; and no conversation shows one that is not in the table."""
    cases, rows = case.read(), complaints.read()
    assert [each.row for each in rows] == sorted({each.row for each in rows})
    assert {each.row for each in cases if each.row} <= {each.row for each in rows}
    for each in rows:
        assert each.conversations(cases) or each.tests, each.what
        for test in each.tests:
            file, _, name = test.partition("::")
            assert f"def {name}(" in (ROOT / file).read_text(), test


def test_the_document_names_every_complaint_and_every_kind() -> None:
    """As the files have them."""
    text = (ROOT / "docs" / "reference" / "evaluation.md").read_text()
    assert [each.what for each in complaints.read() if f"| {each.row} | {each.what} |" not in text] == []
    assert [kind for kind in case.kinds(case.read()) if f"| {kind} |" not in text] == []


def test_a_misspelt_check_is_refused(tmp_path: Path) -> None:
    """Else it would always hold."""
    (tmp_path / "some.toml").write_text('[[case]]\nname = "x"\nkind = "y"\n[[case.steps]]\ntext = "hello"\ngest = ["hello"]\n')
    with pytest.raises(ValueError, match="gest"):
        case.read(tmp_path)


@pytest.mark.parametrize(
    ("step", "seen", "said"),
    [
        ({"gets": ["hello"]}, {}, "0 messages in place of 1"),
        ({"gets": ["hello"]}, {"got": ["good day"]}, "'hello' is not in"),
        ({"gets": ["re: ^h.llo$"]}, {"got": ["well, hello"]}, "is not in"),
        ({"gets": []}, {"got": ["hello"]}, "1 messages in place of 0"),
        ({"gets": ["a"], "says": ["b"]}, {"got": ["a"]}, "'b' is not said"),
        ({"gets": ["a"], "never": ["re: [Aa]"]}, {"got": ["a"]}, "is said"),
        ({"shown": ["nuts"]}, {"questions": [{"messages": [{"role": "user", "content": "milk"}]}]}, "'nuts' is not shown"),
        ({"shown": ["nuts"]}, {}, "nothing was asked"),
        ({"hidden": ["milk"]}, {"questions": [{"system": "milk", "messages": []}]}, "'milk' is shown"),
        ({"asked": 1}, {}, "asked 0 times and not 1"),
        ({"called": [{"name": "remember"}]}, {}, "the calls were []"),
        ({"called": [{"name": "a", "says": "b"}]}, {"calls": [{"name": "a", "text": "c", "failed": False}]}, "does not say 'b'"),
        ({"called": [{"name": "a", "failed": True}]}, {"calls": [{"name": "a", "text": "c", "failed": False}]}, "did not fail"),
        ({"facts": []}, {"facts": [{"text": "nuts"}]}, "1 facts in place of 0"),
        ({"lists": [{"text": "milk", "done": True}]}, {"items": [{"text": "milk", "list": "shopping", "done": False}]}, "done is False"),
        (
            {"reminders": [{"text": "tea", "due": "2031-03-24T17:00"}]},
            {"reminders": [{"text": "tea", "local": "2031-03-24T16:00", "zone": "UTC", "recurrence": ""}]},
            "due is '2031-03-24T16:00'",
        ),
        ({}, {"errors": ["not within 20 s"]}, "not within 20 s"),
    ],
)
def test_what_does_not_hold_is_said(step: dict[str, Any], seen: dict[str, Any], said: str) -> None:
    """A check that nothing can fail would hold nothing."""
    (found, *_) = failures(Step.model_validate(step), Seen(**seen), real=False)
    assert said in found


def test_a_real_model_chooses_its_words_and_may_write_more() -> None:
    """What code says, what is stored and what must never be said holds for it as well."""
    step = Step.model_validate({"gets": ["Remembered: "], "says": ["Sure."], "never": ["secret"], "called": [{"name": "remember"}]})
    assert failures(step, Seen(got=["Remembered: nuts", "Anything else?"]), real=True) == []
    assert failures(step, Seen(got=["Remembered: the secret"]), real=True) != []
    assert failures(step, Seen(), real=True) != []


def test_an_hour_later_is_an_hour_later_on_the_day_on_which_the_clocks_change() -> None:
    """And a time of day is one of the wall's."""
    steps = [{"text": "x"}, {"after": "1h"}, {"at": "04:00"}]
    first, hour, four = Case.model_validate({"name": "x", "kind": "y", "start": "2031-03-30 01:30", "steps": steps}).moments()
    assert (hour - first, four - hour) == (3600, 1800)
