"""From Markdown to what a phone shows: marks go, content never."""

from __future__ import annotations

import json
import time
from collections import Counter
from pathlib import Path
from typing import Final
from unittest.mock import patch

from hypothesis import given
from hypothesis import strategies as st

from supervisor_worker.channels.markdown.parser import MAX_MARKDOWN
from supervisor_worker.channels.twilio import plain_text
from supervisor_worker.channels.twilio.plain_text import plain

CASES: Final = json.loads((Path(__file__).parents[4] / "cases" / "sms" / "sms-plain-text.json").read_text(encoding="utf-8"))["cases"]


def test_the_cases_that_were_found_outside() -> None:
    """Each is one of the texts that are right."""
    for case in CASES:
        assert plain(case["model"]) in case.get("any_of", [case.get("phone")]), case["id"]


MARKS: Final = (
    ("# Title\n\n**Bold** and *light* and `code`", "Title\n\nBold and light and code"),
    ("**Note**: x. ***b***, *c* (**d**) \u201c*e*\u201d", "Note: x. b, c (d) \u201ce\u201d"),
    ("\u3053\u308c\u306f**\u91cd\u8981**\u3067\u3059\u3002", "\u3053\u308c\u306f\u91cd\u8981\u3067\u3059\u3002"),
    ("* one\n* two\n  * three\n\n1. a\n3. b", "- one\n- two\n  - three\n\n1. a\n3. b"),
    ("- a\n\n- b", "- a\n\n- b"),
    ("| a | b |\n|---|---|\n| 1 | **2** |", "a | b\n1 | 2"),
    ("> quoted\n> twice\n\nx", "> quoted\n> twice\n\nx"),
    ("a\n\n---\n\nb", "a\n\nb"),
    ("\\*not light\\*", "*not light*"),
    ("```\n```", ""),
    ("---", ""),
)
LETTERS: Final = (
    "2 * 3 * 4, 5*3*2 and 2**8**2",
    "**/*.py and **/*.js, or *.o",
    "r****s and a***b*** c",
    "use __init__, __main__ and MY_VAR_NAME, f(*a, *b)",
    "C:\\temp\\d, \\d+\\.\\d and \\\\server",
    "https://x.example/_a_/b*c*d and more",
    "# of seats: 12\n# 3 is mine",
    "#1 of C# and #tag",
    "&amp; <b>x</b> &lt;",
    "~~no~~ is not yes",
    "[x]: https://e.example\n[x] and [y][x]",
    "***",
    "PIN:\n\n*****",
    "Choose\n-",
    "+ 49 30 1234",
    "5 > 3\n> 4",
)
CODE: Final = (
    ("```docker stop demo\ndocker rm demo```", "docker stop demo\ndocker rm demo"),
    ("```\na  *b* [c](d)\n\n\n_e_\n```", "a  *b* [c](d)\n\n\n_e_"),
    ("run ```a\nb``` now", "run a\nb now"),
    ("~~~\nx `y`\n~~~", "x `y`"),
    ("```ls\n```", "ls"),
    ("1. one\n   ```\n   a  b\n   ```\n2. two", "1. one\na  b\n2. two"),
    ("```\nnever closed", "never closed"),
    ("``` \nx\n``` is one, and\n```\ny\n``` is two.", "x\nis one, and\ny\nis two."),
)
LINKS: Final = (
    ("see [a](https://x.example/y), then (<https://q.example>).", "see a: https://x.example/y , then ( https://q.example )."),
    ("[me](mailto:a@b.example) or [a@b.example](mailto:a@b.example)", "me: a@b.example or a@b.example"),
    ("[x.example](https://x.example/) and [**b**](https://y.example)", "https://x.example/ and b: https://y.example"),
    ("![a cat](https://i.example/c.png)", "a cat: https://i.example/c.png"),
    ("[evil](javascript:alert(1))", "[evil](javascript:alert(1))"),
    ("[\u00fcber](https://x.example/\u00fcber?a=b_c*d*)!", "\u00fcber: https://x.example/\u00fcber?a=b_c*d* !"),
)


def test_marks_of_markdown_go() -> None:
    """Of words, headings, lists, tables and lines."""
    for said, sent in MARKS:
        assert plain(said) == sent


def test_what_only_looks_like_markdown_stays() -> None:
    """Letter for letter."""
    for said in LETTERS:
        assert plain(said) == said


def test_code_keeps_every_letter() -> None:
    """Also in a fence that is opened or closed as models do it."""
    for said, sent in CODE:
        assert plain(said) == sent


def test_an_address_stands_free_behind_its_words() -> None:
    """So that a phone makes a link of it, and of nothing else."""
    for said, sent in LINKS:
        assert plain(said) == sent


PIECES: Final = st.sampled_from(
    [*"ab1 \n*_`#>|-[]()<>!\\~.:+", "```", "**", "\n\n", "| a | b |\n|---|---|\n", "https://x.example/a_b", "  ", "1. "]
)


@given(st.lists(PIECES, max_size=60).map("".join))
def test_no_letter_is_ever_lost_or_made(said: str) -> None:
    """Whatever is written; only a fence's language and a link's second copy of itself are marks with letters."""
    found, letters = (Counter(filter(str.isalnum, text)) for text in (plain(said), said))
    assert not found - letters
    if "```" not in said and "](" not in said:
        assert found == letters


@given(st.text(alphabet=st.sampled_from("ab1 .-+=>~)!|]&;:@/'\u2019"), max_size=40))
def test_a_line_without_marks_is_not_parsed_and_would_come_out_the_same(said: str) -> None:
    """The short cut of nearly every answer changes nothing."""
    with patch.object(plain_text, "_MARKS", frozenset(said)):
        parsed = plain(said)
    assert plain(said) == parsed


def test_no_text_holds_the_parser_up() -> None:
    """What takes it seconds is kept as it is; nothing takes half a second of a busy processor."""
    hostile = ("[", "![[", "*a_", "*a **b ", "`", "- ", "> ", "<a:", "](", "```x\n", "|a", "a\n===\n", "1. ")
    for piece in hostile:
        began = time.process_time()
        plain(piece * (MAX_MARKDOWN // len(piece)))
        assert time.process_time() - began < 0.5, piece
    assert plain("*a* " * 6_000) == ("*a* " * 6_000).strip()
