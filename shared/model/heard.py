"""What was heard in a recording, as it stays with its message: it is paid for once, however often the turn is begun anew."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Literal, cast, get_args

from shared.errors import BadInput
from shared.model import codec

HearingFault = Literal["not_heard", "hearing_failed", "not_understood", "too_long", "not_paid"]
"""Why nobody knows what a recording says: nothing here can hear, what can did not answer, it refused this very recording, the recording is
too long or too large for it, or the day has no tokens left for it."""
MAX_BYTES: Final = 20_000
"""Bytes of UTF-8 of one recording's words that are kept."""
_FAULTS: Final = get_args(HearingFault)


@dataclass(frozen=True, slots=True)
class Heard:
    """The words, '' where nothing was said; or why there are none."""

    text: str = field(default="", repr=False)
    fault: HearingFault | Literal[""] = ""

    @classmethod
    def parse(cls, record: str) -> Heard | None:
        """Read a record's field; None for one that cannot be read: the recording is then heard once more."""
        try:
            value = codec.loads(record)
            text, fault = value["text"], value["fault"]
        except (BadInput, KeyError, TypeError):
            return None
        return cls(text, cast("HearingFault", fault)) if isinstance(text, str) and fault in ("", *_FAULTS) else None

    def __str__(self) -> str:
        return codec.dumps({"text": self.text, "fault": self.fault})
