"""Office files, which are ZIP archives of XML: checked before anything is unpacked, then unpacked and parsed piece by piece.

Nothing is unpacked as a whole, no archive within an archive is opened, and a document type (without which there are no entities) is
refused.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Iterator, Mapping
from typing import Final
from xml.parsers import expat

from supervisor_worker.media.readers.extract import Unreadable

MAX_ENTRIES: Final = 5_000
MAX_UNPACKED: Final = 300_000_000
"""Bytes of all entries together, as the archive declares them; a stream that goes on behind its declared end is damaged."""
MAX_RATIO: Final = 100
"""Of an entry's size to its packed size."""
_SMALL: Final = 1_000_000
"""Bytes of an entry whose ratio does not matter."""
_PIECE: Final = 65_536
_ENCRYPTED: Final = 1

Attributes = Mapping[str, str]
Start = Callable[[str, Attributes], None]
End = Callable[[str], None]
Data = Callable[[str], None]


class Package:
    """The archive of an Office file."""

    def __init__(self, content: bytes) -> None:
        """Raises Unreadable `too_large`, `encrypted` or `damaged`."""
        try:
            self._archive = zipfile.ZipFile(io.BytesIO(content))
        except (zipfile.BadZipFile, ValueError, NotImplementedError):
            raise Unreadable("damaged") from None
        entries = self._archive.infolist()
        if any(entry.flag_bits & _ENCRYPTED for entry in entries):
            raise Unreadable("encrypted")
        if len(entries) > MAX_ENTRIES or sum(entry.file_size for entry in entries) > MAX_UNPACKED or any(map(_bomb, entries)):
            raise Unreadable("too_large")
        if sum(entry.compress_size for entry in entries) > len(content):  # several entries of the same bytes
            raise Unreadable("damaged")
        self.names: Final = frozenset(entry.filename for entry in entries)

    def parse(self, name: str, start: Start, end: End, data: Data) -> None:
        """Parse an entry; names are given without their namespace. Raises Unreadable `damaged`, and whatever the callbacks raise."""
        parser = expat.ParserCreate(namespace_separator=" ")
        parser.buffer_text = True
        parser.StartElementHandler = lambda tag, attributes: start(_local(tag), {_local(key): value for key, value in attributes.items()})
        parser.EndElementHandler = lambda tag: end(_local(tag))
        parser.CharacterDataHandler = data
        parser.StartDoctypeDeclHandler = _refuse
        try:
            for piece in self._pieces(name):
                parser.Parse(piece)
            parser.Parse(b"", True)
        except (expat.ExpatError, zipfile.BadZipFile, KeyError, EOFError):
            raise Unreadable("damaged") from None

    def _pieces(self, name: str) -> Iterator[bytes]:
        with self._archive.open(name) as stream:
            while piece := stream.read(_PIECE):
                yield piece


def _bomb(entry: zipfile.ZipInfo) -> bool:
    return entry.file_size > max(_SMALL, MAX_RATIO * entry.compress_size)


def _local(name: str) -> str:
    return name.rpartition(" ")[2]


def _refuse(*_: object) -> None:
    raise Unreadable("damaged")
