"""The languages of our own sentences, and a row of a table that has something in each of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Generic, Literal, TypedDict, TypeVar, cast, get_args

T = TypeVar("T")

Language = Literal["en", "de", "es", "fr", "pt", "it", "nl"]
LANGUAGES: Final[tuple[Language, ...]] = get_args(Language)
DEFAULT: Final = "en"


class ByLanguage(TypedDict, Generic[T]):
    """The same thing in each language."""

    en: T
    de: T
    es: T
    fr: T
    pt: T
    it: T
    nl: T


Sentence = ByLanguage[str]


def each_language(row: ByLanguage[T]) -> Mapping[str, T]:
    """A row, to be walked through."""
    return cast("Mapping[str, T]", row)


def in_language(row: ByLanguage[T], language: str) -> T:
    """What a row has in a language; in English where the language is none of ours."""
    return each_language(row).get(language, row["en"])
