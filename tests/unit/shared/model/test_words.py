"""Every sentence of ours, in every language."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from string import Formatter
from typing import Final
from zoneinfo import ZoneInfo

import pytest

from shared.config.keyword_settings import WordSettings
from shared.model.approvals import WORDS as ANSWERS
from shared.model.commands import WORDS as COMMANDS
from shared.model.recurrence import Recurrence
from shared.model.sentences import forwarding
from shared.model.sentences.dates import EACH_WEEK
from shared.model.sentences.languages import each_language, in_language
from shared.model.sms_segments import fits_gsm, size
from shared.model.text import without_accents
from shared.model.words import (
    DEFAULT,
    LANGUAGES,
    MONTHS,
    THEMES,
    WEEKDAYS,
    WORDS,
    counted,
    date,
    date_and_time,
    date_in_year,
    from_when,
    said,
    weekday,
)  # fmt: skip
from supervisor_worker.assistant import reminder_texts
from tests.support.opt_out_words import OPT_OUT_WORDS

LONG: Final = {"help", *forwarding.SENTENCES}
"""What may take more segments: the help, which a person asks for, and what goes by mail alone."""
UCS2: Final = {
    "es": {"rate_limited", "day_limited", "too_long", "ask", "ask_for_another", "ask_apart", "ask_subject"},
    "pt": set(WORDS),
}
"""Where the letters of a language are not all of the GSM alphabet: the sentences that say nothing as natural without those. Hardly one of
Portuguese does, which writes "não" and "você"."""
ALIKE: Final = {
    "dkim_valid": {"es pt"},
    "remembered": {"es pt"},
    "state_answered": {"es pt"},
    "kind_text": {"de es fr pt it"},
    "kind_mail": {"en fr nl"},
    "status_each": {"en de es fr pt it nl"},
    "date": {"en fr it nl", "es pt"},
    "first_of_month": {"en de es it nl"},
    "date_and_time": {"en es fr pt it nl"},
    "date_in_year": {"en de fr it nl", "es pt"},
    "weekday_and_date": {"en de pt", "es fr it nl"},
    "every_weekly": {"fr pt"},
    "and": {"pt it"},
}
"""Words, and patterns of dates, that languages have in common."""
AT: Final = datetime(2026, 3, 8, 7, 5, tzinfo=UTC)
QUOTED: Final = re.compile(r'"([^"{}]+?)(?: \{code\})?"')
CAPITALS: Final = re.compile(r"\b[A-ZÀ-Þ]{2,}(?: [A-ZÀ-Þ]{2,})*\b")
"""Words that a sentence offers: in quotation marks, or all in capitals."""
INDIANA: Final = ZoneInfo("America/Indiana/Indianapolis")
YEAR: Final = [datetime(2031, 1, 1, 23, 55, tzinfo=INDIANA) + timedelta(days=day) for day in range(365)]


def longest(texts: Iterator[str]) -> str:
    """The one that takes most room in a text."""
    return max(texts, key=lambda text: (not fits_gsm(text), len(text)))


def values(language: str) -> dict[str, str]:
    """For each placeholder the longest that may well stand there; the person's own words are short."""
    when = longest(reminder_texts.when(at, language, 2030) for at in YEAR)
    moments = {name: longest(date(at, language) + " 23:55" for at in YEAR) for name in ("since", "day")}
    return {
        "zone": str(INDIANA), "time": "23:55", "year": "2031", "most": "1000", "count": "200", "code": "4821", "new": "Port of Spain",
        "old": "Indianapolis", "via": "contact@example.com", "address": "tom.smith@example.com", "called": ' ("Tom Smith")',
        "sender": "tom.smith@example.com", "spf": "softfail", "dkim": "valid for example.com", "proof": "This sender is proven",
        "proven": "This sender is proven", "names": '"Minutes of the meeting.docx"', "text": "call the dentist", "what": "`pay (shop)`",
        "who": "Alexandra", "tool": "create_event", "server": "calendar",
        "list": "shopping", "items": "oat milk, bread", "item": "oat milk",
        "source": "tom.smith@example.com", "rule": "every day", "days": "Monday", "first": "Monday", "last": "Tuesday", "date": "8 March",
        "month": "March", "weekday": "Monday", "when": when, "each": "07:05 SMS, 07:15 SMS, 08:15 mail", "kind": "mail",
        "state": "answered", **moments,
    }  # fmt: skip


def filled(name: str, language: str) -> str:
    """A sentence as long as it may well be."""
    given = values(language)
    if name.startswith("waits_"):
        given["when"] = longest(from_when(at.replace(hour=hour), language) for at in YEAR[:7] for hour in (0, 1))
    return said(name, language, **given)


def placeholders(text: str) -> list[str]:
    """The names in a sentence's braces."""
    return sorted(name for _, name, _, _ in Formatter().parse(text) if name)


def test_every_sentence_is_there_in_every_language_with_the_same_placeholders() -> None:
    """None is empty."""
    for name, row in WORDS.items():
        assert tuple(row) == LANGUAGES, name
        assert len({tuple(placeholders(text)) for text in each_language(row).values()}) == 1, name
        assert all(text.strip() for text in each_language(row).values()), name


def test_every_sentence_has_a_name_of_its_own() -> None:
    """A name in two tables would be one sentence in place of the other."""
    assert sum(len(theme.SENTENCES) for theme in THEMES) == len(WORDS)


def test_no_sentence_is_the_same_in_two_languages() -> None:
    """But for those that are listed: any other stands in the wrong row."""
    found: dict[str, set[str]] = {}
    for name, row in WORDS.items():
        by_text: dict[str, list[str]] = defaultdict(list)
        for language, text in each_language(row).items():
            by_text[text].append(language)
        alike = {" ".join(languages) for languages in by_text.values() if len(languages) > 1}
        found |= {name: alike} if alike else {}
    assert found == ALIKE


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_sentence_takes_one_segment_or_two_where_its_letters_are_no_gsm_letters(language: str) -> None:
    """Umlauts are GSM letters, typographic quotes and dashes are not; with the longest of what is filled in."""
    for name, row in WORDS.items():
        text = in_language(row, language)
        if name in LONG:
            assert size(filled(name, language)).segments <= 4, name
        else:
            assert fits_gsm(text) or name in UCS2.get(language, set()), (name, text)
            found = size(filled(name, language))
            assert found.segments <= (1 if found.encoding == "GSM-7" else 2), (name, found, filled(name, language))
    assert not {name for name in UCS2.get(language, set()) if fits_gsm(in_language(WORDS[name], language))} or language == "pt"


def test_no_sentence_offers_a_word_that_opts_out() -> None:
    """A person who answers with a word that they read must not lose the texts by it."""
    taken = WordSettings().opt_out_set
    for name, row in WORDS.items():
        for text in each_language(row).values():
            assert not set(re.findall(r"\w+", text.casefold())) & taken, name
            offered = QUOTED.findall(text) + CAPITALS.findall(text)
            assert not {without_accents(word) for word in offered} & OPT_OUT_WORDS, (name, offered)
    names = {word for row in COMMANDS.values() for words in each_language(row).values() for word in words}
    names |= {word for answers in ANSWERS.values() for word in each_language(answers).values()}
    assert not {without_accents(word) for word in names} & (OPT_OUT_WORDS | taken)


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_language_says_the_commands_by_words_that_are_commands(language: str) -> None:
    """What stands in quotation marks in the help, what brings the rest of an answer, and what answers the question about a new zone."""
    first = {name: in_language(row, language)[0] for name, row in COMMANDS.items()}
    asked = {name for name in ("move", "keep") if first[name].upper() in WORDS["zone_asked"][language]}  # type: ignore[literal-required]
    assert asked == {"move", "keep"}
    assert sorted(said("help", language).split('"')[1::2]) == sorted(word for name, word in first.items() if name not in asked)
    assert f"{first['more'].upper()} " in said("more_hint", language)
    assert f'"{first["back"]}"' in said("new_chat", language)
    assert f'"{first["new"]}"' in said("reminder_once_only", language)


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_language_asks_for_a_yes_by_words_that_are_answers(language: str) -> None:
    """With the code behind each, in the question to oneself and to another."""
    for name in ("ask", "ask_for_another"):
        named = re.findall(r"(\w+) \{code\}", in_language(WORDS[name], language))
        assert [word.casefold() for word in named] == [in_language(ANSWERS[answer], language) for answer in ("yes", "no")]


def test_days_and_months_are_in_the_language() -> None:
    """A language that is none of ours is English."""
    assert (weekday(AT, "de"), date(AT, "de"), date_and_time(AT, "de")) == ("Sonntag", "8. März", "8. März, 07:05 Uhr")
    assert (weekday(AT), date(AT), date_and_time(AT, "xx")) == ("Sunday", "8 March", "8 March, 07:05")
    assert from_when(AT, "de") == "am Sonntag ab 07:05 Uhr (UTC)"
    assert set(WEEKDAYS) == set(MONTHS) == set(EACH_WEEK) == set(LANGUAGES)
    for row, names in ((WEEKDAYS, 7), (EACH_WEEK, 7), (MONTHS, 12)):
        assert all(len(set(each_language(row)[language])) == names for language in LANGUAGES)


@pytest.mark.parametrize(
    ("language", "day", "later", "rule"),
    [
        ("en", "Saturday, 1 March 2031, 09:05", "on Tuesday from 01:00 (UTC)", "every Monday, Thursday and Saturday until 1 April 2031"),
        (
            "de", "Samstag, 1. März 2031, 09:05 Uhr", "am Dienstag ab 01:00 Uhr (UTC)",
            "jeden Montag, Donnerstag und Samstag bis zum 1. April 2031",
        ),
        (
            "es", "sábado 1 de marzo de 2031, 09:05", "el martes a partir de la 01:00 (UTC)",
            "cada lunes, jueves y sábado hasta el 1 de abril de 2031",
        ),
        ("fr", "samedi 1er mars 2031, 09:05", "mardi à partir de 01:00 (UTC)", "le lundi, le jeudi et le samedi jusqu'au 1er avril 2031"),
        (
            "pt", "sábado, 1º de março de 2031, 09:05", "terça-feira a partir da 01:00 (UTC)",
            "toda segunda-feira, toda quinta-feira e todo sábado até 1º de abril de 2031",
        ),
        ("it", "sabato 1 marzo 2031, 09:05", "martedì dalle ore 01:00 (UTC)", "ogni lunedì, giovedì e sabato fino al giorno 1 aprile 2031"),
        ("nl", "zaterdag 1 maart 2031, 09:05", "dinsdag vanaf 01:00 (UTC)", "elke maandag, donderdag en zaterdag tot en met 1 april 2031"),
    ],
)  # fmt: skip
def test_dates_times_and_rules_are_written_as_the_language_writes_them(language: str, day: str, later: str, rule: str) -> None:
    """By a clock of 24 hours; some have a word of their own for one o'clock."""
    at = datetime(2031, 3, 1, 9, 5)  # noqa: DTZ001 - by the wall's clock
    assert reminder_texts.when(at, language, 2030) == day
    assert reminder_texts.when(at, language, 2031) == day.replace(" de 2031", "").replace(" 2031", "")
    assert date_in_year(at, language) in day
    assert from_when(datetime(2031, 3, 4, 1, tzinfo=UTC), language) == later
    many = later.replace("01:", "02:").replace("la 0", "las 0").replace("da 0", "das 0")
    assert from_when(datetime(2031, 3, 4, 2, tzinfo=UTC), language) == many
    until = datetime(2031, 4, 1).date()  # noqa: DTZ001
    assert reminder_texts.rule(Recurrence(at, "weekly", (0, 3, 5), 1, until), language) == rule


def test_one_and_many_have_forms_of_their_own() -> None:
    """Each that has the one has the other."""
    assert counted("status", 1, "it", since="07:05").startswith("1 dei tuoi messaggi aspetta ")
    assert counted("status", 2, "it", since="07:05").startswith("2 dei tuoi messaggi aspettano ")
    assert {name.removesuffix("_one") for name in WORDS if name.endswith("_one")} >= {
        name.removesuffix("_many") for name in WORDS if name.endswith("_many") and name != "copy_too_many"
    }


def test_the_page_on_languages_has_the_words_that_count() -> None:
    """Its tables, row by row."""
    page = (Path(__file__).parents[4] / "docs/reference/languages.md").read_text()
    rows = {line for line in page.splitlines() if line.startswith("|")}
    for language in LANGUAGES:
        spelt = [in_language(row, language) for row in COMMANDS.values()]
        words = [", ".join(each) for each in spelt]
        assert f"| {' | '.join([language, *words])} |" in rows
        assert f"| {' | '.join([language, *(in_language(row, language) for row in ANSWERS.values())])} |" in rows
        at, first = datetime(2031, 3, 24, 9, 5), datetime(2031, 3, 1)  # noqa: DTZ001
        rule = reminder_texts.rule(Recurrence(at, "weekly", (0, 3)), language)
        assert f"| {language} | {reminder_texts.when(at, language)} | {date(first, language)} | {rule} |" in rows
        assert any(row.startswith(f"| `{language}` | ") for row in rows)


def test_what_is_filled_in_is_no_pattern() -> None:
    """Braces in a name stay braces; a sentence that is none is a fault of ours."""
    assert said("not_kept_one", DEFAULT, names='"{x} {names}"') == 'I did not get this file: "{x} {names}".'
    with pytest.raises(KeyError):
        said("no_such_sentence")
