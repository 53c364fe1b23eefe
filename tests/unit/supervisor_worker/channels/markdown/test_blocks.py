"""One reading of Markdown for every channel: what is no mark stays, in texts and in mails alike."""

from __future__ import annotations

import time
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor_worker.channels.markdown import blocks, parser
from supervisor_worker.channels.sendgrid import parts
from supervisor_worker.channels.twilio.plain_text import plain
from tests.support.mail_html import MailHtml

LIMIT: Final = 50_000
KEPT: Final = (
    "2*3*4 = 24, a * b * c, 5*3 and 4*2",
    "f(*args, **kwargs) and 2**8, x**2 + y**2",
    "/* a comment */ and /** another **/, *.pyc *.o",
    "snake_case, _private and __dunder__, foo_bar_@example.com",
    "@_user_, $_x_, x^*y^*, /_next_/static and src/_a_/b_c_",
    "\"*\", '*' and (*) mean all, (*) too",
    "www.example.com/_a_ and example.com/*b*/c",
    "_x_@example.com",
    "# of seats: 12",
    "+ 49 30 1234567",
    "values[0](x) and f[i](j), [name](optional), [a]()",
    "std::map<std::string,int> and <T:U>, dict<str:int> and <b>x</b>",
    "C:\\Users\\_new\\*.txt and \\\\server\\share, \\d+\\.\\*$",
    "\u00af\\_(\u30c4)_/\u00af",
    "/\\_/\\\n( o.o )",
    "Roses are red,\n  violets are\n    blue",
    "\\(x\\) and \\[ y \\] and a \\| b, \\{z\\}",
    "3. May\n2. June\n9. July",
    "10. ten\n9. nine",
    "[ref][1] and [^2]\n\n[^2]: a note",
    "H~2~O, ~~no~~, ==x== and #tag, C#",
)
"""As they are: in a text, and in the plain text of a mail."""
MARKED: Final = (
    ("1) one\n2) two", "1) one\n2) two"),
    ("\\[not a link\\](x)", "[not a link](x)"),
    ("1\\. not a list", "1. not a list"),
    ("\\- nor this", "- nor this"),
    ("\\$5 and snake\\_case", "$5 and snake_case"),
    (
        "**\u300c\u91cd\u8981\u300d**\u3067\u3059\u3002**\u6ce8\u610f\uff01**\u6b21",
        "\u300c\u91cd\u8981\u300d\u3067\u3059\u3002\u6ce8\u610f\uff01\u6b21",
    ),
    ("**\uc911\uc694(\ud544\uc218)**\ub294", "\uc911\uc694(\ud544\uc218)\ub294"),
    ("one\\\ntwo  \nthree", "one\ntwo\nthree"),
    ("    x = a*b*c\n      y\n\nz", "x = a*b*c\n  y\n\nz"),
    ("```docker stop demo\ndocker rm demo```", "docker stop demo\ndocker rm demo"),
    ('```js title="a b.js"\nlet a;\n```', "let a;"),
    ("```{.python .x}\na\n```", "a"),
    ("~~~\na ``` b\n~~~", "a ``` b"),
    ("````\n```\na\n```\n````", "```\na\n```"),
    ("``a ` b`` and ` `` `", "a ` b and ``"),
    ("run `a\nb` now", "run a\nb now"),
    ("*a*, (*b*) and **c**'s *d*!", "a, (b) and c's d!"),
)
"""What only marks are taken from; the same in a text and in the plain text of a mail."""
ON_A_PHONE: Final = (
    ('[x](https://e.example "A title") and **b**', "x: https://e.example A title and b"),
    ("[w](<https://e.example/a b>)", "w: https://e.example/a%20b"),
    ("[+1 (555) 010-0000](tel:+1-555-010-0000).", "+1 (555) 010-0000"),
    ("[write](mailto:a@e.example?subject=Hi%20you)", "write: mailto:a@e.example?subject=Hi%20you"),
    ("[https://bank.example](https://evil.example)", "https://bank.example : https://evil.example"),
    ("[x](data:text/html,y) ![z](javascript:y)", "[x](data:text/html,y) [z](javascript:y)"),
    ("[see <https://a.example> now](https://b.example)", "see https://a.example now: https://b.example"),
    ("![x [y](https://c.example)](https://b.example/p)", "x [y](https://c.example) : https://b.example/p"),
    ("1. First\n\n   Second part\n\n2. Third", "1. First\n\nSecond part\n\n2. Third"),
)
IN_A_MAIL: Final = (
    ("[a <https://c.example>](https://b.example)", '<a href="https://b.example">a https://c.example</a> (b.example)'),
    ("1. a\n1. b\n1. c", "<ol><li>a</li>\n<li>b</li>\n<li>c</li></ol>"),
    ("1. a\n2. b\n5. c", "<p>1. a</p>\n<p>2. b</p>\n<p>5. c</p>"),
    ("run `a\nb`", "<p>run <code>a</code><br>\n<code>b</code></p>"),
    ("# of seats: 12", "<p># of seats: 12</p>"),
    ("[bank%2Eexample](https://evil.example)", '<p><a href="https://evil.example">bank%2Eexample</a> (evil.example)</p>'),
    ("[bank . example](https://evil.example)", '<p><a href="https://evil.example">bank . example</a> (evil.example)</p>'),
    ("[bank\u00b7example](https://evil.example)", '<p><a href="https://evil.example">bank\u00b7example</a> (evil.example)</p>'),
    ("[bank. example](https://evil.example)", '<p><a href="https://evil.example">bank. example</a> (evil.example)</p>'),
    ("[//bank.example](https://evil.example)", '<p><a href="https://evil.example">//bank.example</a> (evil.example)</p>'),
    ("[https:\u2044\u2044bank.example](https://evil.example)", "bank.example</a> (evil.example)</p>"),
    ("[bank\\.example](https://evil.example)", "example</a> (evil.example)</p>"),
    ("[x](https://evil.example:99999/)", "<p>x (https://evil.example:99999/)</p>"),
    ("[x](mailto:a@b.example?subject=y%0D%0Abcc:z)", "<p>x (mailto:a@b.example?subject=y%0D%0Abcc:z)</p>"),
    ("[x](mailto:a@b.example?body=y%0Az)", '<p><a href="mailto:a@b.example?body=y%0Az">x</a></p>'),
    *(
        (f"[x](http://{host}/)", f"<p>x (http://{host}/)</p>")
        for host in ("0x7f.1", "2130706433", "1.2.3", "256.1.1.1", "01.2.3.4", "a.0x1")
    ),
    ("[x](http://192.0.2.10/)", '<p><a href="http://192.0.2.10/">x</a></p>'),
    ("[e.g. this](https://evil.example)", '<p><a href="https://evil.example">e.g. this</a></p>'),
    ("[Look. Then click](https://evil.example)", '<p><a href="https://evil.example">Look. Then click</a></p>'),
)


def mail_plain(said: str) -> str:
    """The plain text of a mail, its list marks as they were written."""
    return parts.of(said, LIMIT)[0]


def test_what_is_no_mark_stays_in_texts_and_mails() -> None:
    """Letter for letter, and in a mail's HTML as well."""
    for said in KEPT:
        assert plain(said) == said
        assert mail_plain(said) == said
        assert MailHtml(parts.of(said, LIMIT)[1]).text.split() == said.split()


def test_only_marks_go() -> None:
    """Whatever the channel."""
    for said, shown in MARKED:
        assert plain(said) == shown
        assert mail_plain(said).strip() == shown


def test_links_and_parts_of_lists_on_a_phone() -> None:
    """Each address stands free and whole; what is no address that a phone opens stays as it was written."""
    for said, shown in ON_A_PHONE:
        assert plain(said) == shown


def test_numbers_lines_and_hosts_in_html() -> None:
    """A list has the numbers that were written, unless each is the same; a link whose words look like another address shows its host."""
    for said, shown in IN_A_MAIL:
        assert shown in parts.of(said, LIMIT)[1].replace("<wbr>", "")


def test_what_would_lose_a_letter_stays_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """A table with more cells than its head by itself; the whole text, should the parser ever drop a word."""
    table = "| a |\n|---|\n| 1 | extra |"
    assert plain(f"**x**\n\n{table}") == f"x\n\n{table}"
    assert mail_plain(f"**x**\n\n{table}") == f"x\n\n{table}"
    table = "| a | b |\n|---|---|\nhttps://x.example/a_b | a | b"
    assert plain(table) == mail_plain(table) == table
    monkeypatch.setattr(blocks, "tokens_of", lambda text: parser.tokens_of(text.replace("lost", "")))
    assert plain("**x** lost") == mail_plain("**x** lost") == "**x** lost"


CODE: Final = st.text(alphabet=st.sampled_from("ab1 *_#|`~<>[]()!&;\\-+=.:/\"'$\n"), min_size=1, max_size=40)


@given(CODE, st.sampled_from(["", "py", "c++"]), st.sampled_from(["", "> ", "- ", "1. "]))
def test_code_in_a_fence_stays_letter_for_letter(code: str, language: str, around: str) -> None:
    """Whatever is in it, in a quote and in a list as well; a mail's lines are folded, and the spaces at their ends seen by nobody."""
    code = code.strip("\n").replace("````", "") or "x"
    inside = around if around == "> " else " " * len(around)
    said = f"{around}````{language}\n" + "\n".join(inside + line for line in [*code.split("\n"), "````"])
    for shown in (plain(said), mail_plain(said)):
        lines = [line.removeprefix(">") if around == "> " else line for line in shown.split("\n")]
        assert "".join(code.split()) in "".join("".join(lines).split())


@given(st.text(alphabet=st.sampled_from("ab *_#|<>[]()!&;\\-.:/\"'$"), min_size=1, max_size=30))
def test_code_in_backticks_stays_letter_for_letter(code: str) -> None:
    """In the middle of a line."""
    code = code.strip() or "x"
    for shown in (plain(f"see `{code}` there"), mail_plain(f"see `{code}` there")):
        assert "".join(code.split()) in "".join(shown.split())


PIECES: Final = st.sampled_from(
    [*"ab1 \n*_`#>|-[]()<>!\\~.:+", "```", "**", "\n\n", "| a | b |\n|---|---|\n", "https://x.example/a_b", "  ", "1. ", "\u91cd", "\uff01"]
)


@given(st.lists(PIECES, max_size=40).map("".join))
def test_a_text_and_a_mail_say_the_same_letters(said: str) -> None:
    """There is one reading."""
    if "](" in said or "<http" in said or "x.example" in said:  # where they stand differs
        return
    in_mail, on_phone = ("".join(filter(str.isalnum, shown)) for shown in (mail_plain(said), plain(said)))
    assert in_mail == on_phone


HOSTILE: Final = (
    *("[", "![[", "*a_", "*a **b ", "`", "- ", "> ", "<a:", "](", "```x\n", "|a", "a\n===\n", "1. ", "\\", "\\*", "/\\", "\u6f22**"),
    *("https://a.example/ ", "[a](https://a.example) ", "`a` ", "  - a\n", "#\n", "&amp;", "a.b/", "+ 1\n", "a\\\n", "\u3000**"),
)


def test_no_answer_takes_long_in_any_form() -> None:
    """Twenty thousand letters of it, and so many as the parser still reads."""
    for piece in HOSTILE:
        for times in (20_000 // len(piece), 700):
            began = time.process_time()
            plain((piece * times)[:20_000])
            parts.of((piece * times)[:20_000], LIMIT)
            assert time.process_time() - began < 1.5, piece
