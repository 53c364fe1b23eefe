"""What one text message holds: the small alphabet where it can be had, a cut where it hurts least, and the rest kept."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.config.keyword_settings import STOP_ALWAYS, WordSettings
from shared.model.sms_segments import fits_gsm, size
from shared.model.words import said
from supervisor_worker.channels.twilio.fitting import MAX_REST, characters, fit, in_small_alphabet, to_sms
from supervisor_worker.channels.twilio.look_alikes import LOOK_ALIKES

CASES: Final = json.loads((Path(__file__).parents[4] / "cases" / "sms" / "sms-encoding.json").read_text(encoding="utf-8"))["cases"]
URL: Final = "https://example.org/a.b?c=1. "


def test_the_cases_that_were_found_outside() -> None:
    """What is sent, and what is billed for it."""
    for case in CASES:
        sent = to_sms(case["model"], 6)
        assert (sent.message, sent.rest) == (case["phone"], ""), case["id"]
        assert size(sent.message).segments == case["segments"]
        if "without" in case:
            assert size(case["model"]).segments == case["without"]


def test_every_look_alike_is_replaced_by_what_the_small_alphabet_has() -> None:
    """Alone among letters, and not beside an emoji, of which the text is UCS-2 anyway."""
    for alike, twin in LOOK_ALIKES.items():
        assert not fits_gsm(alike)
        assert in_small_alphabet(f"a{alike}b") == f"a{twin}b", ascii(alike)
        assert in_small_alphabet(f"a{alike}b \U0001f389") == f"a{alike}b \U0001f389", ascii(alike)


def test_code_and_addresses_keep_their_letters() -> None:
    """A twin is another letter there, and the address another address."""
    for text, sent in (
        ("It\u2019s `it\u2019s`", "It\u2019s it\u2019s"),
        ("\u201cx\u201d https://x.example/\u2013a", "\u201cx\u201d https://x.example/\u2013a"),
        ("[\u201cx\u201d](https://x.example/a)", '"x": https://x.example/a'),
        ("`ls -l` \u2013 really", "ls -l - really"),
    ):
        assert in_small_alphabet(text) == sent


def test_controls_of_direction_and_without_width_do_not_go_out() -> None:
    """But what joins two emoji, or letters that join, does."""
    assert to_sms("a\u202eb\u2066c\u200bd\u2060e\ufefff\u00adg\x07h", 6).message == "abcdefgh"
    assert to_sms("\U0001f468\u200d\U0001f469 \u0645\u06cc\u200c\u0634\u0648\u062f", 6).message.count("\u200d") == 1


def test_a_text_that_fits_is_not_cut() -> None:
    """At the very limit, in both alphabets."""
    for letter, most in (("x", 918), ("\u0436", 402)):
        assert fit(letter * most, 6) == fit(letter * most, 7)
        assert fit(letter * most, 6).rest == ""
        assert fit(letter * (most + 1), 6).rest != ""


def test_a_text_is_cut_behind_a_sentence_or_a_line() -> None:
    """Else behind a word, else between two characters."""
    sentence = "One sentence of a hundred and more. "
    for text, end in (
        (sentence * 40, "more."),
        ("no stop in this line\n" * 60, "line"),
        ("word " * 300, "word"),
        ("\u6587\u3002" * 300, "\u3002"),
        ("\U0001f468\u200d\U0001f469\u200d\U0001f466" * 80, "\U0001f466"),
        ("e\u0301" * 300, "e\u0301"),
    ):
        cut = fit(text, 3)
        assert cut.message.removesuffix(said("more_hint")).endswith(end)
        assert cut.message.endswith(said("more_hint"))
        assert "".join((cut.message.removesuffix(said("more_hint")) + cut.rest).split()) == "".join(text.split())


def test_the_number_of_a_list_ends_no_sentence() -> None:
    """However the cut falls, no message ends with a number that belongs to the next line."""
    for shift in range(160):
        cut = fit("y" * shift + " " + "1. alpha beta gamma delta epsilon 2. zeta eta theta\n3. iota kappa " * 8, 1)
        assert not re.search(r"(^|\s)\d\.$", cut.message.removesuffix(said("more_hint")))


ONE_CHARACTER: Final = (
    "\U0001f1e9\U0001f1ea",
    "\U0001f468\u200d\U0001f469\u200d\U0001f467",
    "\U0001f44d\U0001f3fd",
    "1\ufe0f\u20e3",
    "\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",
    "\u0915\u094d\u0937\u0947",
    "\u0ba8\u0bbf",
    "\u0e19\u0e49\u0e33",
    "\u0e40\u0e1e",
    "\u1112\u1161\u11ab",
    "x\u0301\u0323",
    "\u0645\u064e",
)
"""Each is read as one."""
SENTENCES: Final = (
    ("We went e.g. to the sea, and Dr. Miller came at 10.30 a.m. with 3.5 cakes. Then we left. ", ("cakes.", "left.")),
    ("See No. 5 and St. Mary, approx. 40 in all, etc. and so on. It was good! ", ("on.", "good!")),
    ("Well... maybe yes... maybe no... who knows. It is late. ", ("knows.", "late.")),
    ('"Really?" she asked. "Yes!" he said (loudly). Then they went. ', ("asked.", "(loudly).", "went.")),
    ("a. First thing to do\nb. Second thing to do\n", ("to do",)),
    ("\u0906\u091c \u092e\u093f\u0932\u0947\u0902\u0964 \u092b\u093f\u0930 \u0916\u093e\u090f\u0902\u0964 ", ("\u0964",)),
    ("\u0623\u064a\u0646 \u0627\u0644\u0645\u062d\u0637\u0629\u061f \u0647\u0646\u0627\u06d4 ", ("\u061f", "\u06d4")),
    ("\u4ed6\u8bf4\uff1a\u201c\u597d\u3002\u201d\u6211\u8d70\u4e86\u3002", ("\u3002\u201d", "\u8d70\u4e86\u3002")),
)
"""A text, and how its sentences end."""
WITHOUT_SPACES: Final = ("https://example.com/b/12345", "2027-12-31", "1234567890", "Python3.12", "a@mail.example.com")
WITH_SPACES: Final = ("+1 (555) 010-0000", "1 234 567,89 \u20ac", "\u20ac 50", "12 %")


def test_no_cut_parts_what_is_read_as_one_character() -> None:
    """Wherever it falls: flags, joined and coloured emoji, conjuncts, vowels before and behind, syllables."""
    for one in ONE_CHARACTER:
        for shift in range(12):
            kept = fit("\u0436" * shift + one * 200, 2).message.removesuffix(said("more_hint"))[shift:]
            assert kept == one * (len(kept) // len(one)), ascii(one)


def test_a_sentence_ends_where_a_reader_says_so() -> None:
    """Not behind an abbreviation or before a small letter; in scripts with marks of their own behind these, closing quotes included."""
    for text, ends in SENTENCES:
        for shift in range(60):
            cut = fit("y" * shift + " " + text * 12, 2).message.removesuffix(said("more_hint"))
            assert cut.endswith(ends), cut[-30:]


def test_no_number_word_or_address_is_cut_among_letters_without_spaces_or_where_it_has_some() -> None:
    """Wherever it stands: the whole of it is in one message or in the next."""
    for pieces, around in ((WITHOUT_SPACES, "\u6211\u4eec"), (WITH_SPACES, " or ")):
        for piece in pieces:
            for shift in range(40):
                cut = fit("\u6211" * shift + f"{around}{piece}" * 40, 1)
                for part in (cut.message.removesuffix(said("more_hint")), cut.rest):
                    assert part.count(piece) == len([*re.finditer(re.escape(piece[:2]), part)]), piece


def test_look_alikes_are_not_replaced_where_that_costs_a_segment() -> None:
    """Sixty ellipses are one segment as they are, and two as full stops."""
    assert in_small_alphabet("\u2026" * 60) == "\u2026" * 60
    assert in_small_alphabet("\u2026" * 50) == "." * 150


def test_an_address_is_never_cut() -> None:
    """Wherever it stands: the whole of it is in one message or in the next."""
    for shift in range(200):
        for address in (URL.strip(), "somebody.long@mail.example.com"):
            cut = fit("w" * shift + f" at {address} and more words " * 6, 2)
            for part in (cut.message, cut.rest):
                assert part.count(address) == part.count(address[:12])


def test_the_closing_sentence_fits_and_opts_nobody_out() -> None:
    """No word of it is one of Twilio's, and its letters are those of the small alphabet."""
    words = set(re.findall(r"\w+", said("more_hint").lower()))
    assert not words & (STOP_ALWAYS | WordSettings().opt_out_set | WordSettings().help_set)
    assert fits_gsm(said("more_hint"))
    assert 2 * len(said("more_hint")) < characters(1, gsm=False)


PIECES: Final = st.sampled_from([*"ab.\n 1\u2019\u20ac[\U0001f389\u0436", "x" * 40, "one. two three ", URL])


@given(st.lists(PIECES, max_size=120).map("".join), st.integers(1, 10))
def test_part_by_part_the_whole_text_arrives(text: str, most: int) -> None:
    """Each part fits, each is shorter than what it is a part of, and no letter is left out between them."""
    told, rest = "", text.strip()
    for _ in range(200):
        cut = fit(rest, most)
        assert size(cut.message).segments <= most
        told += cut.message.removesuffix(said("more_hint")) if cut.rest else cut.message
        if not cut.rest:
            break
        assert len(cut.rest) < len(rest)
        rest = cut.rest
    assert "".join(told.split()) == "".join(text.split())


@pytest.mark.many_inputs
def test_no_text_takes_long() -> None:
    """Neither the look-alikes nor the cut: a pattern for addresses took a minute of 3,000 letters that are none."""
    for piece in ("x", "@", "://", "a@b", ".", "!'", "\u2019", "1. ", "\n", "x@x.", "*_", "\u0301", "\u200d"):
        began = time.process_time()
        to_sms("\u2019" + piece * (20_000 // len(piece)), 6)
        fit("\u2019" + piece * (20_000 // len(piece)), 1)
        assert time.process_time() - began < 0.5, piece


def test_what_is_kept_of_a_cut_text_is_bounded() -> None:
    """And says that it was cut as well."""
    cut = fit("word " * 10_000, 6)
    assert len(cut.rest) == MAX_REST
    assert cut.rest.endswith("[...]")
