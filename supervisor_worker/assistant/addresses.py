"""Addresses in what a tool is asked with: which of them the person wrote. Pure.

A tool that only looks somewhere can carry words away to whoever owns the place: `https://evil.example/?said=...`. So where words of others
are shown, a call names no address but those that the person wrote, or that the same server has named in this turn, letter for letter: a
server cannot make the model put anything into an address that it named.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

MAX_WRITTEN: Final = 200
"""Addresses of the person's own that are kept for a turn; the newest come first."""
_AROUND: Final = "\"'`<>()[]{}|.,;:!?\u201c\u201d\u201e\u2018\u2019\u00ab\u00bb\u3002"
_SPLIT: Final = re.compile(r"[\s\"'`<>{}|\u27e6\u27e7]+|[,;](?=\s|$)")
_ADDRESS: Final = re.compile(
    r"[/\\]{2}|@|\b(?:mailto|tel|sms|data|javascript|file):|\bxn--"
    r"|[^\W_][.\u3002][^\W\d_]{2,}"  # a name of a machine; what else looks like a dot is one by now
    r"|^\d{1,3}(?:\.\d{1,3}){3}|^(?:\+|00)\d{6,}"
)
_HOST: Final = re.compile(r"(?:[a-z][a-z0-9+.-]{0,20}:)?(?:[/\\]{2})?(?P<host>[^/\\@:?#]+\.[^/\\@:?#]+)(?::\d{1,5})?(?:[/?#].*)?")


def named_in(text: str) -> list[str]:
    """The addresses that stand in a text (of the web, of mail, of machines, of phones), in the spelling in which they are compared."""
    found = (_spelled(word) for word in _SPLIT.split(text))
    return list(dict.fromkeys(word for word in found if word and _ADDRESS.search(word)))


def written_in(texts: Iterable[str]) -> list[str]:
    """Those of several texts, each once."""
    return list(dict.fromkeys(address for text in texts for address in named_in(text)))[:MAX_WRITTEN]


def names_a_strangers(arguments: object, written: Sequence[str], said: Iterable[str]) -> bool:
    """Whether arguments name an address that is neither of `written`, nor on a host among these, nor one that stands in `said` as it is."""
    named = {address for text in texts_in(arguments) for address in named_in(text)}
    if not named:
        return False
    hosts = {host for address in written if (host := _host(address))}
    others = {address for address in named if address not in written and _host(address) not in hosts}
    return bool(others) and not others <= {address for text in said for address in named_in(text)}


def _spelled(word: str) -> str:
    return unicodedata.normalize("NFKC", word).casefold().strip(_AROUND)


def _host(address: str) -> str:
    """The host of a web address; "" of a mail address, and of what has none."""
    found = _HOST.fullmatch(address)
    return found["host"].removeprefix("www.") if found and "@" not in address else ""


def texts_in(value: object) -> Iterator[str]:
    """Every text in a value as JSON has it, names of fields too."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for name, each in value.items():
            yield str(name)
            yield from texts_in(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from texts_in(each)
