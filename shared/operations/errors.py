"""What an operator asked for and cannot have."""

from __future__ import annotations

from typing import Literal

from shared.errors import BosslineError

Code = Literal[
    "unknown_message",
    "ambiguous",
    "too_short",
    "not_parked",
    "unknown_user",
    "no_address",
    "unknown_server",
    "not_valid",
    "not_waiting",
    "busy",
]


class NotPossible(BosslineError):
    """An operation that was not carried out; `detail` is a sentence for the operator, `code` says which kind of trouble it is."""

    code: str

    def __init__(self, detail: str, code: Code) -> None:
        super().__init__(detail, code=code)
