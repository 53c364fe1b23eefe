"""Text from outside: decoded, cleaned, bounded."""
# ruff: noqa: RUF001 - letters of other scripts are the point

from __future__ import annotations

import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.model.text import (
    _LINE_ENDS,
    _SURROGATES,
    _UNSEEN,
    Seen,
    _composed,
    _kept,
    _plain,
    capped,
    clean,
    decode,
    one_line,
    seen,
    seen_line,
    without_accents,
)


@pytest.mark.parametrize(
    ("raw", "charset", "text"),
    [
        (b"Gr\xfc\xdfe", "iso-8859-1", "Grüße"),
        ("Grüße".encode(), "UTF-8", "Grüße"),
        ("Grüße".encode(), "", "Grüße"),
        (b"\x93hi\x94", "", "“hi”"),
        (b"\x93hi\x94", "windows-1252", "“hi”"),
        ("привет".encode("koi8-r"), "KOI8-R", "привет"),
        ("日本".encode("iso2022_jp"), "iso-2022-jp", "日本"),
        ("中文".encode("gb18030"), "gb18030", "中文"),
        ("Grüße".encode(), "us-ascii", "Grüße"),
        ("Grüße".encode(), "x-made-up", "Grüße"),
        (b"Gr\xfc", "x-made-up", "Grü"),
        ("Grüße".encode(), "unicode_escape", "Grüße"),
        (b"xn--a", "punycode", "xn--a"),
        (b"x", "\x00" * 50, "x"),
        (b"x", "../../etc", "x"),
        (b"x", "a" * 10_000, "x"),
    ],
)
def test_bytes_become_text_by_the_declared_charset_or_a_fallback(raw: bytes, charset: str, text: str) -> None:
    """Legacy charsets hold; a name that is no charset, or a codec that is none, does no harm."""
    assert decode(raw, charset) == text


@given(st.binary(max_size=200), st.text(max_size=20) | st.sampled_from(["utf-7", "utf-16", "hz", "cp037", "idna", "undefined"]))
def test_no_bytes_and_no_charset_raise(raw: bytes, charset: str) -> None:
    """Any bytes under any name give a text."""
    assert isinstance(decode(raw, charset), str)


def tags(text: str) -> str:
    """A text in tag characters, which nobody sees."""
    return "".join(chr(0xE0000 + ord(letter)) for letter in text)


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("a\x00b\x07c\x1b[0m", "abc[0m"),
        ("one\r\ntwo\rthree\u2028four\tfive", "one\ntwo\nthree\nfour\tfive"),
        ("lone \ud800 surrogate", "lone \ufffd surrogate"),
        ("safe\u202egpj.exe\u2066x\u2069", "safegpj.exex"),
        ("zero\u200bwidth\ufeff\u2060", "zerowidth"),
        ("hidden\U000e0041\U000e0042", "hidden"),
        ("cafe\u0301", "café"),
        ("a\u200cb\u200dc\u034f\u3164\u115f\u1160\uffa0\u17b4\xad\u180bd", "abcd"),
        ("a\ufe0f\U000e0100 1\ufe0f é\ufe0e", "a 1 é"),
        ("❤\ufe0f\ufe0f\ufe0e🔥\u200d\u200d👧", "❤\ufe0f🔥\u200d👧"),
        ("👧\u200d here \u200d👧", "👧 here 👧"),
        ("می\u200c\u200c\u200dخواهم", "می\u200cخواهم"),
        ("🏴" + tags("usca\x7f") + "🏴" + tags("gbenghello"), "🏴🏴"),
    ],
)
def test_what_is_not_seen_is_taken_out_and_what_is_meant_stays(text: str, cleaned: str) -> None:
    """Controls, bidi overrides, hidden tags and surrogates go; joined emoji and Persian stay."""
    assert clean(text) == cleaned


LEGITIMATE = {
    "emoji family": "👨\u200d👩\u200d👧\u200d👦 at home",
    "heart on fire": "❤\ufe0f\u200d🔥",
    "couple with skin tones": "👩🏽\u200d❤\ufe0f\u200d💋\u200d👨🏿",
    "pirate flag": "🏴\u200d☠\ufe0f",
    "text heart": "❤\ufe0e",
    "keycaps": "1\ufe0f\u20e3 #\ufe0f\u20e3",
    "trade mark and info": "™\ufe0f ℹ\ufe0f ↔\ufe0f ㊗\ufe0f 🅰\ufe0f",
    "flags": "🇩🇪🇫🇷",
    "England, Scotland and Wales": "🏴" + tags("gbeng\x7f") + " 🏴" + tags("gbsct\x7f") + " 🏴" + tags("gbwls\x7f"),
    "Persian": "می\u200cخواهم کتاب\u200cها را",
    "Persian with a Latin word": "PDF\u200cها",
    "Hijri year": "۱۴۴۷ ه\u200d",
    "Arabic": "السَّلَامُ عَلَيْكُمْ",
    "Hebrew with points": "שָׁלוֹם",
    "Hindi": "हिन्दी क्\u200dष क्\u200cष",
    "Bengali": "র\u200d্য",
    "Malayalam chillu": "അവന്\u200d വന്നു",
    "Sinhala": "ශ්\u200dරී ලංකා",
    "Khmer": "ខ្ញុំ ស្រឡាញ់",
    "Mongolian": "ᠮᠣᠩᠭᠣᠯ\u180e\u1820 ᠨ\u180bᠠ",
    "Thai": "สวัสดีครับ",
    "Japanese": "東京（とうきょう）『本』",
    "Korean": "안녕하세요",
    "combined": "naïve Å ệ",
}


@pytest.mark.parametrize("name", LEGITIMATE)
def test_what_people_write_in_their_own_script_survives(name: str) -> None:
    """Joiners and selectors that are seen by what they do stay, and nothing counts as hidden."""
    text = unicodedata.normalize("NFC", LEGITIMATE[name])
    assert seen(text) == Seen(text, 0)
    assert seen(text * 300) == Seen(text * 300, 0)


IGNORABLE = [
    "ad 34f 61c 115f-1160 17b4-17b5 180b-180f 200b-200f 202a-202e 2060-206f 3164 fe00-fe0f feff ffa0 fff0-fff8",
    " 1bca0-1bca3 1d173-1d17a e0000-e0fff",
]
"""Default_Ignorable_Code_Point of Unicode 16 (DerivedCoreProperties.txt); it has been the same since Unicode 4."""


def test_no_ignorable_character_of_unicode_is_left_where_it_does_nothing() -> None:
    """Each of the 4,174, alone between letters, and in a row of three, where it counts as well."""
    ranges = [[int(end, 16) for end in span.split("-")] for span in " ".join(IGNORABLE).split()]
    letters = [chr(code) for span in ranges for code in range(span[0], span[-1] + 1)]
    assert len(letters) == 4_174
    assert [letter for letter in letters if seen(f"a{letter}b").text != "ab"] == []
    assert [letter for letter in letters if seen(f"a{letter * 3}b") != Seen("ab", 3)] == []


def test_a_letter_that_composing_changes_keeps_the_same_joiners_and_selectors_when_cleaned_again() -> None:
    """All of Unicode's: what becomes of a letter judges the same of what stands beside it."""
    changed = [letter for letter in map(chr, range(0xA0, 0x110000)) if not unicodedata.is_normalized("NFC", letter)]
    assert len(changed) > 1_000
    for mark in ("\u200d", "\u200c", "\ufe0f", "\u180b", "\u3164\u200d", "\ufe0f\u200d"):
        once = clean(" ".join(f"{letter}{mark}{letter}" for letter in changed))
        assert clean(once) == once


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("see" + tags("ignore all"), 10),
        ("s" + tags("a") + "e" + tags("b") + "e", 2),
        ("sh\xady \u200fשלום\u200f x\u200by\ufeff", 0),
        ("see\u200b\u200c\u200d", 3),
        ("😀" + "".join(chr(0xE0100 + byte) for byte in b"secret"), 6),
        ("🏴" + tags("gbeng\x7f") + tags("hello"), 5),
    ],
)
def test_what_was_hidden_is_counted_but_for_what_ordinary_programs_leave(text: str, hidden: int) -> None:
    """Tag characters always; others when more than two stand in a row."""
    assert seen(text).hidden == hidden
    assert seen_line(f"\r\n{text}", 500).hidden == hidden


@given(st.text(alphabet=st.characters(), max_size=200))
def test_cleaned_text_is_utf8_and_composed_and_stays_so(text: str) -> None:
    """It can be stored, compared, and cleaned again without change."""
    once = clean(text)
    assert once.encode().decode() == once
    assert unicodedata.is_normalized("NFC", once)
    assert clean(once) == once


def slowly_clean(text: str) -> str:
    """What `clean` promises, without its short way for plain texts."""
    return _composed(_UNSEEN.sub(_kept, _SURROGATES.sub("\ufffd", _LINE_ENDS.sub("\n", text))))


odd = st.sampled_from(
    [
        "\n",
        "\t",
        "\r\n",
        " ",
        "\u00a0",
        "\u2000",
        "\u2028",
        "\u200b",
        "\u200d",
        "\u0301",
        "e",
        "\u1161",
        "\u1100",
        "\u212b",
        "\U000e0041",
        "\ufe0f",
        "\u200c",
        "م",
        "👧",
        "🏴",
        "\ud800",
    ]
)


@given(st.lists(odd | st.characters(), max_size=60).map("".join), st.sampled_from([1, 40]))
def test_the_short_way_for_plain_texts_changes_no_character(text: str, times: int) -> None:
    """Short or long, with marks to compose, odd spaces and joined letters: both ways give the same."""
    assert clean(text * times) == slowly_clean(text * times)


@pytest.mark.many_inputs
def test_nothing_that_is_hidden_counts_as_plain() -> None:
    """All of Unicode: what takes the short way holds no character that would have been taken out, replaced or counted as a space."""
    plain = "".join(letter for letter in map(chr, range(0x110000)) if _plain(letter))
    assert len(plain) > 100_000
    assert not any(pattern.search(plain) for pattern in (_UNSEEN, _SURROGATES, _LINE_ENDS))
    assert {letter for letter in plain if letter.isspace()} == {" ", "\n", "\t"}


@pytest.mark.many_inputs
def test_a_run_of_combining_marks_takes_no_quadratic_time() -> None:
    """unicodedata.normalize alone takes 5.6 s for these 80,001 characters."""
    start = time.thread_time()
    clean("a" + "\u0301\u0327" * 40_000)
    assert time.thread_time() - start < 1


def test_a_long_text_is_cut_with_a_mark_that_says_so() -> None:
    """The reader learns that there was more, and the limit holds with the mark."""
    cut = capped("x" * 40_000, 16_000)
    assert len(cut) <= 16_000
    assert cut.endswith("[The message was cut here: it had 40000 characters.]")
    assert capped("x" * 16_000, 16_000) == "x" * 16_000


@pytest.mark.many_inputs
def test_accents_and_letters_alike_are_left_out_of_what_is_compared() -> None:
    """As people type on a phone, composed or not; and a long run of marks takes no quadratic time."""
    composed = {"Zurück": "zuruck", "SÌ": "si", "Straße": "strasse"}
    for text, plain in {**composed, "na\u0303o": "nao", "\uff39\uff25\uff33": "yes", "\u0130": "i"}.items():
        assert without_accents(text) == plain == without_accents(plain)
    start = time.thread_time()
    without_accents("a" + "\u0301\u0327" * 40_000)
    assert time.thread_time() - start < 1


def test_a_header_is_one_line() -> None:
    """No line break survives in a subject."""
    assert one_line("a\r\n  b\x00\tc", 10) == "a b c"
