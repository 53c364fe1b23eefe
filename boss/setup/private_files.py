"""Files with secrets, written whole or not at all: a draft for its owner alone, synced, then renamed. And the lock of one run at a time."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from shared.errors import ConfigurationError

PRIVATE: Final = 0o600
DIRECTORY: Final = 0o700


def write_whole(path: Path, text: str, *, mode: int = PRIVATE, owner: tuple[int, int] | None = None) -> None:
    """Put `text` into a file; a reader sees the old one or the new one. A link is followed, and the owner stays.

    `owner` (user, group) is for a file that is new; only root can give one away. Raises ConfigurationError.
    """
    path = path.resolve()
    try:
        _write(path, text, mode, _owner_of(path) or owner)
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be written ({error.strerror})") from None


def _write(path: Path, text: str, mode: int, owner: tuple[int, int] | None) -> None:
    draft = draft_of(path)
    draft.unlink(missing_ok=True)  # of a run that was killed: two never run at once
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, PRIVATE)
    with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
        if owner is not None and os.geteuid() == 0:
            os.fchown(file.fileno(), *owner)
        os.fchmod(file.fileno(), mode)
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    sync_directory(path.parent)


def draft_of(path: Path) -> Path:
    """The draft of a file, in the same directory."""
    return path.with_name(f"{path.name}.draft")


def remove(path: Path) -> None:
    """Take a file and its draft away. Raises ConfigurationError."""
    try:
        for each in (path.resolve(), draft_of(path.resolve())):
            each.unlink(missing_ok=True)
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be removed ({error.strerror})") from None


def make_directory(path: Path, owner: tuple[int, int] | None = None) -> None:
    """Make a directory for its owner alone, where it is missing. Raises ConfigurationError."""
    try:
        for each in (*reversed(path.parents), path):
            if not each.exists():
                each.mkdir(DIRECTORY)
                if owner is not None and os.geteuid() == 0:
                    os.chown(each, *owner)
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be made ({error.strerror})") from None


def sync_directory(path: Path) -> None:
    """Make a rename last."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _owner_of(path: Path) -> tuple[int, int] | None:
    with suppress(FileNotFoundError):
        found = path.stat()
        return found.st_uid, found.st_gid
    return None


@contextmanager
def only_one(directory: Path) -> Iterator[None]:
    """Hold a directory's lock, which the kernel gives up with the process. Raises ConfigurationError while another run holds it."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise ConfigurationError("another `boss setup` is running in this directory; wait for its end") from None
    except OSError as error:
        os.close(descriptor)
        raise ConfigurationError(f"{directory}: cannot be locked ({error.strerror})") from None
    try:
        yield
    finally:
        os.close(descriptor)
