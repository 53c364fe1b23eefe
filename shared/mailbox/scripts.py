"""The mailbox's scripts as the server is sent them, and a call's arguments in the order in which its script reads them.

A script names its arguments in a head line, and this module makes the Lua line that reads them, so that no number is kept by hand:

    -- args: conv token delay# limits{send# retention} wake...

`#` is a number, `name{…}` a table of its own, and `name...` the place in ARGV where the rest begins: `wake...` is the job to enqueue.

A script names keys by the table `K`, of which it is given what it uses (`shared.mailbox.key_names`): `K.facts .. person`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from importlib import resources
from operator import itemgetter
from typing import Any, Final

from shared.mailbox.call import Call
from shared.mailbox.key_names import key
from shared.model.channels import CHANNELS

_PLAIN = (int, bytes)
_USES: Final = re.compile(r"^-- uses: ([\w ]+)$", re.MULTILINE)
_HEAD: Final = re.compile(r"^-- args: (.+)$", re.MULTILINE)
_KEY: Final = re.compile(r"\bK\.(\w+)")
_WORD: Final = re.compile(r"(\w+)\{([\w# ]+)\}|(\w+)(#|\.\.\.)?(?= |$)")


def script(name: str) -> tuple[str, str]:
    """The text of a script, with the functions that it uses before it, and its SHA-1 (Redis's name for it)."""
    return _script(name, len(CHANNELS))


@cache
def _script(name: str, _channels: int) -> tuple[str, str]:
    uses = _USES.search(_source(name))
    text = together("common", *(uses.group(1).split() if uses else ()), name)
    return text, hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


@cache
def names(name: str) -> tuple[str, ...]:
    """A script's arguments in their order; those of a table are `table.name`. The rest is not among them."""
    return tuple(word for word, _, rest in _words(_source(name)) if not rest)


def arguments(call: Call[Any]) -> list[str | bytes | int]:
    """A call's arguments in its script's order, as hiredis packs them: it knows texts without lone surrogates, bytes and whole numbers.

    Raises KeyError for one that is missing, ValueError for one that the script does not know.
    """
    order = names(call.name)
    if len(order) != len(call.args):
        raise ValueError(f"{call.name}: {sorted(set(call.args) ^ set(order))}")
    values = (*_in_order(call.name)(call.args), *call.rest)
    return [value if type(value) in _PLAIN or (type(value) is str and value.isascii()) else _spelled(value) for value in values]


@cache
def _in_order(name: str) -> Callable[[Mapping[str, Any]], tuple[Any, ...]]:
    """What takes a script's arguments in their order; a getter of one would give it bare."""
    order = names(name)
    return itemgetter(*order) if len(order) > 1 else lambda given: tuple(given[word] for word in order)


def together(*names: str) -> str:
    """These files as one text, with the tables that they read."""
    parts = [lua(name) for name in names]
    return "\n".join([_channels_table(), _keys_table(parts), *parts])


def lua(name: str) -> str:
    """One file without its comments (the server is sent the code, not the reasons), and with the lines that read its arguments."""
    source = _source(name)
    lines = [line for line in source.splitlines() if not line.startswith("--") or line.startswith("-- clock:")]
    return "\n".join([*_reading(source), *lines])


def _channels_table() -> str:
    """The facts about channels that the scripts look up: who carries them, and of which a final report may be missed."""
    providers = ", ".join(f"{name} = '{channel.provider}'" for name, channel in CHANNELS.items())
    late = ", ".join(f"{name} = true" for name, channel in CHANNELS.items() if channel.reports_late)
    return f"local PROVIDERS, REPORTS_LATE = {{{providers}}}, {{{late}}}"


def _keys_table(parts: Iterable[str]) -> str:
    """The keys' names that stand in these parts, as the table that they are read from. Raises KeyError for one that nobody has named."""
    found = sorted({name for part in parts for name in _KEY.findall(part)})
    fields = ", ".join(f"{name} = '{key(name)}'" for name in found)
    return f"local K = {{{fields}}}"


def _reading(source: str) -> Iterator[str]:
    """The Lua that gives each argument its name."""
    values: dict[str, str] = {}
    tables: dict[str, list[str]] = {}
    for place, (word, number, rest) in enumerate(_words(source), 1):
        value = str(place) if rest else f"tonumber(ARGV[{place}])" if number else f"ARGV[{place}]"
        table, _, field = word.rpartition(".")
        if table:
            tables.setdefault(table, []).append(f"{field} = {value}")
        elif word == "wake":
            yield f"WAKE = {value}"
        else:
            values[word] = value
    values |= {table: f"{{{', '.join(fields)}}}" for table, fields in tables.items()}
    if values:
        yield f"local {', '.join(values)} = {', '.join(values.values())}"


def _words(source: str) -> Iterator[tuple[str, bool, bool]]:
    """The head line's words: the name, whether it is a number, and whether it is where the rest begins."""
    for found in _WORD.finditer(" ".join(_HEAD.findall(source))):
        table, fields, word, kind = found.groups()
        if table:
            yield from ((f"{table}.{field.removesuffix('#')}", field.endswith("#"), False) for field in fields.split())
        else:
            yield word, kind == "#", kind == "..."


@cache
def _source(name: str) -> str:
    return resources.files("shared.mailbox").joinpath("lua", f"{name}.lua").read_text(encoding="utf-8")


def _spelled(value: str | bytes | float) -> str | bytes | int:
    if isinstance(value, str):
        return value.encode("utf-8", "replace")
    return f"{value:.6f}" if isinstance(value, float) else value
