"""Marking what others wrote: nothing is cut, whatever the client; and the author's own words meet no rule."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.model.marks import MAX_MARKS, MAX_SOURCE
from webhook_api.email.others_words import is_forward
from webhook_api.email.quoting import marks_of

ON = "On Sun, Nov 22, 2026 at 10:02 AM Boss <boss@example.com> wrote:"
AUTHOR = "user@example.com"


def own(text: str, **about: bool) -> str:
    """What is left of a text without what is marked in it."""
    left, position = "", 0
    for mark in marks_of(text, author=AUTHOR, **about):
        left += text[position : mark.start]
        position = mark.end
    return (left + text[position:]).strip()


HEADED = "From: Boss <boss@example.com>\nSent: 3 May 2027 10:02\nTo: Ada\nSubject: X"
QUOTED = [
    ("Yes.\n\n" + ON + "\n\n> How about it?\n>\n", "Yes."),
    ("Yes.\n\nOn Sun, Nov 22, 2026 at 10:02 AM Boss\n<boss@example.com> wrote:\n> How?\n", "Yes."),
    ("Ja.\n\nAm 22.11.2026 um 10:02 schrieb Boss:\n> Wie?", "Ja."),
    ("Ja.\n\nAm 22. Nov. 2026, 10:02, Boss <boss@example.com> schrieb:\n> Wie?", "Ja."),
    ("Oui.\n\nLe dim. 22 nov. 2026 à 10:02, Boss <boss@example.com> a écrit :\n> Quoi ?", "Oui."),
    ("Sí.\n\nEl dom, 22 nov 2026 a las 10:02, Boss (<boss@example.com>) escribió:\n\n> ¿Qué?", "Sí."),
    ("Ok.\n\n-----Original Message-----\nFrom: Boss\nSent: today\n\nold text", "Ok."),
    ("Ok.\n\n________________________________\nFrom: Boss <boss@example.com>\nSent: 22 Nov 2026\nTo: U\nSubject: X\n\nold", "Ok."),
    ("Ok.\n\nVon: Boss\nGesendet: Sonntag, 22. November 2026 10:02\nAn: U\nBetreff: X\n\nalt", "Ok."),
    ("Ok.\n\n*From:* Boss <boss@example.com>\n*Sent:* Sunday, 22 November 2026 10:02\n*To:* U\n*Subject:* X\n\nold", "Ok."),
    ("Only quotes with >\n> old\n> older", "Only quotes with >"),
    ("Fine.\n" + ON + "\nold text without marks", "Fine."),
    (f"Hi,\n{ON}\n> first question?\nMy answer.\n> second?\nAnother.", "Hi,\n\nMy answer.\n\nAnother."),
    (f"{ON}\n> question\nAnswer below.", "Answer below."),
    ("> quoted\nanswer", "answer"),
    (f"{HEADED}\n\n> first question?\n\nMy answer.\n\n> second?\n\nAnother.", "My answer.\n\n\n\nAnother."),
    (f"-----Original Message-----\n{HEADED}\n> question?\nMy answer.", "My answer."),
    ("Ok.\n\n----- Original Message -----\n\nold text\n", "Ok."),
    ("Ok.\n\n*-------- Original Message --------*\n\nold text\n", "Ok."),
    ("--- Original Message ---\nOn 3 May 2027, Ben wrote:\n> question?\nMy answer.", "--- Original Message ---\n\nMy answer."),
]
INLINE = '{}: Ben Lee <ben@shop.example>{}: "ada@example.com" <ada@example.com>{}: Monday, 3 May 2027, 09:26:50 CET{}: Offer\n Buy it.'
FORWARDED = [
    f"----- Forwarded Message ----- {INLINE.format('From', 'To', 'Sent', 'Subject')}",
    f"  ----- Videresendt meddelelse ----- {INLINE.format('Fra', 'Til', 'Sendt', 'Emne')}",
    f"----- Пересылаемое сообщение ----- {INLINE.format('От', 'Кому', 'Отправлено', 'Тема')}",
    f"----- Nghwl yh hoqqa ----- {INLINE.format('From', 'To', 'Sent', 'Subject')}",
    "-------- Nghwl yh hoqqa --------\nNaslov: \tX\nDatum: \tMon, 3 May 2027 15:51:30 +0100\nWho: \tBen <ben@shop.example>\n\n\nBuy it.",
    "-------- Preposlaná správa --- Forwarded Message --------\nPredmet: X\nDátum: 3 May 2027 15:51\nOd: Ben <ben@shop.example>\n\nBuy.",
    "-------- İletilen İleti --------\nKonu: X\nTarih: 3 May 2027 15:51\nKimden: Ben <ben@shop.example>\n\nBuy.",
    "From: Ben <ben@shop.example>\n\nSent: 3 May 2027 15:51\n\nTo: Ada\n\nSubject: X\n\nBuy.",
    "> Nghwl yh hoqqa:\n>\n> Fra: Ben <ben@shop.example>\n> Emne: X\n> Dato: 3. mai 2027 kl. 14.25\n> Til: Ada\n>\n> Buy it.",
    'Message du : 03/05/2027 13:20\nDe : "Ben" <ben@shop.example>\nA : ada@example.com\nCopie à : \nSujet : Devis\n\nDix.',
    "Op 3/5/2027 12:46 heeft Ben <ben@shop.example> geschreven:\n\n    Buy it.\n",
    "---------- Forwarded message ---------\nFrom: A <a@example.com>\nDate: Mon, 23 Nov 2026\nSubject: Offer\nTo: Ada\n\nBuy it.\n\n> no",
    "-------- Weitergeleitete Nachricht --------\nBetreff: X\nDatum: \t3 May 2027 08:00\nVon: \tBen <ben@shop.example>\n\nKauf.",
    "Begin forwarded message:\n\nFrom: Ben <ben@shop.example>\nSubject: Offer\nDate: 3 May 2027 at 08:00:00 CEST\nTo: Ada\n\nBuy it.",
    "From: Ben Miller\nSent: Monday, 3 May 2027 08:00\nTo: Ada Lovelace\nSubject: Offer\n\nBuy it.",
    "差出人: Ben <ben@shop.example>\n送信日時: 2027年5月3日 8:00\n宛先: Ada\n件名: 見積\n\n十台で四十万円です。",
    "Küldte: Ben <ben@shop.example>\nIdő: 2027. május 3. 8:00\nCímez: Ada <user@example.com>\nTéma: Ajánlat\n\nTíz kerékpár.",
]
OWN = [
    "no quote at all\nFrom: here to there\n",
    "As she wrote:\nnothing of the sort is true.",
    "He wrote:\n\nroses are red",
    "Memo\n\nFrom: Ada\nTo: Ben\nDate: 3 May 2027\nSubject: Rent\n\nDear Ben,",
    "A train, please.\n\nFrom: Boston\nTo: Lisbon\nDate: 12 May 2027, 9:00\nContact: user@example.com\nTickets: 2",
    "--- Plan ---\nbread, cheese\n--------------------------------\nFrom: 9:00\nTo: 12:00\nDate: 3 May 2027",
    "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\nHello\n-----BEGIN PGP SIGNATURE-----\niQ==\n-----END PGP SIGNATURE-----",
    ">>> print(1)\n>>> import os",
    "$ ls\nFrom: a\nTo: b\nSubject: c",
    "Sent: 3 parcels\nTo: Ben\nOn: 3 May",
    "I wrote to Ben:\n\nFrom: Ada <user@example.com>\nDate: 3 May 2027 08:00\nTo: Ben <ben@shop.example>\nSubject: Rent\n\nHi",
    "-----BEGIN PGP PUBLIC KEY BLOCK-----\nVersion: GnuPG v2.0.17\nComment: key of ada@example.com\nCharset: utf-8\n\nmQENBE\n",
    "--- Orders ---\nSize: 3 May 2027\nColour: red\nPlace: Leeds 4\n",
    "---- Title ---- and more words: here\nText",
    "---- Contacts ---- From: Rome To: Oslo Date: 3 May",
    "* From: Rome\n* To: Oslo\n* Date: 3 May 2027",
    "| From | To |\n|------|----|\n| Rome | Oslo |",
    "Note: call Tom\nPrice: 30\nDate: 3 May 2027 10:00\nPlace: Leeds",
    "",
    "   \n ",
]


def test_what_a_mail_quotes_is_marked_and_the_rest_is_its_author_s() -> None:
    """The clients of the world, in their languages."""
    assert [own(text) for text, _ in QUOTED] == [left for _, left in QUOTED]


def test_what_somebody_passes_on_is_marked_whole_and_as_such_with_and_without_a_line_above() -> None:
    """From its first line to the end of the mail, with who wrote it and when."""
    for text in FORWARDED:
        for above in ("What do they want?\n\n", ""):
            (mark,) = marks_of(above + text, author=AUTHOR, passed_on=True)
            start, end = len(above) + len(text) - len(text.lstrip()), len((above + text).rstrip())
            assert (mark.kind, mark.start, mark.end) == ("forwarded", mark.start, end), text
            assert mark.start in (len(above), start)
            assert "shop.example" in mark.source or "Ben Miller" in mark.source or "a@example.com" in mark.source
            assert "2026" in mark.source or "2027" in mark.source


def test_the_author_s_own_headings_tables_drafts_prompts_and_signatures_are_never_marked() -> None:
    """Nor is a mail of the author's own that stands in the text."""
    assert [marks_of(text, author=AUTHOR, passed_on=True) for text in OWN] == [()] * len(OWN)


def test_a_line_above_header_lines_stays_the_author_s() -> None:
    """Even one that looks like a label."""
    block = "From: Ben <ben@shop.example>\nSent: Monday, 3 May 2027 08:00\nTo: Ada\nSubject: Offer\n\nBuy it."
    assert own(f"Note: is this good?\n{block}") == "Note: is this good?"


def test_who_wrote_it_and_when_is_said_as_the_text_says_it() -> None:
    """Also by a line that no table knows, which stays its author's; never more than fits."""
    (mark,) = marks_of("Ja.\n\nMan 3. mai 2027 kl. 08:00, Ben <ben@shop.example> sier:\n> Kjøp.")
    assert (mark.source, mark.start) == ("Man 3. mai 2027 kl. 08:00, Ben <ben@shop.example> sier", 61)
    long = f"-----Original Message-----\nFrom: {'Ben ' * 200}<ben@shop.example>\nSent: 3 May 2027 8:00\n\nx"
    assert all(len(mark.source) <= MAX_SOURCE for mark in marks_of(long))


def test_a_text_with_more_parts_than_are_kept_is_marked_as_a_whole_from_there_on() -> None:
    """Rather too much is marked than too little."""
    text = "> a\nb\n" * (MAX_MARKS + 9)
    marks = marks_of(text)
    assert (len(marks), marks[-1].end) == (MAX_MARKS, len(text.rstrip()))


PREFIXES = {
    True: [
        "Fwd: x",
        "FW: x",
        "Fw : x",
        "TR : x",
        "TR\xa0: x",
        "WG: x",
        "İLT: x",
        "Videresend: x",
        "Redir.: x",
        "转发\uff1ax",
        "[Fwd: x]",
        "Enc: x",
    ],
    False: ["Re: x", "Re: Fwd: x", "AW: x", "Trip: Rome", "Forward: the plan", "I am: here", "Invoice: 3"],
}


def test_a_mail_that_is_passed_on_says_so_in_its_subject() -> None:
    """With a blank before the colon, as in French, too; a word that begins alike is none."""
    for expected, subjects in PREFIXES.items():
        assert [is_forward(subject, ["<a@b>"]) for subject in subjects] == [expected] * len(subjects)
        assert all(is_forward(subject, []) for subject in subjects)


BOMBS = {
    "wrote and dated": ("On 3 May 2027 10:00 wrote pisze a@example.com " * 8 + ":\n") * 300,
    "titles": ("--- " + "a" * 50 + " --- From: " * 20 + "\n") * 400,
    "inline": ("----- a b ----- " + "From: To: Cc: " * 60 + "\n") * 200,
    "open addresses": ("a <a@example.com\n>:\nb\n") * 5_000,
    "empty lines": "\n" * 1_020_000,
    "on": "On " + "a " * 500_000,
    "attributions": "1 wrote:\n>\na\n" * 72_000,
    "attributions unquoted": "x\n" + "a\nwrote:\n" * 100_000,
    "from": "From: a\n" * 110_000,
    "from twice": "x\nFrom: a\nFrom: b\n" * 48_000,
    "quotes": "x\n" + ">\n" * 500_000,
    "rules": "x\n" + "_" * 1_000_000,
    "dashes": ("-" * 30 + "\n") * 32_000,
    "spaces": " " * 1_000_000,
    "attributions without an end": "On Mon, Nov 23, 2026 Boss <boss@example.com>\n" * 22_000,
    "wrote": "wrote:\n" * 140_000,
    "labels": "A: " * 300_000,
    "stars": "* * * *" * 140_000,
    "forwarded": "---------- Forwarded message ---------\n" * 26_000,
    "rules in a row": ("_" * 32 + "\n\n") * 30_000,
    "one line": "On " * 330_000 + "wrote:",
    "deep quotes": "x\n" + ">" * 1_000_000,
    "alternating": "> a\nb\n" * 140_000,
    "addresses": "<a@example.com> " * 60_000 + "wrote:",
    "at signs": "From: " + "a@" * 500_000,
}


@pytest.mark.many_inputs
def test_no_shape_of_text_takes_long() -> None:
    """A mail's text is 100,000 characters at most: each takes under a tenth of a second of CPU, three times over."""
    for name, text in BOMBS.items():
        start = time.thread_time()
        marks_of(text[:100_000], author=AUTHOR)
        assert time.thread_time() - start < 0.3, name


@given(st.text(alphabet="On 1@wrote:\n>-_From ab", max_size=300))
def test_marks_stand_in_their_order_and_within_the_text(text: str) -> None:
    """None is empty, none overlaps another."""
    edges = [edge for mark in marks_of(text) for edge in (mark.start, mark.end)]
    assert edges == sorted(set(edges))
    assert not edges or edges[-1] <= len(text)
