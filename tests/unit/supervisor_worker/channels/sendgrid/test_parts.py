"""From the model's Markdown to the two parts of a mail: what both say, and what of it never leaves us."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.model.text import clean
from supervisor_worker.channels.sendgrid import html, plain
from supervisor_worker.channels.sendgrid.format import MAX_MAIL_BYTES
from supervisor_worker.channels.sendgrid.parts import blocks_of, of
from tests.payloads import hostile_answers
from tests.support.mail_html import MailHtml

LIMIT = 50_000
PIECES = [
    *"*_`~[]()!<>#|-+\n\n \t&;:.=\\\"'/{}",
    *("\n\n", "```", "\n```\n", "    ", "\n- ", "\n1. ", "\n7. ", "\n> ", "](", "![", "[](", " | ", "\n|-|-|\n", "  \n", "\\\n"),
    *("https://h.example/", "<img src=x>", "<https://h.example>", "&#8238;", "&amp;", "javascript:", "mailto:", "www.", "\u05d0", "漢"),
    *("data:image/png;base64,", "<!--", "-->", "<br/>", "tel:+15551234567", "https://a@b.example/", "<style>", "</pre>"),
    ']: https://h.example "',
]
WORDS = st.integers(0, 99).map(lambda number: f"w{number}x")
MARKDOWN = st.lists(st.one_of(WORDS, st.sampled_from(PIECES)), max_size=60).map("".join)


def body_of(written: str) -> str:
    """The part of a document that differs from mail to mail, without the places where a long word may be broken."""
    return written.removeprefix(html.BEFORE).removesuffix(html.AFTER).replace("<wbr>", "")


@pytest.mark.parametrize("table", ["blocks", "links"])
def test_markdown_becomes_readable_text_and_clean_html(table: str) -> None:
    """Code stays letter for letter. A link says in plain text where it leads, and in HTML where its words are another address."""
    cases = json.loads((Path(__file__).parents[4] / "cases" / "mail" / "markdown.json").read_text("utf-8"))[table]
    for case in cases:
        body, page = of(case["markdown"], LIMIT)
        assert (body, body_of(page)) == (case["plain"], case["html"])


def _words_in(source: str) -> set[str]:
    """The words of a source that are no markup: all but what names the language of a code."""
    return set(re.findall(r"w\d+x", re.sub(r"^.*(?:```|~~~).*$", "", source, flags=re.MULTILINE)))


@given(MARKDOWN)
def test_every_word_stands_in_both_parts_and_nothing_but_the_allowed_leaves(source: str) -> None:
    """Whatever the Markdown: as text or as a link's address."""
    body, page = of(clean(source).strip(), LIMIT)
    if not body:
        assert page == ""
        return
    read = MailHtml(page)
    assert _words_in(source) - set(re.findall(r"w\d+x", body)) == set()
    assert _words_in(source) - set(re.findall(r"w\d+x", " ".join([read.text, *read.addresses]))) == set()
    assert max(len(line.encode()) for line in body.split("\n")) <= 998


@given(MARKDOWN)
def test_what_is_written_is_harmless_before_it_is_cleaned_as_well(source: str) -> None:
    """Two guards, of which either alone is enough: the cleaner finds nothing to take out."""
    blocks = blocks_of(clean(source).strip())
    written = "\n".join(html._block(block) for block in blocks)
    if blocks:
        before, after = MailHtml(written), MailHtml(html._CLEANER.clean(written))
        assert (before.text.split(), before.addresses, before.tags) == (after.text.split(), after.addresses, after.tags)


def test_what_hostile_answers_make_of_a_mail_is_text_and_links() -> None:
    """All sixty: no picture, style, form or attribute but a link's address, and no character that is not seen."""
    answers = hostile_answers()
    assert len(answers) >= 60
    for name, said in answers.items():
        body, page = of(clean(said).strip(), LIMIT)
        read = MailHtml(page)
        assert clean(body) == body, name
        assert clean(read.text) == read.text, name


@pytest.mark.many_inputs
def test_lines_are_folded_and_nothing_of_them_changes() -> None:
    """Code, addresses, words without an end, tags and letters of three bytes: the text is the same, and no line has 998 bytes."""
    code = "x = '" + "&<y> " * 700 + "'"
    for said in (
        f"```\n{code}\n{code}\n```",
        f"`{code}`",
        "https://a.example/" + "p/" * 400 + " and then " * 200,
        "漢" * 5000,
        "word " * 3000,
        "a\u00a0" * 3000,
        "\u3000b\t" * 2000,
        f"[x](https://a.example/{'q' * 3000})",
        "**a** " * 800,
        "| a | b |\n|-|-|\n" + "| **a** | " + "b c " * 900 + "|\n",
        "x" * 9000,
        "\n".join(f"- [a{number}](https://a.example/{'q' * 800})" for number in range(10)),
    ):
        body, page = of(said, LIMIT)
        read = MailHtml(page)
        assert max(len(line.encode()) for line in body.split("\n")) <= 998
        assert [re.sub(r"\W", "", body)] == [re.sub(r"\W", "", read.text)] or said.startswith("- [")
    read = MailHtml(of(f"```\n{code}\n{code}\n```", LIMIT)[1])
    assert f"{code}\n{code}" in read.text


def test_plain_text_is_wrapped_at_spaces_and_no_address_is_broken() -> None:
    """At 76 columns; a list's further lines stand under its first word."""
    address = "https://a.example/" + "path/" * 20
    body, _ = of(f"{'some words ' * 12}{address} {'more words ' * 12}\n\n- {'item words ' * 12}", LIMIT)
    lines = body.split("\n")
    assert all(len(line) <= 76 or line == address for line in lines)
    assert address in lines
    assert lines[-1].startswith("  words item")


@pytest.mark.many_inputs
@pytest.mark.parametrize("letter", ["x", "漢", "&", "<", "a\n\n", "https://a.example/&&&&&&& ", "- a\n", "> ", "[", "|a"])
def test_both_parts_stay_within_their_bytes_and_end_with_the_mark(letter: str) -> None:
    """Whatever the letters take in either."""
    body, page = of(clean(letter * (200_000 // len(letter))).strip(), MAX_MAIL_BYTES)
    assert len(body.encode()) <= MAX_MAIL_BYTES
    assert len(page.encode()) <= MAX_MAIL_BYTES
    assert max(len(body.encode()), len(page.encode())) > MAX_MAIL_BYTES / 3
    assert body.endswith("[...]")
    assert MailHtml(page).text.rstrip().endswith("[...]")


def test_markdown_beyond_the_cap_is_plain_paragraphs() -> None:
    """A long answer keeps its Markdown up to there, and every word."""
    body, page = of(f"**a** {'paragraph ' * 7}\n\n" * 400, LIMIT)
    assert body.startswith("a paragraph paragraph")
    assert "\n\n**a** paragraph paragraph" in body
    assert (page.count("<strong>") + page.count("**a**"), page.count("<strong>")) == (400, 20_000 // 78)


@pytest.mark.many_inputs
def test_markdown_that_is_slow_or_deep_is_plain_paragraphs() -> None:
    """Each of these takes the parser seconds, or makes it drop what it reads; here none takes one."""
    for said in (
        "*a_" * 6000,
        "[" * 19_000,
        "![" * 9_000,
        "- " * 30 + "deep",
        ">" * 40 + " deep",
        "".join("  " * n + "- a\n" for n in range(40)),
    ):
        begun = time.process_time()
        body, page = of(said, LIMIT)
        assert time.process_time() - begun < 1
        assert re.sub(r"\s", "", body) == re.sub(r"\s", "", said)
        assert re.sub(r"\s", "", MailHtml(page).text) == re.sub(r"\s", "", said)


def test_both_parts_say_the_same_words() -> None:
    """In the same order, but for what only a line of plain text needs: marks of lists, and where links lead."""
    said = "# A\n\nWords *in* a `line`.\n\n- one\n- two\n\n| h | i |\n|---|---|\n| j | k |\n\n```\ncode here\n```"
    body, page = of(said, LIMIT)
    assert re.findall(r"\w+", body) == re.findall(r"\w+", MailHtml(page).text)
    assert plain.text(blocks_of(said)) == body
