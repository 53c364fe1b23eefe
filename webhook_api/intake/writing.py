"""What a program has the Boss write, on its way to Redis or to the spool."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any

from shared import submit
from shared.mailbox.calls import Outgoing
from shared.model.outgoing import OutgoingMessage
from shared.runtime import Runtime


@dataclass(slots=True)
class Writing:
    """One such message. `answer` is the script's word; None as long as Redis has not been heard."""

    message: OutgoingMessage
    answer: Outgoing | None = None

    def send(self, runtime: Runtime) -> bool:
        """Have Redis take it in; whether a replica has it. Raises StorageFault, StorageUnavailable, or StorageFull."""
        result = submit.run(runtime, submit.outgoing(runtime, self.message))
        self.answer = result.answer
        return result.replicated


def spelled(message: OutgoingMessage) -> dict[str, Any]:
    """For a record in JSON."""
    return asdict(message)


def read(value: dict[str, Any]) -> OutgoingMessage:
    """The message of such a record. Raises KeyError or TypeError."""
    given = {field.name: value[field.name] for field in fields(OutgoingMessage)}
    numbers = ("expires_ms", "received_at")
    if not all(isinstance(given[name], bool if name == "urgent" else int | float if name in numbers else str) for name in given):
        raise TypeError
    return OutgoingMessage(**given)
