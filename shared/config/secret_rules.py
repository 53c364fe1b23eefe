"""Rules for every secret that the operator sets: its minimum length, and what is guessable however long it is. Pure.

Production refuses to start with a secret that fails here; elsewhere `boss doctor` names it once messages are real.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

SANDBOX_CREDENTIALS: Final = {
    "twilio_account_sid": "AC00000000000000000000000000000000",
    "twilio_auth_token": "sandbox-twilio-auth-token",
    "sendgrid_api_key": "SG.sandbox",
    "anthropic_api_key": "sandbox-anthropic-key",
    "email_webhook_secret": "sandbox-email-secret",
}
"""What sandbox mode fills in, and `ENVIRONMENT=production` rejects."""
EXAMPLE_TOKEN: Final = "dev-token-12345"  # noqa: S105 - the published example, rejected in production
"""The bridge's token where none is set, as in the project that this one continues; production rejects it."""
MIN_PASSWORD_LENGTH: Final = 12

MIN_LENGTHS: Final = {
    "twilio_auth_token": 32,
    "twilio_api_key_secret": 32,
    "sendgrid_api_key": 32,
    "email_webhook_secret": 16,
    "anthropic_api_key": 16,
    "stt_api_key": 16,
    "supervisor_token": 16,
    "boss_mcp_key": 32,
    "redis_url": 12,
    "console_password": MIN_PASSWORD_LENGTH,
}
"""Each secret setting, with its minimum number of characters. A provider makes its own secrets (a gateway makes those for Claude); the
operator chooses the others. `redis_url` stands for each password within it."""

PUBLISHED: Final = frozenset(
    {
        *SANDBOX_CREDENTIALS.values(),
        EXAMPLE_TOKEN,
        "PASSWORD-OF-bossline",
        "what `openssl rand -hex 32` prints",
        "your-twilio-auth-token-goes-here",
    }
)
_WORDS: Final = (
    *("password", "passwort", "passphrase", "passwd", "secret", "token", "changeme", "change", "replace", "insert", "example", "sample"),
    *("admin", "root", "user", "login", "letmein", "welcome", "default", "test", "demo", "sandbox", "develop", "production", "local"),
    *("bossline", "boss", "twilio", "sendgrid", "anthropic", "claude", "redis", "valkey", "supervisor", "bridge", "console"),
    *("webhook", "email", "mail", "sms", "inbound", "event", "auth", "api", "key", "value", "qwerty", "azerty", "asdf", "zxcv"),
    *("iloveyou", "monkey", "dragon", "master", "super", "hello", "world", "foobar", "foo", "bar", "temp", "dummy", "none", "null"),
    *("here", "your", "this", "that", "goes", "must", "long", "very", "enough", "please", "with", "own", "the", "and", "not", "my"),
)
"""What a guesser tries first."""
_WORD: Final = re.compile("|".join(sorted(_WORDS, key=len, reverse=True)))
_YEAR: Final = re.compile(r"(?:19|20)\d\d")
_DISGUISES: Final = str.maketrans("0134578@$!", "oieastbasi")
_ROWS: Final = ("0123456789012345678901234567890", "abcdefghijklmnopqrstuvwxyzabcdef", "qwertzuiop", "qwertyuiop", "asdfghjkl", "zxcvbnm")
_SHORTEST_RUN: Final = 4
_FEWEST_OF_ITS_OWN: Final = 8
"""Characters that must remain of a secret without well-known words, keyboard rows and years."""
_FEWEST_DISTINCT: Final = 6


def faults(given: Iterable[tuple[str, str]]) -> list[str]:
    """What is wrong with the secrets that are set, each `given` with its setting's name, in lines without their values."""
    found = []
    owners: dict[str, str] = {}
    for name, text in given:
        if fault := fault_of(name, text):
            found.append(f"{name.upper()}: {fault}")
        elif owners.setdefault(text, name) != name:
            found.append(f"{name.upper()}: is the same as {owners[text].upper()}; who knows one must not know the other")
    return found


def fault_of(name: str, text: str) -> str:
    """What is wrong with one secret, in a sentence without any part of it; '' for a good one."""
    least = MIN_LENGTHS[name]
    of_it = "the password in it " if name == "redis_url" else ""
    if text in PUBLISHED or _bare(text) in {_bare(each) for each in PUBLISHED}:
        return f"{of_it}is an example that is published; make one with: openssl rand -hex 32"
    if text != text.strip() or not text.isprintable():
        return f"{of_it}begins or ends with a blank, or holds a character that cannot be seen"
    if len(text) < least:
        return f"{of_it}must have at least {least} characters"
    if guessable(text):
        return f"{of_it}is made of what is tried first, as in an example; make one with: openssl rand -hex 32"
    return ""


def guessable(text: str) -> bool:
    """Whether little remains of a secret without what everybody would try: words, keyboard rows, years, and repetition."""
    spellings = {_bare(text), _bare(text.translate(_DISGUISES))}
    return any(len(set(bare)) < _FEWEST_DISTINCT or _repeats(bare) or _little_is_left(bare) for bare in spellings)


def _little_is_left(bare: str) -> bool:
    rest = _YEAR.sub(" ", _without_rows(_WORD.sub(" ", bare)))
    return len(rest.replace(" ", "")) < _FEWEST_OF_ITS_OWN


def _bare(text: str) -> str:
    """A secret in one case, without separators between words."""
    return re.sub(r"[\W_]", "", text.casefold())


def _repeats(text: str) -> bool:
    """Whether a text repeats one piece, the last time perhaps cut off."""
    for length in range(1, len(text) // 2 + 1):
        piece = text[:length]
        if (piece * (len(text) // length + 1)).startswith(text):
            return True
    return False


def _without_rows(text: str) -> str:
    """A text without runs of four or more neighbours on the keyboard or in the alphabet, forwards or backwards."""
    kept: list[str] = []
    start = 0
    rows = [way for row in _ROWS for way in (row, row[::-1])]
    while start < len(text):
        end = start + _SHORTEST_RUN
        if end > len(text) or not any(text[start:end] in row for row in rows):
            kept.append(text[start])
            start += 1
            continue
        while end < len(text) and any(text[start : end + 1] in row for row in rows):
            end += 1
        kept.append(" ")
        start = end
    return "".join(kept)
