"""The words of a search, in the spellings in which they may stand in a text. Pure."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterator
from typing import Final

from shared.mailbox.calls import SoughtWord

MOST_WORDS: Final = 8
_WORD: Final = re.compile(r"\w+")


def words_in(text: str) -> list[str]:
    """The words to look for, each once."""
    return list(dict.fromkeys(_WORD.findall(text)))[:MOST_WORDS]


def spellings(word: str) -> SoughtWord:
    """A word as it may stand in a text: small, with a capital, in capitals; composed and decomposed. The script lowers ASCII letters."""
    written = [form for each in (word.lower(), word.casefold(), word.capitalize(), word.upper()) for form in _composed(each)]
    text = tuple(dict.fromkeys(map(_small, written)))
    return SoughtWord(tuple(dict.fromkeys(_small(json.dumps(each)[1:-1]) for each in written)), text)


def _composed(word: str) -> Iterator[str]:
    yield from (unicodedata.normalize(form, word) for form in ("NFC", "NFD"))


def _small(text: str) -> str:
    return "".join(letter.lower() if letter.isascii() else letter for letter in text)
