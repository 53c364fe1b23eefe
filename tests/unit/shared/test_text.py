"""Text from outside: decoded, cleaned, bounded."""
# ruff: noqa: RUF001 - letters of other scripts are the point

from __future__ import annotations

import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.text import _HIDDEN, _LINE_ENDS, _SURROGATES, _composed, _plain, capped, clean, decode, one_line


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
        (b"a\xffb\xff\xff\xff", "utf-8", "a\ufffdb\ufffd\ufffd\ufffd"),
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
        ("👨\u200d👩\u200d👧 می\u200cخواهم", "👨\u200d👩\u200d👧 می\u200cخواهم"),
    ],
)
def test_what_is_not_seen_is_taken_out_and_what_is_meant_stays(text: str, cleaned: str) -> None:
    """Controls, bidi overrides, hidden tags and surrogates go; joined emoji and Persian stay."""
    assert clean(text) == cleaned


@given(st.text(alphabet=st.characters(), max_size=200))
def test_cleaned_text_is_utf8_and_composed_and_stays_so(text: str) -> None:
    """It can be stored, compared, and cleaned again without change."""
    once = clean(text)
    assert once.encode().decode() == once
    assert unicodedata.is_normalized("NFC", once)
    assert clean(once) == once


def slowly_clean(text: str) -> str:
    """What `clean` promises, without its short way for plain texts."""
    return _composed(_HIDDEN.sub("", _SURROGATES.sub("\ufffd", _LINE_ENDS.sub("\n", text))))


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
        "\ud800",
    ]
)


@given(st.lists(odd | st.characters(), max_size=60).map("".join), st.sampled_from([1, 40]))
def test_the_short_way_for_plain_texts_changes_no_character(text: str, times: int) -> None:
    """Short or long, with marks to compose, odd spaces and joined letters: both ways give the same."""
    assert clean(text * times) == slowly_clean(text * times)


def test_nothing_that_is_hidden_counts_as_plain() -> None:
    """All of Unicode: what takes the short way holds no character that would have been taken out, replaced or counted as a space."""
    plain = "".join(letter for letter in map(chr, range(0x110000)) if _plain(letter))
    assert len(plain) > 100_000
    assert not any(pattern.search(plain) for pattern in (_HIDDEN, _SURROGATES, _LINE_ENDS))
    assert {letter for letter in plain if letter.isspace()} == {" ", "\n", "\t"}


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


def test_a_header_is_one_line() -> None:
    """No line break survives in a subject."""
    assert one_line("a\r\n  b\x00\tc", 10) == "a b c"
