"""The program of a child that reads one file: the file comes through its standard input, what it found goes to its standard output."""

from __future__ import annotations

import importlib
import sys
from typing import Final, cast

from supervisor_worker.media.readers.confinement import confine, forbid_processes
from supervisor_worker.media.readers.extract import NOTHING_ELSE, BoundedText, Extras, Fault, TextFull, Unreadable, frame, unframe
from supervisor_worker.media.readers.kinds import FAULTS, READERS, THREADED, kind_of

_PACKAGE: Final = __package__ or ""


def main() -> None:
    """Read a request (name and declared type, then the content), answer the kind at once and the rest when it is there.

    The kind goes first so that the parent can name it even where the reader ends badly.
    """
    confine(int(sys.argv[1]))
    said, content = unframe(sys.stdin.buffer.read())
    content_type, _, charset = str(said["type"]).partition(";")
    kind = kind_of(content, str(said["name"]), content_type)
    _say(frame({"kind": kind}))
    if kind not in THREADED:
        forbid_processes()
    text = BoundedText()
    extras, fault = read_as(kind, content, charset.strip().removeprefix("charset=").strip('"'), text)
    figures = {"pages": extras.pages, "document": extras.document, "seconds": extras.seconds}
    _say(frame({"text": text.text, "cut": text.cut, "fault": fault, **figures}) + extras.picture)


def _say(data: bytes) -> None:
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def read_as(kind: str, content: bytes, charset: str, text: BoundedText) -> tuple[Extras, Fault]:
    """Read a file as of that kind, into `text`; whatever the kind's reader raises becomes a fault."""
    if kind not in READERS:
        return NOTHING_ELSE, FAULTS.get(kind, "unknown")
    try:
        # Imported here so that a text file does not pay for the decoders of pictures; and below the limits, which hold for them too.
        reader = importlib.import_module(f"{_PACKAGE}.{READERS[kind]}")
        return cast("Extras | None", reader.read(content, charset, text)) or NOTHING_ELSE, ""
    except TextFull:
        return NOTHING_ELSE, ""
    except Unreadable as error:
        return NOTHING_ELSE, error.fault
    except MemoryError:
        return NOTHING_ELSE, "too_large"
    except Exception:  # noqa: BLE001 - a library that stumbles over a file says no more than that the file is damaged
        return NOTHING_ELSE, "damaged"
