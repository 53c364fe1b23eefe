"""Parses a mail's header block leniently: for any input without an exception and without quadratic time.

What is read may differ from what was sent. A truncated block, or one that contains what RFC 5322 forbids, may show other headers to us than
to the server that checked the mail's signatures: such a block is not `whole`, and proves nothing. SendGrid unfolds and decodes the values
before it prints them, so long lines and letters of all languages are valid.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections import Counter
from dataclasses import dataclass
from typing import Final

from shared.model.text import decode
from shared.model.threads import ids_in

MAX_BLOCK: Final = 262_144
"""Characters of a block that are read."""
MAX_DECODED: Final = 20_000
MAX_REFERENCES: Final = 20
MAX_PARENTS: Final = 4
"""The ids of In-Reply-To that are kept: one is all that RFC 5322 asks for, and old programs name the parent's author as well."""
THREAD_BYTES: Final = 22
"""What all mails of an Outlook thread have in common ([MS-OXOMSG] 2.2.1.3): a time and a GUID. Each answer appends five bytes."""
MAX_INDEX: Final = 4_000

_NAME: Final = re.compile(r"[!-9;-~]+")
_LINE_END: Final = re.compile(r"\r\n|\r|\n")
_FOLD: Final = re.compile(r"\r?\n[ \t]")
_MESSAGE_ID: Final = re.compile(r"<[!-;=?-~]{1,400}>")
_BARE_ID: Final = re.compile(r"[!-;=?-~]{1,400}")
_ENCODED: Final = re.compile(r"=\?([^?\s]{1,80})\?([bq])\?([^?]{0,4000}|(?<=q\?)(?:[^?]|\?(?!=)){0,300})\?=", re.IGNORECASE)
"""An encoded word; some programs leave a "?" in it as it is."""
_HEXADECIMAL: Final = re.compile(rb"=([0-9a-fA-F]{2})")
_NOT_BASE64: Final = re.compile(rb"[^A-Za-z0-9+/]")
_ONCE: Final = frozenset(["from", "sender", "reply-to", "to", "cc", "bcc", "date", "message-id", "in-reply-to", "references", "subject"])
"""RFC 5322, 3.6: a mail has each of these at most once. A second one is not covered by the signature of the first."""


@dataclass(frozen=True, slots=True)
class Headers:
    """Names in lower case and unfolded values, in their order.

    `whole` says that nothing was cut off, that there is exactly one From, and that RFC 5322 forbids nothing in the block.
    """

    items: tuple[tuple[str, str], ...]
    whole: bool = True

    @classmethod
    def parse(cls, block: str) -> Headers:
        """Read a block up to its first empty line."""
        text = block[:MAX_BLOCK]
        lines, rest = _head(_LINE_END.split(text))
        items, sound = _fields(lines)
        times = Counter(name for name, _ in items)
        once = times["from"] == 1 and all(times[name] <= 1 for name in _ONCE)
        return cls(items, whole=len(block) <= MAX_BLOCK and "\0" not in text and _ends_alike(text) and not any(rest) and sound and once)

    def all(self, name: str) -> list[str]:
        """The values of every header of that name."""
        return [value for each, value in self.items if each == name]

    def first(self, name: str) -> str:
        """The value of the first header of that name, or ''."""
        return next((value for each, value in self.items if each == name), "")

    def message_id(self, name: str) -> str:
        """The first id of a header, with its brackets (added when they are missing); '' when there is none."""
        value = self.first(name).strip()
        found = _MESSAGE_ID.search(value)
        if found:
            return found[0]
        return f"<{value}>" if _BARE_ID.fullmatch(value) else ""

    def in_reply_to(self) -> str:
        """The ids of In-Reply-To, with blanks between them."""
        return " ".join(ids_in(self.first("in-reply-to"))[:MAX_PARENTS])

    def thread_index(self) -> str:
        """What the mails of an Outlook thread have in common, in hexadecimal digits; '' for a mail that has no Thread-Index."""
        text = "".join(self.first("thread-index")[:MAX_INDEX].split()).rstrip("=")
        try:
            index = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
        except (binascii.Error, ValueError):
            return ""
        return index[:THREAD_BYTES].hex() if len(index) >= THREAD_BYTES else ""

    def references(self) -> tuple[str, ...]:
        """The ids of References: the thread's root and the last twenty."""
        ids = ids_in(self.first("references"))
        return tuple(ids if len(ids) <= MAX_REFERENCES else [ids[0], *ids[-MAX_REFERENCES:]])


def _ends_alike(text: str) -> bool:
    """Whether all headers end alike, with CR LF or (as SendGrid prints them) with LF: a parser that knows only one sees other headers.

    The ends of folded lines, and of the last line, do not separate headers.
    """
    headers = _FOLD.sub(" ", text).rstrip("\r\n")
    pairs = headers.count("\r\n")
    return text.count("\r") == text.count("\r\n") and (not pairs or headers.count("\n") == pairs)


def _head(lines: list[str]) -> tuple[list[str], list[str]]:
    """The lines up to the first empty one, and those behind it, which do not belong to the block."""
    end = lines.index("") if "" in lines else len(lines)
    return lines[:end], lines[end:]


def _fields(lines: list[str]) -> tuple[tuple[tuple[str, str], ...], bool]:
    """The headers, and whether each line begins or continues one (RFC 5322, 2.2): no blank line, no blank in a name."""
    fields: list[tuple[str, list[str]]] = []
    sound, name = True, ""
    for line in lines:
        if line[0] in " \t":
            sound = sound and bool(fields) and bool(line.strip())
            if name:
                fields[-1][1].append(line.strip())
            continue
        name, colon, value = line.partition(":")
        sound = sound and bool(colon and _NAME.fullmatch(name))
        name = name.rstrip(" \t").lower() if colon and _NAME.fullmatch(name.rstrip(" \t")) else ""
        if name:
            fields.append((name, [value.strip()]))
    return tuple((name, " ".join(pieces).strip()) for name, pieces in fields), sound


def decoded(value: str) -> str:
    """A header's text with its encoded words (RFC 2047) decoded; one that cannot be decoded stays as it is.

    Words in a row are decoded together where they have one charset: programs cut letters of several bytes in two.
    """
    text = value[:MAX_DECODED]
    pieces: list[str] = []
    waiting, charset, at = b"", "", 0
    for word in _ENCODED.finditer(text):
        content = _content(word[2], word[3])
        between = text[at : word.start()]
        if content is None:
            continue
        if not waiting or between.strip() or word[1].lower() != charset:
            pieces += [decode(waiting, charset), between if not waiting or between.strip() else ""]
            waiting, charset = b"", word[1].lower()
        waiting, at = waiting + content, word.end()
    return "".join([*pieces, decode(waiting, charset), text[at:]])


def _content(encoding: str, text: str) -> bytes | None:
    """The bytes of an encoded word; None when it is none."""
    raw = text.encode("utf-8", "replace")
    if encoding in "qQ":
        return _HEXADECIMAL.sub(lambda found: bytes.fromhex(found[1].decode()), raw.replace(b"_", b" "))
    raw = _NOT_BASE64.sub(b"", raw)
    try:
        return binascii.a2b_base64(raw + b"=" * (-len(raw) % 4))
    except binascii.Error:
        return None
