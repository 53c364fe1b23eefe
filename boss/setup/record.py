"""What `boss setup` has done, on this machine's disk (0600): the names of what it made, and what stood before each of its changes.

The record is written before a change. So an interrupted run knows what it began, and `--undo` knows what to put back. It holds no key that
was asked for, but a line of `.env` that was replaced is kept whole.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from boss.setup.private_files import make_directory, remove, write_whole
from shared.errors import ConfigurationError

VERSION: Final = 1
MAX_BYTES: Final = 4 * 1024 * 1024


class SetupRecord:
    """The record; `keep_` adds to it, and what was kept first stays."""

    def __init__(self, path: Path, owner: tuple[int, int] | None = None) -> None:
        """Nothing is written before something is kept. Raises ConfigurationError for a record that cannot be read."""
        self._path, self._owner = path, owner
        self._data = self._read()

    @property
    def exists(self) -> bool:
        """Whether anything was done before."""
        return bool(self._data["stood"] or self._data["env"] or self._data["files"])

    @property
    def name(self) -> str:
        """What our things are called at the providers: one name for each installation."""
        return f"Bossline {self._data['tag']}"

    @property
    def addresses(self) -> frozenset[str]:
        """Every public address that this installation had."""
        return frozenset(self._data["addresses"])

    @property
    def stood(self) -> Mapping[str, Any]:
        """What stood before, by the step that changed it: oldest first."""
        return dict(self._data["stood"])

    @property
    def env(self) -> Mapping[str, Mapping[str, Any]]:
        """For each name that was set in `.env` its value before (None: it was not there), and a digest of each value of ours."""
        return dict(self._data["env"])

    @property
    def files(self) -> Mapping[str, str]:
        """Each file that was written, with a digest."""
        return dict(self._data["files"])

    def keep_address(self, url: str) -> None:
        """This is a public address of ours."""
        if url not in self._data["addresses"]:
            self._data["addresses"].append(url)
            self._write()

    def keep_stood(self, step: str, value: Any) -> None:
        """What stands before a step, None for nothing."""
        if step not in self._data["stood"]:
            self._data["stood"][step] = value
            self._write()

    def keep_env(self, before: Mapping[str, str | None], values: Mapping[str, str]) -> None:
        """What `.env` says before some names are set in it, and what they are set to."""
        for name, value in values.items():
            kept = self._data["env"].setdefault(name, {"before": before.get(name), "ours": []})
            if (found := self.digest(value)) not in kept["ours"]:
                kept["ours"].append(found)
        self._write()

    def keep_file(self, path: Path, text: str) -> None:
        """A file that is about to be written."""
        self._data["files"][str(path)] = self.digest(text)
        self._write()

    def wrote(self, path: Path, text: str) -> bool:
        """Whether a file is as it was written."""
        return bool(self._data["files"].get(str(path)) == self.digest(text))

    def digest(self, text: str) -> str:
        """A digest by which a value of ours is known again, and not found out."""
        return hashlib.sha256(f"{self._data['tag']}\0{text}".encode()).hexdigest()

    def forget(self, step: str) -> None:
        """This was put back."""
        if self._data["stood"].pop(step, self) is not self:
            self._write()

    def forget_env(self, names: Iterable[str]) -> None:
        """These lines were put back."""
        for name in names:
            self._data["env"].pop(name, None)
        self._write()

    def forget_file(self, path: str) -> None:
        """This file is gone."""
        if self._data["files"].pop(path, None) is not None:
            self._write()

    def remove(self) -> None:
        """Nothing is left of what was done."""
        remove(self._path)
        with suppress(OSError):  # others' files may lie there
            self._path.parent.rmdir()

    def _read(self) -> dict[str, Any]:
        empty: dict[str, Any] = {"version": VERSION, "tag": secrets.token_hex(4), "addresses": [], "stood": {}, "env": {}, "files": {}}
        try:
            with self._path.open("rb") as file:
                found = json.loads(file.read(MAX_BYTES))
        except FileNotFoundError:
            return empty
        except (OSError, ValueError) as error:
            raise ConfigurationError(f"{self._path}: cannot be read ({type(error).__name__}); it says what `boss setup` did") from None
        if not isinstance(found, dict) or found.get("version") != VERSION:
            raise ConfigurationError(f"{self._path}: is of another version of Bossline")
        return {**empty, **found}

    def _write(self) -> None:
        make_directory(self._path.parent, self._owner)
        write_whole(self._path, json.dumps(self._data, indent=1) + "\n", owner=self._owner)
