"""HTML to text: the words of real mails, and bombs."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhook_api.html_text import to_text


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>Hello <b>you</b></p><p>Second</p>", "Hello you\n\nSecond"),
        ("<div>one</div><div>two<br>three</div>", "one\ntwo\nthree"),
        ("<html><head><title>T</title><style>p{}</style></head><body>Body<script>evil()</script>!</body></html>", "Body!"),
        ("<ul><li>milk<li>eggs</ul>", "- milk\n- eggs"),
        ("<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>", "a b\nc"),
        ("fish &amp; chips &lt;3 &euro;5 &#x1F600;&nbsp;ok", "fish & chips <3 €5 😀 ok"),
        ("a < b and c > d", "a < b and c > d"),
        ("<p title='x > y'>shown</p>", "shown"),
        ("<!-- hidden --><!doctype html><?xml version='1.0' encoding='latin-1'?>seen", "seen"),
        ("top<blockquote>quoted<br>lines<blockquote>deeper</blockquote></blockquote>end", "top\n> quoted\n> lines\n> > deeper\nend"),
        ("<pre>  a\n    b</pre>", "  a\n    b"),
        ("", ""),
        ("<b>" * 300 + "deep", "deep"),
        ("text <a href=", "text"),
        ("&#" + "9" * 6000 + ";x", "\ufffdx"),
        ("<script>never closed", ""),
    ],
)
def test_the_words_of_a_mail_are_kept_in_paragraphs(html: str, text: str) -> None:
    """What a person sees comes out, what a browser hides does not."""
    assert "\n".join(line for line in to_text(html).split("\n") if line.strip("> ")) == "\n".join(
        line for line in text.split("\n") if line.strip("> ")
    )


BOMBS = {
    "divs": "<div>" * 200_000,
    "bold": "<b>x" * 250_000,
    "tables": "<table><tr><td>" * 66_000,
    "wide rows": "<table><tr><td>" + "x" * 20_000 + "</td></tr>" + "<tr><td>a" * 50_000,
    "margins": '<div style="margin-left:9999999em">x</div>' * 20_000,
    "open tags": "<a b=" * 200_000,
    "open quotes": "<a '<a \"" * 120_000,
    "declarations": "<!" * 500_000,
    "comments": "<!--" * 250_000,
    "scripts": "<script>" * 120_000,
    "less": "<" * 1_000_000,
    "ampersands": "&" * 1_000_000,
    "quotes": "<blockquote>x" * 76_000,
    "breaks": "<br>" * 250_000,
    "entities": "&#x41;" * 160_000,
}


@pytest.mark.parametrize("name", BOMBS)
def test_no_megabyte_of_html_takes_long_or_grows(name: str) -> None:
    """A layout engine makes 100 MB of 65 kB; here the text is at most twice the input, and quick."""
    start = time.thread_time()
    text = to_text(BOMBS[name])
    assert time.thread_time() - start < 1.5
    assert len(text) <= 2 * len(BOMBS[name])


@given(st.text(alphabet="<>!-/ab'\"&#;x1 \n\x00", max_size=300))
def test_nothing_between_angle_brackets_raises(html: str) -> None:
    """Any soup gives a text."""
    assert isinstance(to_text(html), str)
