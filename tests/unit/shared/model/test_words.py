"""Every sentence of ours, in every language."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from string import Formatter

import pytest

from shared.config.keyword_settings import WordSettings
from shared.model.commands import WORDS as COMMANDS
from shared.model.sentences.languages import each_language
from shared.model.sms_segments import fits_gsm, size
from shared.model.words import DEFAULT, LANGUAGES, MONTHS, THEMES, WEEKDAYS, WORDS, date, date_and_time, from_when, said, weekday

LONG = {"help", "forwarded_failed", "forwarded_waits_share", "digest_before"}
"""What takes more than a segment in some language: the help, which a person asks for, and what goes by mail alone."""
AT = datetime(2026, 3, 8, 7, 5, tzinfo=UTC)


def placeholders(text: str) -> list[str]:
    """The names in a sentence's braces."""
    return sorted(name for _, name, _, _ in Formatter().parse(text) if name)


def test_every_sentence_is_there_in_every_language_with_the_same_placeholders() -> None:
    """None is empty, and none but a name is the same in two languages."""
    for name, row in WORDS.items():
        assert tuple(row) == LANGUAGES, name
        assert len({tuple(placeholders(text)) for text in each_language(row).values()}) == 1, name
        assert all(text.strip() for text in each_language(row).values()), name


def test_every_sentence_has_a_name_of_its_own() -> None:
    """A name in two tables would be one sentence in place of the other."""
    assert sum(len(theme.SENTENCES) for theme in THEMES) == len(WORDS)


def test_every_sentence_is_of_the_gsm_alphabet_and_takes_one_segment_where_it_can() -> None:
    """Umlauts are letters of it, typographic quotes and dashes are not."""
    for name, row in WORDS.items():
        for language, text in each_language(row).items():
            assert fits_gsm(text), (name, language)
            assert name in LONG or size(text).segments == 1, (name, language)
    assert all(fits_gsm(word) for names in (WEEKDAYS, MONTHS) for row in each_language(names).values() for word in row)


def test_no_sentence_offers_a_word_that_opts_out() -> None:
    """A person who answers with a word that they read must not lose the texts by it."""
    taken = WordSettings().opt_out_set
    for name, row in WORDS.items():
        for text in each_language(row).values():
            assert not set(re.findall(r"\w+", text.casefold())) & taken, name


def test_each_language_says_the_commands_by_words_that_are_commands() -> None:
    """What stands in quotation marks in the help, what brings the rest of an answer, and what answers the question about a new zone."""
    for language in LANGUAGES:
        named = said("help", language).split('"')[1::2]
        asked = {name for name in ("move", "keep") for word in COMMANDS[name] if word.upper() in WORDS["zone_asked"][language]}
        assert len(named) + len(asked) == len(COMMANDS)
        assert {name for word in named for name, spelt in COMMANDS.items() if word in spelt} | asked == set(COMMANDS)
        assert any(word.upper() in said("more_hint", language) for word in COMMANDS["more"])


def test_days_and_months_are_in_the_language() -> None:
    """A language that is none of ours is English."""
    assert (weekday(AT, "de"), date(AT, "de"), date_and_time(AT, "de")) == ("Sonntag", "8. März", "8. März, 07:05 Uhr")
    assert (weekday(AT), date(AT), date_and_time(AT, "xx")) == ("Sunday", "8 March", "8 March, 07:05")
    assert from_when(AT, "de") == "am Sonntag ab 07:05 Uhr (UTC)"
    assert set(WEEKDAYS) == set(MONTHS) == set(LANGUAGES)
    assert all(len(row) == 7 for row in each_language(WEEKDAYS).values())
    assert all(len(row) == 12 for row in each_language(MONTHS).values())


def test_what_is_filled_in_is_no_pattern() -> None:
    """Braces in a name stay braces; a sentence that is none is a fault of ours."""
    assert said("not_kept_one", DEFAULT, names='"{x} {names}"') == 'I did not get this file: "{x} {names}".'
    with pytest.raises(KeyError):
        said("no_such_sentence")
