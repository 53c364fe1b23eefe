"""The append-only files of the embedded server: finds where they are damaged, and truncates them there.

The server loads a file whose last write is torn, and refuses a file that is damaged before that: bytes that are no command, an unknown
command, or one with too few arguments. Such a file is truncated behind its last valid command, never within a transaction. Nothing is
thrown away: the damaged file is kept beside it. A changed byte within a value leaves a valid command, which nothing in the format would
show. Only `cut` writes.
"""

from __future__ import annotations

import mmap
import os
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

DIRECTORY: Final = "appendonlydir"
MANIFEST: Final = "appendonly.aof.manifest"
MAX_ARGUMENTS: Final = 1024 * 1024
_FILE: Final = re.compile(r'file "?([^" /]+)"? seq (\d+) type ([bhi])')
_STREAM_ID: Final = re.compile(rb"(\d{13})-\d+")
_COUNT: Final = re.compile(rb"\*(\d{1,10})\r\n")
_LENGTH: Final = re.compile(rb"\$(\d{1,18})\r\n")
_NOTE: Final = re.compile(rb"#[^\r\n]{0,1000}\r\n")
"""An annotation of the server between commands, such as a timestamp."""
COPY_BYTES: Final = 1024 * 1024

Buffer = bytes | mmap.mmap
Arities = Mapping[bytes, int]
"""Each command of the server, in capitals, with its arity as COMMAND reports it: -n means at least n."""


class UnreadableManifest(Exception):
    """The manifest, which lists the files, cannot be read."""


@dataclass(frozen=True, slots=True)
class AofPart:
    """One of the files that make up the data, in the order in which the server loads them."""

    path: Path
    kind: str
    """`b` for the base (everything up to the last rewrite), `i` for an increment since."""

    @property
    def commands(self) -> bool:
        """Whether it consists of commands; otherwise it is a snapshot (only a base can be), which cannot be truncated."""
        with self.path.open("rb") as file:
            return not file.read(6).startswith((b"REDIS", b"VALKEY"))


@dataclass(frozen=True, slots=True)
class Damage:
    """Where a file stops being valid. `good` and `size` are in bytes."""

    part: AofPart
    good: int
    size: int
    commands: int
    """How many commands are valid."""
    behind: int
    """How many commands can still be read behind the damage, and are lost with it."""
    reason: str
    last_ms: int
    """The time of the last valid stream entry (of the ledger), in ms since 1970; 0 when there is none."""


def parts(directory: Path) -> list[AofPart]:
    """The files in the manifest, without those that a rewrite has replaced. Raises UnreadableManifest, or OSError."""
    lines = (directory / MANIFEST).read_text(encoding="utf-8", errors="replace").splitlines()
    found = [_FILE.match(line) for line in lines if line.strip() and not line.startswith("#")]
    if not found or None in found:
        raise UnreadableManifest(MANIFEST)
    return [AofPart(directory / match[1], match[3]) for match in found if match and match[3] != "h"]


def damage(part: AofPart, known: Arities) -> Damage | None:
    """Where a file of commands is damaged; None for a file that is valid to its end."""
    size = part.path.stat().st_size
    if not size:
        return None
    with part.path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        return _first_damage(part, data, size, known)


def _first_damage(part: AofPart, data: Buffer, size: int, known: Arities) -> Damage | None:
    at = good = count = commands = entry = 0
    transaction = False
    while at < size:
        if note := _NOTE.match(data, at):
            at = note.end()
            continue
        try:
            end, name, arguments = command(data, at)
            _check(name, arguments, known)
        except ValueError as error:
            last = _time_of(data[entry : min(entry + 256, size)])
            return Damage(part, good, size, commands, _readable_behind(data, at + 1, known), str(error), last)
        count += 1
        entry = at if name == b"XADD" else entry
        transaction = name == b"MULTI" or (transaction and name != b"EXEC")
        at = end
        if not transaction:
            good, commands = at, count
    return None


def command(data: Buffer, at: int) -> tuple[int, bytes, int]:
    """The end of the command at `at`, its name in capitals, and the number of its arguments with the name. Raises ValueError."""
    head = _COUNT.match(data, at)
    count = int(head[1]) if head else 0
    if head is None or not 1 <= count <= MAX_ARGUMENTS:
        raise ValueError("what stands there is no command")
    name, at = b"", head.end()
    for place in range(count):
        length = _LENGTH.match(data, at)
        end = length.end() + int(length[1]) if length else 0
        if length is None or data[end : end + 2] != b"\r\n":
            raise ValueError("a command is cut off or overwritten there")
        name = name if place else data[length.end() : min(end, length.end() + 64)].upper()
        at = end + 2
    return at, name, count


def _check(name: bytes, arguments: int, known: Arities) -> None:
    arity = known.get(name)
    if arity is None:
        raise ValueError("the server does not know the command there")
    if arguments != arity if arity >= 0 else arguments < -arity:
        raise ValueError("the command there has another number of arguments than it can have")


def _readable_behind(data: Buffer, at: int, known: Arities) -> int:
    """How many commands can still be read from `at` on; damage in between is skipped."""
    count = 0
    while (at := data.find(b"\n*", at)) >= 0:
        at += 1
        while True:
            try:
                at, name, arguments = command(data, at)
                _check(name, arguments, known)
            except ValueError:
                break
            count += 1
    return count


def _time_of(entry: bytes) -> int:
    match = _STREAM_ID.search(entry) if entry[:1] == b"*" else None
    return int(match[1]) if match else 0


def cut(found: Damage, later: list[AofPart]) -> list[Path]:
    """Truncate a damaged file behind its last valid command, and remove the `later` files; return where the original files are kept.

    At every moment the original file has a name: the valid part is written to a new file, which then takes its place. Raises OSError when
    there is no room, with nothing changed.
    """
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    path = found.part.path
    draft = path.with_name(f"{path.name}.good-{stamp}")
    try:
        _copy_beginning(path, draft, found.good)
        kept = [_keep(part.path, stamp) for part in (found.part, *later)]
        if later:
            _leave_out(path.parent, {part.path.name for part in later})
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    for part in later:
        part.path.unlink()
    _sync(path.parent)
    return kept


def _keep(path: Path, stamp: str) -> Path:
    """A second name for a file; never over another file."""
    kept = path.with_name(f"{path.name}.damaged-{stamp}")
    os.link(path, kept)
    return kept


def _copy_beginning(source: Path, target: Path, count: int) -> None:
    with source.open("rb") as read, target.open("xb") as write:
        os.fchmod(write.fileno(), source.stat().st_mode & 0o777)
        while count > 0 and (piece := read.read(min(count, COPY_BYTES))):
            write.write(piece)
            count -= len(piece)
        write.flush()
        os.fsync(write.fileno())


def _leave_out(directory: Path, names: set[str]) -> None:
    """Take files out of the manifest: it is rewritten under a temporary name of the server's own kind, which then takes its place."""
    path = directory / MANIFEST
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    draft = path.with_name(f"temp-{MANIFEST}")
    with draft.open("w", encoding="utf-8") as file:
        file.write("".join(line for line in lines if not ((match := _FILE.match(line)) and match[1] in names)))
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def _sync(directory: Path) -> None:
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
