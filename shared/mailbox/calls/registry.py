"""The registry of people: one change at a time, judged by the version of the registry that it was made for. No I/O."""

from __future__ import annotations

from typing import Literal, cast

from shared.mailbox.call import Arguments, Call


def change_registry(
    version: int, identity: str, user: str, entry: str, *, renamed: str = "", operation: str
) -> Call[Literal["ok", "stale"]]:  # fmt: skip
    """Write the entry `identity` as JSON, or take it away where `entry` is "". "stale": the registry has another version by now.

    `user` is the id as records have it, `renamed` the new username of an entry of the users file. `operation` is random, and the same
    when the call is repeated.
    """
    arguments: Arguments = {"version": version, "id": identity, "user": user, "entry": entry, "renamed": renamed, "operation": operation}
    return Call("change_registry", arguments, lambda raw: cast('Literal["ok", "stale"]', raw))
