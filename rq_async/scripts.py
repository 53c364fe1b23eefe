"""The worker's three Lua scripts, and how they are sent. Each is a file in `lua/` that says at its head what it promises."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any, Final, Protocol

from redis.exceptions import NoScriptError


class CommandSender(Protocol):
    """What sends commands: a client of `redis.asyncio`, or a `CommandBatcher`."""

    async def execute_command(self, *args: Any) -> Any:
        """Send one command; what the server answers. Raises redis-py's errors."""


@dataclass(frozen=True, slots=True)
class Script:
    """A script's text and its SHA-1, which is Redis's name for it."""

    text: str
    sha: str

    async def send(self, commands: CommandSender, keys: Sequence[str], args: Sequence[Any]) -> Any:
        """Run the script with EVALSHA; with EVAL when the server does not know it, in which case it was not run yet."""
        rest = (len(keys), *keys, *args)
        try:
            return await commands.execute_command("EVALSHA", self.sha, *rest)
        except NoScriptError:
            return await commands.execute_command("EVAL", self.text, *rest)


def _load(name: str) -> Script:
    """A script without its comments: the server is sent the code alone."""
    lines = resources.files(__package__).joinpath("lua", f"{name}.lua").read_text(encoding="utf-8").splitlines()
    text = "\n".join(line for line in lines if not line.startswith("--"))
    return Script(text, hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest())


DEQUEUE: Final = _load("dequeue")
FINISH: Final = _load("finish")
REQUEUE: Final = _load("requeue")
