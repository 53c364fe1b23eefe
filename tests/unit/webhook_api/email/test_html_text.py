"""HTML to text: the words of real mails, and bombs."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.effort import THOROUGH
from webhook_api.email.html_text import Shown, read, to_text


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


NO_WORDS = [
    "<script><!--<script></script>never--></script>seen",
    "<!never><?never>seen",
    "<!x " + "never " * 200 + ">seen",
    "<!-->seen<!-- never --!>",
    "<title>never</title>seen",
    "<iframe>never</iframe>seen",
]
SHEET = "<style>{}</style><p class='x y' id=z>never</p><p>seen</p>"
ALONE = [
    "<p hidden>never</p><p>seen</p>",
    "<p HIDDEN=''>never</p><p>seen</p>",
    "<div hidden=until-found><p>never</div><p>seen",
    *(
        f"<div><span style='{style}'>never</span></div><p>seen</p>"
        for style in (
            "display:none",
            "DISPLAY : NONE ! IMPORTANT",
            "color:red;;display:none",
            "d\\69splay:n\\6f ne",
            "dis/* x */play:block;display/**/:none",
            "display&#58;none",
            "display:none;display:nonsense",
            "display:none!important;display:block",
            "background:url(data:image/png;base64,AA);display:none",
            "visibility:hidden",
            "visibility:collapse",
            "content-visibility:hidden",
            "opacity:0",
            "opacity:.01",
            "opacity:0%",
            "filter:opacity(0)",
            "font-size:0",
            "font-size:0px",
            "font-size:.0em",
            "font-size:1px",
            "font-size:1pt",
            "font-size:2%",
            "font:0/0 a",
            "font:bold 1px Arial",
            "mso-hide:all",
            "position:absolute;left:-9999px",
            "position:fixed;top:-100em",
            "position:absolute;left:-100vw",
            "position:relative;right:9999px",
            "position:absolute;left:calc(-5000px)",
            "position:absolute;inset:-9999px",
            "text-indent:-9999px",
            "text-indent:100%;white-space:nowrap;overflow:hidden",
            "margin-left:-9999px",
            "margin:0 0 0 -9999px",
            "transform:translateX(-9999px)",
            "transform:scale(0)",
            "height:0;overflow:hidden",
            "max-height:0;overflow:hidden;mso-hide:all",
            "width:1px;height:1px;overflow:hidden;position:absolute",
            "position:absolute;clip:rect(0 0 0 0)",
            "position:absolute;clip:rect(1px, 1px, 1px, 1px)",
            "clip-path:inset(50%)",
            "clip-path:circle(0)",
            "color:#fff",
            "color:#FEFEFE",
            "color:white",
            "color:snow",
            "color:rgb(255, 255, 255)",
            "color:rgb(100% 100% 100% / 1)",
            "color:hsl(0,0%,100%)",
            "color:transparent",
            "color:rgba(0,0,0,0)",
            "color:#0000",
            "-webkit-text-fill-color:transparent",
            "color:red;background:red",
            "background-color:#008080;color:teal",
            "background:linear-gradient(#123456,#123456);color:#123456",
            "color:green;color:white;color:nonsense",
        )
    ),
    "<font color=white>never</font> <p>seen",
    "<font color='#FFFFFF'>never</font> <p>seen",
    "<table bgcolor=black><tr><td><font color='000000'>never</font></td></tr></table>seen",
    "<table><tr><td bgcolor=navy><b><span style='color:#000080'>never</span></b></td></tr></table>seen",
    "<body bgcolor=#112233 text=112233>never<p style='color:white'>seen",
    "<div style='background:black;color:white'><p style='color:inherit;background:white'>never</p></div>seen",
    "<div style='opacity:.3'><p style='opacity:.3'>never</p></div>seen",
    "<div style='font-size:.2em'><p style='font-size:.2em'>never</p></div>seen",
    "<div style=display:none><p style='display:block;visibility:visible'>never</p></div>seen",
    "<div style=opacity:0><p style=opacity:1>never</p></div>seen",
    "<b><i hidden></b>never</i><p>seen",
    "<span><div hidden></span>never</div>seen",
    "<b><div hidden></b>never</div>seen",
    "<p><font color=white></p>never</font>seen",
    "<div hidden><table><tr><td></div>never</table></div>seen",
    "<span hidden <b>never</b></span> <p>seen",
    "<span title='>' hidden>never</span> seen",
    "<div/hidden>never</div>seen",
    "<template><template></template>never</template>seen",
    "<noscript>never</noscript>seen",
    "<svg><text>never</text></svg>seen",
    "<svg><g><p>seen",
    "seen <a title='never",
    "<datalist><option>never</datalist>seen",
    *(
        SHEET.format(rules)
        for rules in (
            ".x{display:none}",
            "#z{display:none}",
            "p.x.y#z{display:none}",
            "body p.x{display:none}",
            "html>body>.y{display:none}",
            "a,.x , b{color:#fff}",
            "p[id]{display:none}",
            "[class~=y]{display:none}",
            "[class^='x ']{display:none}",
            "<!-- .x{display:none} -->",
            "/* } */.x{display:none}",
            ".\\78{display:none}",
            ".x{display:none}.y{display:none}@media print{.x{display:block}}",
            "@media screen{.x{display:none}}",
            "@media (min-width:1px){.x{display:none}}",
            "@media not print{.x{display:none}}",
            "@supports (color:red){.x{display:none}}",
            "@import url(x);@font-face{font-family:a}.x{visibility:hidden}",
            ".x{display:none!important}#z{display:block}",
            ".q{}.x{font-size:0}",
        )
    ),
    "<p class=x>never</p>seen<style>.x{display:none}</style>",
]


@pytest.mark.parametrize("source", ALONE)
def test_words_that_html_hides_are_left_out_and_counted(source: str) -> None:
    """By an attribute, a style, a sheet or a colour, and however the tags around them are nested."""
    shown = read(source)
    assert shown.text.split() == ["seen"]
    assert shown.hidden >= source.count("never")


@pytest.mark.parametrize("source", NO_WORDS)
def test_what_is_no_text_of_the_mail_is_left_out_and_not_counted(source: str) -> None:
    """Scripts, titles, comments and declarations, as a browser cuts them; an empty drawing hides nothing."""
    assert read(source) == Shown("seen")


SEEN = [
    "<p style='display:block'>seen</p>",
    "<div style='visibility:hidden'><p style='visibility:visible'>seen</p></div>",
    "<div style='font-size:0'><div style='font-size:13px'>seen</div></div>",
    "<div hidden style='display:block'>seen</div>",
    "<div style='text-indent:-9999px'><p style='text-indent:0'>seen</div>",
    "<p hidden><p>seen",
    "<dl><dd hidden><dd>seen</dl>",
    "<table><tr hidden><td></td><tr><td>seen</table>",
    "<td hidden>seen",
    "<a hidden><a>seen",
    "<font color=white><table bgcolor=navy><tr><td>seen",
    "<font color=white><div></font>seen</div>",
    "<body bgcolor=#222222 text=#eeeeee>seen",
    "<div style='background:#222;color:#fff'>seen</div>",
    "<div style='background:url(x.png);color:#fff'>seen</div>",
    "<div style='color:#fff;background:linear-gradient(red,blue)'>seen</div>",
    "<div style='color:#fff'><a href=x>seen</a></div>",
    "<p style='color:#ddd'>seen",
    "<p style='color:var(--x)'>seen",
    "<p style='left:-9999px'>seen",
    "<p style='height:0'>seen",
    "<p style='height:20px;overflow:hidden'>seen",
    "<p style='opacity:.6'>seen",
    "<p style='font-size:8px'>seen",
    "<p style='font:bold 12px/0 Arial'>seen",
    "<p style='margin:-20px'>seen",
    "<p style='font-family:\"x;display:none\"'>seen",
    "<p style='display:none;display:block'>seen",
    "<p style='background:none'>seen",
    "<head><title>T</title><body>seen",
    "<head><p>seen",
    "<svg viewBox='0 0 1 1'/>seen",
    "<style>@media print{p{display:none}}@media (max-width:600px){p{display:none}}</style><p>seen",
    "<style>@media (prefers-color-scheme:dark){p{color:#fff}}p:hover{display:none}p.q{display:none}q p{display:none}</style><p>seen",
    "<style>.m{display:none}.m{display:block}</style><p class=m>seen",
    "<style>p{display:none}#a{display:block}</style><p id=a>seen",
    "<style>p{display:none}</style><p style=display:block>seen",
    "<style>@keyframes a{p{display:none}}</style><p>seen",
    "<style media=print>p{display:none}</style><p>seen",
    "<!--[if mso]><style>p{display:none}</style><![endif]--><p>seen",
    "<![if !mso]>seen<![endif]>",
    "<div hidden></div>seen",
    "<br hidden>seen",
    "<input type=hidden>seen",
]


@pytest.mark.parametrize("source", SEEN)
def test_words_that_a_person_sees_are_kept(source: str) -> None:
    """What looks like hiding and is none, or is undone further in; an implied end tag ends what was hidden."""
    assert read(source) == Shown("seen")


def test_a_newsletter_keeps_its_words_and_loses_its_preheader() -> None:
    """As mail programs write them: a sheet for phones, a hidden first line, tables whose gaps have no size, a note for Outlook."""
    source = """<!doctype html><html><head><style type="text/css">#outlook a{padding:0}.ExternalClass{width:100%}
    @media only screen and (max-width:480px){.desk{display:none!important}.phone{display:block!important}}.phone{display:none}
    </style></head><body style="margin:0;background-color:#f4f4f4">
    <div style="display:none;max-height:0;overflow:hidden;mso-hide:all">Read me first&zwnj;&nbsp;</div>
    <!--[if mso]><table><tr><td>Outlook<![endif]--><table bgcolor="#ffffff"><tr><td style="font-size:0;padding:8px">
    <div class="desk" style="font-size:13px;color:#333">Dear Ada,<br>your order <b>4711</b> is here.</div>
    <div class="phone">On a phone</div></td></tr><tr><td bgcolor="#003366" style="color:#ffffff">
    <a href="https://shop.example" style="color:#ffffff">Shop</a></td></tr></table></body></html>"""
    shown = read(source)
    assert [line for line in shown.text.split("\n") if line.strip()] == [
        "Dear Ada,",
        "your order 4711 is here.",
        "Shop (https://shop.example)",
    ]
    assert [piece.split() for piece in shown.unseen] == [["Read", "me", "first\u200c"], ["On", "a", "phone"]]


LINKS = [
    ('Is <a href="https://shop.example/item/42">this one</a> any good?', "Is this one (https://shop.example/item/42) any good?"),
    (
        '<a href="https://shop.example">https://shop.example/</a>, <a href="http://www.a.example/">A.example</a>',
        "https://shop.example/, A.example",
    ),
    (
        '<a href="mailto:ada@example.com?subject=x">ada@example.com</a> <a href="mailto:ada@example.com">Ada</a>',
        "ada@example.com Ada (mailto:ada@example.com)",
    ),
    ('<a href="tel:+15551234567">+1 (555) 123-4567</a> <a href="tel:+15551234567">call</a>', "+1 (555) 123-4567 call (tel:+15551234567)"),
    ('<a href="https://evil.example">https://bank.example</a>', "https://bank.example (https://evil.example)"),
    ('<a href="https://x.example/1"><p>one</p><p>two</p></a>three', "one (https://x.example/1)\n\ntwo\n\nthree"),
    ('<a href="https://x.example/1">click<br>here </a> now', "click\nhere (https://x.example/1) now"),
    ('<a href="https://x.example/1">here<br></a>now', "here (https://x.example/1)\nnow"),
    ('<p><a href="https://x.example/1">one<p>two</a> three', "one (https://x.example/1)\n\ntwo three"),
    ('<ul><li><a href="https://x.example/1">one</a><li>two</ul>', "- one (https://x.example/1)\n- two"),
    ('<blockquote><a href="https://x.example/1">a</a></blockquote>', "> a (https://x.example/1)\n>"),
    ('<a href="https://x.example/1">a</a> <a href="https://x.example/2">b</a>', "a (https://x.example/1) b (https://x.example/2)"),
    ('<a href="https://x.example/1"><img src=x alt="Buy now" width=100></a>', "[picture: Buy now] (https://x.example/1)"),
    ('<a href=" https://x.example/a\nb c ">y</a>', "y (https://x.example/ab%20c)"),
    ('<a href="javascript:alert(1)">x</a> <a href="#top">up</a> <a>z</a> <a href="data:text/html,x">d</a>', "x up z d"),
    ('<a href="https://x.example/1"><span hidden>never</span></a>seen', "seen"),
    ('<span hidden><a href="https://x.example/1">never</a></span>seen', "seen"),
    ('<img alt="a red bike" src="cid:1"> <img src=x> <img alt=" "> <img alt="😀">!', "[picture: a red bike]   😀!"),
    (
        '<img alt="never" width=1 height=1><img alt="never" style="display:none"><style>.s{width:1px}</style><img alt=never class=s>seen',
        "seen",
    ),
    ('<i hidden><img alt="never"></i>seen', "seen"),
]


@pytest.mark.parametrize(("source", "text"), LINKS)
def test_links_keep_their_target_and_pictures_what_they_show(source: str, text: str) -> None:
    """Unless the words are the target, nobody could open it, or nobody sees it."""
    shown = read(source)
    assert shown.text == text
    assert shown.hidden == source.count("never") * len("never")


@pytest.mark.many_inputs
def test_what_is_said_beside_the_words_is_short_and_the_rest_is_hidden() -> None:
    """Descriptions and targets are read by nobody who writes to others: they are no place for many words."""
    shown = read(f'<img alt="{"word " * 100}">seen')
    assert (shown.text.count("word"), shown.hidden) == (40, 60 * 4)
    assert len(read(f'<a href="https://x.example/{"y" * 5_000}">seen</a>').text) < 350
    many = read('<img alt="some words">' * 5_000 + "".join(f'<a href="https://x.example/{number}">y</a>' for number in range(5_000)))
    assert len(many.text) < 40_000
    assert many.text.count("words") * 9 + many.hidden == 5_000 * 9


def test_hidden_markup_makes_no_lines_and_no_quotes() -> None:
    """What is not seen does not break the lines of what is."""
    assert to_text("one <span hidden><br><p>x</p><ul><li>y</ul></span>two") == "one two"
    assert to_text("<blockquote hidden>x<blockquote>y</blockquote></blockquote>seen") == "seen"


SHARE = 1 if THOROUGH else 4
"""A quarter of each input by default: what costs more than its length shows at that length too."""
MOST_SECONDS = 4 if THOROUGH else 2.5  # 0.3 to 1.5 on an idle core for the whole, twice that on one that is shared


def of(number: int) -> int:
    """So many by default of a `number` in the whole."""
    return number // SHARE


BOMBS = {
    "divs": "<div>" * of(200_000),
    "bold": "<b>x" * of(250_000),
    "tables": "<table><tr><td>" * of(66_000),
    "wide rows": "<table><tr><td>" + "x" * of(20_000) + "</td></tr>" + "<tr><td>a" * of(50_000),
    "margins": '<div style="margin-left:9999999em">x</div>' * of(20_000),
    "open tags": "<a b=" * of(200_000),
    "open quotes": "<a '<a \"" * of(120_000),
    "declarations": "<!" * of(500_000),
    "comments": "<!--" * of(250_000),
    "scripts": "<script>" * of(120_000),
    "less": "<" * of(1_000_000),
    "ampersands": "&" * of(1_000_000),
    "quotes": "<blockquote>x" * of(76_000),
    "breaks": "<br>" * of(250_000),
    "entities": "&#x41;" * of(160_000),
}
CROWDS = {
    "fonts": "".join(f"<p><font a={number}>x</p>" for number in range(of(40_000))),
    "formatting again": "".join(f"<b id={number}>" for number in range(400)) + "<p>x</p>" * of(100_000),
    "formatting around blocks": ("<b><div>" * 240 + "</b>" * 240) * 300,
    "ends of nothing": ("<div>" * 480 + "<p></span></p>") * 300,
    "cells": "<table><tr>" + "<td>x" * of(180_000),
    "styles": "".join(f'<i style="color:#{number % 4096:03x};font-size:{number}px">x</i>' for number in range(of(20_000))),
    "rules": "<style>" + ".a{color:red}" * of(20_000) + "</style>" + "<i class=a>x</i>" * of(30_000),
    "rules below": "<style>" + "div .a .b{color:red}" * of(5_000) + "</style>" + "<div>" * 200 + "<i class=b>x</i>" * of(30_000),
    "braces": "<style>" + "{" * of(900_000) + "</style>x",
    "at rules": "<style>" + "@media{" * of(120_000) + "</style>x",
    "selectors": "<style>" + "a," * of(200_000) + "a>" * of(200_000) + "{display:none}</style>x",
    "css quotes": "<style>" + "a{b:\"'" * of(120_000) + "</style>x",
    "css brackets": '<i style="' + "((((" * of(200_000) + '">x',
    "css comments": "<style>" + "/*" * of(400_000) + "</style>x",
    "css escapes": '<i style="' + "\\61 " * of(200_000) + '">x',
    "attributes": "<i " + "a=1 " * of(240_000) + ">x",
    "classes": "<style>.x{color:red}</style>" + '<i class="' + "a " * of(400_000) + '">x',
    "svg": "<svg>" * of(100_000) + "x",
    "half scripts": "<script><!--" * of(80_000),
    "hidden words": "<i hidden>x</i>" * of(66_000),
    "links": "<a href=x>y" * of(90_000),
    "targets": "<a href=http://x>y<p>" * of(20_000),
    "pictures": "<img alt=x style=color:red>" * of(12_000),
}


@pytest.mark.many_inputs
@pytest.mark.parametrize("name", CROWDS)
def test_no_nesting_and_no_style_costs_more_than_its_length(name: str) -> None:
    """300 kB of what makes a browser work: read in the time that its length takes, or cut with a mark that says so."""
    start = time.thread_time()
    text = to_text(CROWDS[name][: 300_000 // SHARE])
    assert time.thread_time() - start < MOST_SECONDS
    assert len(text) <= 300_000 // SHARE


@pytest.mark.many_inputs
@pytest.mark.parametrize("name", BOMBS)
def test_no_megabyte_of_html_takes_long_or_grows(name: str) -> None:
    """A layout engine makes 100 MB of 65 kB; here the text is at most twice the input, and quick."""
    start = time.thread_time()
    text = to_text(BOMBS[name])
    assert time.thread_time() - start < MOST_SECONDS
    assert len(text) <= 2 * len(BOMBS[name])


@given(
    st.lists(
        st.sampled_from(
            [
                "<b>",
                "</b>",
                "<i hidden>",
                "</i>",
                "<p>",
                "</p>",
                "<table>",
                "<tr>",
                "<td hidden>",
                "</td>",
                "</table>",
                "<a>",
                "</a>",
                "<a href='https://x.example'>",
                "<img alt='word '>",
                "<img alt=word width=0>",
            ]
        )
        | st.sampled_from(
            ["<div style='font-size:0'>", "</div>", "<li>", "</li>", "<svg>", "</svg>", "<font color=white>", "</font>", "<h1>", "</h2>"]
        )
        | st.just("word "),
        max_size=40,
    ).map("".join)
)
def test_every_word_is_either_seen_or_counted(source: str) -> None:
    """However tags are nested, nothing gets lost on the way."""
    shown = read(source)
    assert shown.text.count("word") * len("word") + shown.hidden == source.count("word") * len("word")


@given(st.text(alphabet="<>!-/ab'\"&#;x1 \n\x00", max_size=300))
def test_nothing_between_angle_brackets_raises(html: str) -> None:
    """Any soup gives a text."""
    assert isinstance(to_text(html), str)


def test_an_address_that_a_program_forgot_to_escape_is_read() -> None:
    """Browsers take it for a tag; without it nobody knows whose quote stands below. Nothing else of a tag is."""
    said = "<p>On 3 May 2027 at 10:00, Ben <ben@shop.example> wrote:</p><p>See <https://shop.example/10> and <HTTP://a.example></p>"
    assert to_text(said) == (
        "On 3 May 2027 at 10:00, Ben <ben@shop.example> wrote:\n\nSee <https://shop.example/10> and <HTTP://a.example>"
    )
    for source in ("<ben@shop.example a>x", "<a ben@shop.example>x", "</ben@shop.example>x", "<https:>x", "<x:y>x", "<b@>x"):
        assert to_text(source) == "x", source
    assert to_text("<p hidden>a <ben@shop.example> b</p>c") == "c"


def test_what_a_reader_sees_besides_the_words_is_written() -> None:
    """Numbers of lists, words that are struck through, line ends where the style shows them, lines that a style makes."""
    cases = {
        "<ol><li>One<li>Two<ul><li>Sub</ul><li value=7>Seven</ol>": "1. One\n2. Two\n\n- Sub\n\n7. Seven",
        "<ol start=3 type=a><li>c<li>d</ol><ol><li>one</ol>": "c. c\nd. d\n\n1. one",
        "<ol type=A start=99><li>x</ol><li>loose": "99. x\n\n- loose",
        "<ul><li>One<ol><li>Sub</ol><li>Two</ul>": "- One\n\n1. Sub\n\n- Two",
        "</ol></ul><li>a": "- a",
        "<p>Meet <s>Monday</s> Tuesday, <strike><b>10</b></strike> <del>11</del> 12</p>": "Meet ~~Monday~~ Tuesday, ~~10~~ ~~11~~ 12",
        "<p>a <s></s><del><span hidden>x</span></del>b</p>": "a b",
        "<p><s>a</p><p>b</s></p>": "~~a\n\nb~~",
        '<div style="white-space: pre-wrap">Yes.\n\nBen wrote:\n&gt; Ten\n&gt;  bikes</div>': "Yes.\n\nBen wrote:\n> Ten\n> bikes",
        '<p>Hello <span style="white-space:pre-wrap">bold</span> more</p>': "Hello bold more",
        '<div style="white-space:pre-line">\n  <div>One</div>\n  <div>Two</div>\n</div>\n<p>a\nb</p>': "One\nTwo\n\na b",
        '<style>.t{white-space:pre-wrap}</style><p class=t>a\nb<i style="white-space:normal">c\nd</i></p>': "a\nbc d",
        '<span style="display:block">One</span><span style="display: block;">Two</span>': "One\nTwo",
        "<select><option>Yes<option>No</select><details><summary>More</summary>inner</details>": "Yes\nNo\nMore\ninner",
        "<blockquote type=cite><ol><li>Apples<li>Pears</ol></blockquote>": "> 1. Apples\n> 2. Pears\n>",
    }
    assert {source: to_text(source) for source in cases} == cases


def test_outlooks_bar_on_the_left_is_a_quote() -> None:
    """What stands behind it is the author's again; a box of the author's own is none."""
    bar = "<div style='border:none;border-left:solid blue 1.5pt;padding:0cm 0cm 0cm 4.0pt'>"
    assert to_text(f"<p>Hi</p>{bar}<p>Ten?</p></div><p>Yes.</p>") == "Hi\n\n> Ten?\n>\nYes."
    for style in (
        "border-left:solid blue 1.5pt",
        "border:solid red 1pt;padding:4pt",
        "border:none;border-top:solid #E1E1E1 1.0pt;padding:3pt",
    ):
        assert to_text(f'<div style="{style}">Mine</div>') == "Mine"


def test_an_address_in_brackets_that_is_a_link_is_written_once() -> None:
    """As Thunderbird and Gmail make it of a sender's."""
    assert to_text('Ben <a href="mailto:ben@shop.example">&lt;ben@shop.example&gt;</a> wrote:') == "Ben <ben@shop.example> wrote:"
    assert to_text('<a href="https://shop.example/x">[https://shop.example/x]</a>') == "[https://shop.example/x]"
    assert "mailto:eve" in to_text('<a href="mailto:eve@evil.example">&lt;ben@shop.example&gt;</a>')
