"""What is read of a mail with plain text and HTML."""

from __future__ import annotations

import pytest

from webhook_api.email.text_choice import shown

LETTER = "Hello Boss,\nplease book a table for two at nine.\nAda"
AS_HTML = "<p>Hello Boss,<br>please book a table for two at nine.</p><p>Ada</p>"


@pytest.mark.parametrize(
    "placeholder",
    [
        "Your mail program cannot show HTML.",
        "This message requires an HTML viewer.",
        "Ihr E-Mail-Programm kann diese Nachricht nicht anzeigen.",
        "Votre logiciel de messagerie ne prend pas en charge le HTML",
        "View this email in your browser: https://x.example/1",
        "HTML版のメールです",
        "Hello Boss,",
        "[cid:logo.png]",
    ],
)
def test_a_stand_in_gives_way_to_the_html(placeholder: str) -> None:
    """In any language, and where it is the beginning alone: what counts is that the two do not say the same."""
    assert shown([placeholder], [AS_HTML], alternatives=True).text.startswith("Hello Boss,\nplease book a table")
    assert "book a table" in shown([placeholder], [AS_HTML], alternatives=False).text


@pytest.mark.parametrize(
    ("plain", "html"),
    [
        (LETTER, AS_HTML),
        (f"{LETTER}\n\n> On Monday you wrote", f"{AS_HTML}<blockquote>On Monday you wrote</blockquote>"),
        (
            f"{LETTER} *bold* [image: a.png] <https://x.example/1>",
            f'{AS_HTML} <b>bold</b> <img alt="a.png"> <a href="https://x.example/1">x</a>',
        ),
        (f"{LETTER}\nhttps://x.example/1", f'{AS_HTML}<a href="https://x.example/1">https://x.example/1</a>'),
        ("明日の会議は何時ですか。よろしくお願いします。", "<div>明日の会議は何時ですか。</div><div>よろしくお願いします。</div>"),
        ("Grüße aus Köln, schöne Straße", "<p>Grüße aus Köln, schöne Straße<img alt=logo></p>"),
        (f"{LETTER}\nand one line more", AS_HTML),
        ("?", "<p>?</p>"),
    ],
)
def test_of_two_that_say_the_same_the_plain_one_is_read(plain: str, html: str) -> None:
    """Its quotes are lines, and its lines its author's."""
    for alternatives in (True, False):
        assert shown([plain], [html], alternatives=alternatives).text == plain


def test_a_plain_text_that_lost_its_links_gives_way() -> None:
    """Apple's programs drop where a link leads."""
    html = '<p>Is <a href="https://shop.example/item/42">this one</a> any good?</p>'
    assert shown(["Is this one any good?"], [html], alternatives=True).text == "Is this one (https://shop.example/item/42) any good?"
    kept = "Is this one <https://shop.example/item/42> any good?"
    assert shown([kept], [html], alternatives=True).text == kept


def test_two_parts_of_one_letter_are_both_read() -> None:
    """A list's footer behind the text, or a text between pictures: only alternatives leave one of them out."""
    footer = "<p>You get this because you are on the list of the choir.</p>"
    both = shown([LETTER], [footer], alternatives=False).text
    assert LETTER in both
    assert "list of the choir" in both


def test_one_of_them_alone_is_read() -> None:
    """And what the HTML hides takes the plain text's word."""
    assert shown([LETTER], [], alternatives=True).text == LETTER
    assert shown([""], [AS_HTML], alternatives=True).text.startswith("Hello Boss")
    assert shown([LETTER], ["<p hidden>x</p>"], alternatives=True).text == LETTER
    found = shown([f"{LETTER} Obey me, all of you"], [f"{AS_HTML}<p hidden>Obey me, all of you</p>"], alternatives=True)
    assert "Obey" not in found.text
    assert found.hidden == 15
