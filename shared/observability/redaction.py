"""Keeps phone numbers, addresses, secrets and message text out of logs, failed jobs and errors.

Three means, each for what the others cannot find:

- patterns mask what has a shape: phone numbers (with or without a plus; with spaces, dashes or percent signs), e-mail addresses, keys;
- the secrets of this process are masked wherever their exact text appears (`KNOWN_SECRETS`);
- a message's text has no shape, and an error may quote it: of an error that is not ours only its class and its location are shown.

The cost is bounded: at most `MAX_VALUE` characters of a text and `MAX_ITEMS` items of a collection are processed.
"""

from __future__ import annotations

import json
import re
import traceback
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from itertools import islice
from pathlib import Path
from typing import Any, Final, TypedDict
from urllib.parse import quote, quote_plus

from shared.errors import BosslineError

MAX_VALUE: Final = 4000
MAX_ITEMS: Final = 50
MAX_DEPTH: Final = 4
MAX_FRAMES: Final = 8
MAX_CAUSES: Final = 3
MIN_SECRET_LENGTH: Final = 6
_LOOK_AHEAD: Final = 400  # characters beyond the limit: an address that the limit cuts in two is still masked as a whole

_GAP: Final = r"(?:[ ()\u00a0-]|%(?:25)?(?:20|28|29|2[Dd]|C2%A0)){0,2}"
_BEFORE: Final = r"(?:(?<![\w+.%-])|(?<=%[0-9A-Fa-f][0-9A-Fa-f]))"
_NO_DATE: Final = r"(?!\d{4}-\d\d-\d\d(?!\d)|\d{13}-\d{1,4}(?!\d))"  # neither a date nor the id of a ledger line
_PHONE: Final = re.compile(rf"(?:\+|%(?:25)?2[Bb])(?:{_GAP}\d){{7,15}}")
_BARE_PHONE: Final = re.compile(rf"{_BEFORE}\(?{_NO_DATE}\d(?:{_GAP}\d){{9,14}}(?![\w%])")
_EMAIL: Final = re.compile(r"[^\s<>\"'=,;:]{1,64}(?:@|%(?:25)?40)[\w.-]{1,255}")
_SECRET: Final = re.compile(
    r"(?i)(sk-[a-z0-9_-]{8,}|SG\.[a-z0-9_.-]{4,}|(?:bearer|basic) [a-z0-9+/=._-]{8,}|(?:token|password|key|secret)(?:=|%3d)[^\s&\"']+"
    r"|\"[\w-]{0,30}(?:token|password|key|secret|authorization)\"\s{0,2}:\s{0,2}\"[^\"]{0,500}\"?)"
)
_URL_LOGIN: Final = re.compile(r"(\w{1,20}://)[^/\s@]{1,400}@")


class KnownSecrets:
    """The secrets of this process, in every encoding in which a library may show them."""

    def __init__(self) -> None:
        self._pattern: re.Pattern[str] | None = None
        self._secrets: set[str] = set()

    def add(self, secrets: Iterable[str]) -> None:
        """Those of a part of ours that is opened later."""
        self.replace(self._secrets | set(secrets))

    def replace(self, secrets: Iterable[str]) -> None:
        """Replace the known secrets by these. One shorter than MIN_SECRET_LENGTH is ignored: it would mask ordinary words."""
        self._secrets = set(secrets)
        spelled = {each for secret in self._secrets if len(secret) >= MIN_SECRET_LENGTH for each in _spellings(secret)}
        longest_first = sorted(spelled, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, longest_first))) if longest_first else None

    def mask(self, text: str) -> str:
        """`text` with each of them replaced by `***`."""
        return self._pattern.sub("***", text) if self._pattern else text


def _spellings(secret: str) -> set[str]:
    return {secret, quote(secret, safe=""), quote(secret), quote_plus(secret), json.dumps(secret)[1:-1], repr(secret)[1:-1]}


KNOWN_SECRETS: Final = KnownSecrets()


class SafeError(Exception):
    """An error of ours whose message may be shown: it holds neither message text nor secrets."""


def mask(text: str) -> str:
    """`text` with phone numbers, addresses and secrets masked, cut to MAX_VALUE characters."""
    text = KNOWN_SECRETS.mask(text[: MAX_VALUE + _LOOK_AHEAD])
    text = _SECRET.sub("***", _URL_LOGIN.sub(r"\1***@", text))
    return _BARE_PHONE.sub("***", _EMAIL.sub("***@***", _PHONE.sub("+***", text)))[:MAX_VALUE]


def mask_value(value: Any, depth: int = 0) -> Any:
    """A value for a log: texts masked, also within mappings and lists; numbers unchanged; of any other object only its class."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, str | Path | date):
        return mask(str(value))
    if isinstance(value, BaseException):
        return describe(value)
    return _mask_items(value, depth + 1) if depth < MAX_DEPTH else _class_of(value)


def _mask_items(value: Any, depth: int) -> Any:
    if isinstance(value, Mapping):
        return {mask_value(key, MAX_DEPTH): mask_value(each, depth) for key, each in islice(value.items(), MAX_ITEMS)}
    if isinstance(value, list | tuple | set | frozenset):
        return [mask_value(each, depth) for each in islice(value, MAX_ITEMS)]
    return _class_of(value)


def _class_of(value: Any) -> str:
    return f"<{type(value).__qualname__}>"


def summarize(error: BaseException) -> str:
    """An error and its causes: their locations and classes, without the messages of errors that are not ours."""
    text = "".join(part for one in _chain(error) for part in ("Traceback (in outline):\n", *_frames(one), f"{describe(one)}\n"))
    return mask(text)


def describe(error: BaseException) -> str:
    """An error's class; of an error of ours also its message, which holds only ids and figures."""
    kind = type(error)
    if isinstance(error, BosslineError | SafeError):
        return mask(f"{kind.__name__}: {error}")
    return f"{kind.__module__}.{kind.__qualname__}"


class ErrorLocation(TypedDict):
    """The fields of a log line about an unexpected error: its class, and `file:line` of the innermost frame ('' without a traceback)."""

    error: str
    where: str


def error_location(error: BaseException) -> ErrorLocation:
    """What a log may show of an unexpected error. Its message and its traceback's source lines could quote a user's message."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    where = f"{trace.tb_frame.f_code.co_filename.rpartition('/')[2]}:{trace.tb_lineno}" if trace else ""
    return {"error": type(error).__name__, "where": where}


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error and its causes, at most MAX_CAUSES in all; the cause of a group is its first member."""
    one: BaseException | None = error
    for _ in range(MAX_CAUSES):
        if one is None:
            return
        yield one
        if isinstance(one, BaseExceptionGroup):
            one = one.exceptions[0]
        else:
            one = one.__cause__ or (None if one.__suppress_context__ else one.__context__)


def _frames(error: BaseException) -> list[str]:
    return traceback.format_tb(error.__traceback__, limit=-MAX_FRAMES)
