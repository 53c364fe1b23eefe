"""The worker's three Lua scripts, each a file beside this one with its promise at its head, and how they are sent."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any, Final, Protocol

from redis.exceptions import NoScriptError


class Commands(Protocol):
    """What sends a script: a client of `redis.asyncio`, or anything that gathers commands into fewer sends."""

    async def execute_command(self, *args: Any) -> Any:
        """Send one command; its answer. Raises redis-py's errors."""


@dataclass(frozen=True, slots=True)
class Script:
    """A script's text and its SHA-1, which is Redis's name for it."""

    text: str
    sha: str

    async def send(self, commands: Commands, keys: Sequence[str], args: Sequence[Any]) -> Any:
        """One EVALSHA; an EVAL when the server does not know the script, which then was not run."""
        rest = (len(keys), *keys, *args)
        try:
            return await commands.execute_command("EVALSHA", self.sha, *rest)
        except NoScriptError:
            return await commands.execute_command("EVAL", self.text, *rest)


def _load(name: str) -> Script:
    """The file without its comments: the server is sent the code, not the reasons."""
    lines = resources.files(__package__).joinpath("lua", f"{name}.lua").read_text(encoding="utf-8").splitlines()
    text = "\n".join(line for line in lines if not line.startswith("--"))
    return Script(text, hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest())


TAKE: Final = _load("take")
FINISH: Final = _load("finish")
GIVE_BACK: Final = _load("give_back")
