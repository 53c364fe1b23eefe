"""What may not stand in a log, a failed job or an error: numbers, addresses, secrets, and the words of other people's errors.

Patterns find what has a shape: phone numbers (with a plus or without, with blanks, dashes or percent signs), mail addresses, keys.
The secrets of this process are known by their very text. A message's words have no shape, and an error may quote them: of an
error that is not ours only its kind and its place are told. Every cost is bounded: no more than `MAX_VALUE` characters of a text, and
`MOST` values of a collection, are looked at.
"""

from __future__ import annotations

import json
import re
import traceback
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from itertools import islice
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, quote_plus

from shared.errors import BosslineError

MAX_VALUE: Final = 4000
MOST: Final = 50
DEEPEST: Final = 4
FRAMES: Final = 8
CAUSES: Final = 3
SHORTEST_SECRET: Final = 6
_CUT: Final = 400  # an address that the limit cuts in two is still masked as a whole

_GAP: Final = r"(?:[ ()\u00a0-]|%(?:25)?(?:20|28|29|2[Dd]|C2%A0)){0,2}"
_BEFORE: Final = r"(?:(?<![\w+.%-])|(?<=%[0-9A-Fa-f][0-9A-Fa-f]))"
_NO_DATE: Final = r"(?!\d{4}-\d\d-\d\d(?!\d)|\d{13}-\d{1,4}(?!\d))"  # a day; the id of a line of the ledger
_PHONE: Final = re.compile(rf"(?:\+|%(?:25)?2[Bb])(?:{_GAP}\d){{7,15}}")
_BARE_PHONE: Final = re.compile(rf"{_BEFORE}\(?{_NO_DATE}\d(?:{_GAP}\d){{9,14}}(?![\w%])")
_EMAIL: Final = re.compile(r"[^\s<>\"'=,;:]{1,64}(?:@|%(?:25)?40)[\w.-]{1,255}")
_SECRET: Final = re.compile(
    r"(?i)(sk-[a-z0-9_-]{8,}|SG\.[a-z0-9_.-]{4,}|(?:bearer|basic) [a-z0-9+/=._-]{8,}|(?:token|password|key|secret)(?:=|%3d)[^\s&\"']+"
    r"|\"[\w-]{0,30}(?:token|password|key|secret|authorization)\"\s{0,2}:\s{0,2}\"[^\"]{0,500}\"?)"
)
_URL_LOGIN: Final = re.compile(r"(\w{1,20}://)[^/\s@]{1,400}@")


class Known:
    """The secrets of this process, in every spelling that a library may give them."""

    def __init__(self) -> None:
        self._pattern: re.Pattern[str] | None = None

    def learn(self, secrets: Iterable[str]) -> None:
        """Instead of what was known: these. Short ones are words, and are left alone."""
        spelled = {each for secret in secrets if len(secret) >= SHORTEST_SECRET for each in _spellings(secret)}
        longest_first = sorted(spelled, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, longest_first))) if longest_first else None

    def hidden(self, text: str) -> str:
        """`text` without them."""
        return self._pattern.sub("***", text) if self._pattern else text


def _spellings(secret: str) -> set[str]:
    return {secret, quote(secret, safe=""), quote(secret), quote_plus(secret), json.dumps(secret)[1:-1], repr(secret)[1:-1]}


KNOWN: Final = Known()


class Outlined(Exception):
    """An exception of ours whose words may be told."""


def mask(text: str) -> str:
    """`text` without phone numbers, addresses and what looks like a secret."""
    text = KNOWN.hidden(text[: MAX_VALUE + _CUT])
    text = _SECRET.sub("***", _URL_LOGIN.sub(r"\1***@", text))
    return _BARE_PHONE.sub("***", _EMAIL.sub("***@***", _PHONE.sub("+***", text)))[:MAX_VALUE]


def masked(value: Any, depth: int = 0) -> Any:
    """A value for a log: texts masked, also within mappings and lists; figures as they are; of any other object its kind alone."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, str | Path | date):
        return mask(str(value))
    if isinstance(value, BaseException):
        return name(value)
    return _collected(value, depth + 1) if depth < DEEPEST else _kind(value)


def _collected(value: Any, depth: int) -> Any:
    if isinstance(value, Mapping):
        return {masked(key, DEEPEST): masked(each, depth) for key, each in islice(value.items(), MOST)}
    if isinstance(value, list | tuple | set | frozenset):
        return [masked(each, depth) for each in islice(value, MOST)]
    return _kind(value)


def _kind(value: Any) -> str:
    return f"<{type(value).__qualname__}>"


def outline(error: BaseException) -> str:
    """Where and what an error was, and what caused it, without the words of errors that are not ours."""
    text = "".join(part for one in _chain(error) for part in ("Traceback (in outline):\n", *_frames(one), f"{name(one)}\n"))
    return mask(text)


def name(error: BaseException) -> str:
    """An error's kind; of one of ours also what it says, which is ids and figures."""
    kind = type(error)
    if isinstance(error, BosslineError | Outlined):
        return mask(f"{kind.__name__}: {error}")
    return f"{kind.__module__}.{kind.__qualname__}"


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error and what caused it; of a group, its first member is the cause."""
    one: BaseException | None = error
    for _ in range(CAUSES):
        if one is None:
            return
        yield one
        if isinstance(one, BaseExceptionGroup):
            one = one.exceptions[0]
        else:
            one = one.__cause__ or (None if one.__suppress_context__ else one.__context__)


def _frames(error: BaseException) -> list[str]:
    return traceback.format_tb(error.__traceback__, limit=-FRAMES)
