"""This machine for `boss setup`: `.env`, the users file and the files of other programs, read and written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from boss.setup.env_file import edited
from boss.setup.people import usernames, with_person
from boss.setup.private_files import PRIVATE, remove, write_whole
from boss.setup.record import SetupRecord
from shared import operator_files
from shared.errors import ConfigurationError

OPEN: Final = 0o644


@dataclass(frozen=True, slots=True)
class Machine:
    """The files. `owner` (user, group) is who will run the processes, where root sets up."""

    env_path: Path
    users_path: Path
    record: SetupRecord
    others: tuple[Path, ...] = ()
    owner: tuple[int, int] | None = None

    def look(self) -> dict[str, Any]:
        """What stands here, under the names of `SetupStanding`. Raises ConfigurationError for a file that cannot be read."""
        texts = {path: text for path in self.others if (text := _text(path)) is not None}
        return {
            "env": operator_files.read_env(self.env_path),
            "usernames": usernames(self.users_path),
            "users_file": str(self.users_path),
            "users_text": _text(self.users_path),
            "files": texts,
        }

    def set_env(self, values: Mapping[str, str | None], *, keep: bool = True) -> None:
        """Set names in `.env`, or take them out (None). Raises ConfigurationError."""
        text = (_text(self.env_path) or "").removeprefix("\ufeff")
        before = operator_files.read_env(self.env_path)
        try:
            new = edited(text, values)
        except ValueError as error:
            raise ConfigurationError(f".env: {error}, so it cannot be written there") from None
        if keep:
            self.record.keep_env(before, {name: value for name, value in values.items() if value is not None})
        if new or keep:
            write_whole(self.env_path, new, owner=self.owner)
        else:
            remove(self.env_path)

    def add_person(self, entry: Mapping[str, str]) -> None:
        """Add somebody to the users file. Raises ConfigurationError for an entry that cannot be."""
        new = with_person(self.users_path, _text(self.users_path) or "", entry)
        self.record.keep_file(self.users_path, new)
        write_whole(self.users_path, new, owner=self.owner)

    def write_file(self, path: Path, text: str, *, private: bool) -> None:
        """Write a file for another program; `private`: one of ours, for its owner alone. Raises ConfigurationError."""
        self.record.keep_file(path, text)
        write_whole(path, text, mode=PRIVATE if private else OPEN, owner=self.owner if private else None)

    def remove_file(self, path: Path) -> None:
        """Take a file away. Raises ConfigurationError."""
        remove(path)


def _text(path: Path) -> str | None:
    """A file's text with its line ends as they are; None where there is no file. Raises ConfigurationError."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return file.read(operator_files.MAX_FILE_BYTES)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{path}: cannot be read ({type(error).__name__})") from None
