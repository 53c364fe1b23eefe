"""Tokenizes HTML as browsers do (HTML Living Standard, 13.2.5), in one pass over the source.

What a browser takes for a comment, a declaration or a tag that never ends is not text, so none of it becomes text here. A tag that is an
address, as `<ada@example.com>`, is what a program has forgotten to escape: it is the one thing that is read though browsers show nothing.
"""

from __future__ import annotations

import html
import re
from dataclasses import dataclass, field
from typing import Final, NamedTuple

MAX_MARKUP: Final = 100_000

_SPACE: Final = r"[ \t\n\r\f]"
_OPENING: Final = re.compile(r"<(?=[a-zA-Z/!?])")
_NAME: Final = re.compile(r"[a-zA-Z][^ \t\n\r\f/>]*+")
_BETWEEN: Final = re.compile(r"[ \t\n\r\f/]*+")
_ATTRIBUTE: Final = re.compile(rf"""(=?[^ \t\n\r\f/>=]*+)(?:{_SPACE}*+={_SPACE}*+(?:"([^"]*+)("?)|'([^']*+)('?)|([^ \t\n\r\f>]*+)))?+""")
_BARE_ADDRESS: Final = re.compile(r"<((?:[^\s<>@\"'/=]{1,64}@[a-z0-9.-]{1,253}|https?://[^\s<>\"']{1,300}))>", re.IGNORECASE)
_LONG_NUMBER: Final = re.compile(r"&#[xX]?0*[0-9a-fA-F]{8,};?")
_COMMENT_END: Final = re.compile(r"--!?>")
_SCRIPT: Final = re.compile(rf"<!--|-->|<(/?)script(?={_SPACE}|[/>])", re.IGNORECASE)
_RAW: Final = {
    name: re.compile(rf"</{name}(?={_SPACE}|[/>])", re.IGNORECASE)
    for name in ("style", "title", "textarea", "iframe", "noembed", "noframes", "xmp")
}
_SHOWN_RAW: Final = frozenset({"textarea", "xmp"})


class TextToken(NamedTuple):
    """Text between tags, with its entities decoded."""

    text: str


class StartTag(NamedTuple):
    """A start tag. `closed`: it ends with a slash."""

    name: str
    attributes: dict[str, str]
    closed: bool


class EndTag(NamedTuple):
    """An end tag."""

    name: str


Token = TextToken | StartTag | EndTag


@dataclass(slots=True)
class TokenStream:
    """The tokens of a source.

    `styles` are the `media` attribute and the content of its style elements; `swallowed` counts the characters of a tag that never ends;
    `whole` is False when there were more than MAX_MARKUP tags.
    """

    found: list[Token] = field(default_factory=list)
    styles: list[tuple[str, str]] = field(default_factory=list)
    swallowed: int = 0
    whole: bool = True


def tokens(source: str) -> TokenStream:
    """Tokenize a source."""
    result = TokenStream()
    position = 0
    for _ in range(MAX_MARKUP):
        opening = _OPENING.search(source, position)
        if opening is None:
            _add_words(source[position:], result)
            return result
        _add_words(source[position : opening.start()], result)
        position = _markup(source, opening.start(), result)
    result.whole = False
    return result


def read_entities(text: str) -> str:
    """A text with its entities decoded. A very long character number is replaced first: to convert it would take long."""
    return html.unescape(_LONG_NUMBER.sub("\ufffd", text)) if "&" in text else text


def _add_words(text: str, result: TokenStream) -> None:
    if text:
        result.found.append(TextToken(read_entities(text)))


def _markup(source: str, opening: int, result: TokenStream) -> int:
    """Read what begins with "<", and return the position behind it."""
    mark = source[opening + 1]
    if source.startswith("<!--", opening):
        end = _COMMENT_END.search(source, opening + 2)  # `<!-->` is a complete comment
        return end.end() if end else len(source)
    address = _BARE_ADDRESS.match(source, opening)
    if address is not None:
        _add_words(f"<{address[1]}>", result)
        return address.end()
    name = _NAME.match(source, opening + (2 if mark == "/" else 1))
    if mark in "!?" or name is None:  # a declaration, an instruction, `</ >`
        end_of = source.find(">", opening)
        return len(source) if end_of < 0 else end_of + 1
    attributes: dict[str, str] = {}
    position, closed = _attributes(source, name.end(), attributes)
    if position < 0:
        result.swallowed += sum(map(len, source[opening:].split()))
        return len(source)
    lower = name[0].lower()
    if mark == "/":
        result.found.append(EndTag(lower))
        return position
    return _started(source, position, StartTag(lower, attributes, closed), result)


def _attributes(source: str, position: int, found: dict[str, str]) -> tuple[int, bool]:
    """Read to the end of a tag: the position behind its ">" (-1 for none), and whether a slash stands before that."""
    while True:
        between = _BETWEEN.match(source, position)
        slash = between is not None and between[0].endswith("/")
        position = between.end() if between else position
        if position >= len(source):
            return -1, False
        if source[position] == ">":
            return position + 1, slash
        attribute = _ATTRIBUTE.match(source, position)
        if attribute is None or attribute[3] == "" or attribute[5] == "":  # an attribute whose quote is never closed
            return -1, False
        value = attribute[2] or attribute[4] or attribute[6] or ""
        found.setdefault(attribute[1].lower(), read_entities(value))
        position = attribute.end()


def _started(source: str, position: int, tag: StartTag, result: TokenStream) -> int:
    """Add a start tag, and read over the content of an element without tags in it; the position behind it."""
    if tag.name == "script":
        return _behind_script(source, position)
    pattern = _RAW.get(tag.name)
    if pattern is None:
        result.found.append(tag)
        return position
    ending = pattern.search(source, position)
    content = source[position : ending.start() if ending else len(source)]
    if tag.name == "style":
        result.styles.append((tag.attributes.get("media", ""), content))
    elif tag.name in _SHOWN_RAW:
        result.found += [tag, TextToken(read_entities(content) if tag.name == "textarea" else content), EndTag(tag.name)]
    if ending is None:
        return len(source)
    behind, _ = _attributes(source, ending.end(), {})
    return behind if behind >= 0 else len(source)


def _behind_script(source: str, position: int) -> int:
    """The position behind a script. After `<!--` in it, a nested `<script` makes the next `</script` part of the content."""
    escaped = doubly = False
    for found in _SCRIPT.finditer(source, position):
        if found[0] == "<!--":
            escaped = True
        elif found[0] == "-->":
            escaped = doubly = False
        elif not found[1]:
            doubly = escaped
        elif doubly:
            doubly = False
        else:
            behind, _ = _attributes(source, found.end(), {})
            return behind if behind >= 0 else len(source)
    return len(source)
