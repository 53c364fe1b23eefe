"""Marks: which part of a received text its sender did not write, and whose words it is.

They are stored with the text, since what a turn may do depends on whose words the model is shown.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal, cast, get_args

from shared.errors import BadInput

MarkKind = Literal["quoted", "forwarded", "attached", "heard"]
"""`quoted`: an older mail in a reply. `forwarded`: a mail that is passed on. `attached`: read from a file. `heard`: from a recording."""
MAX_MARKS: Final = 200
"""The most marks of one text; a text with more is marked as a whole from there on."""
MAX_SOURCE: Final = 300
_KINDS: Final = get_args(MarkKind)
_MARK: Final = re.compile(rf"([a-z]{{1,20}}) ([0-9]{{1,9}}) ([0-9]{{1,9}})(?: (.{{1,{MAX_SOURCE}}}))?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Mark:
    """The characters from `start` to before `end`. `source` is who wrote them and when, as the text says it; '' where it does not."""

    kind: MarkKind
    start: int
    end: int
    source: str = ""

    @classmethod
    def parse(cls, text: str) -> Mark:
        """Read the wire's form, `forwarded 120 840 Tom Lee <tom@example.com>, 3 May`; raises BadInput `bad_mark`."""
        found = _MARK.fullmatch(text)
        if found is None or found[1] not in _KINDS or int(found[2]) > int(found[3]):
            raise BadInput(code="bad_mark")
        return cls(cast("MarkKind", found[1]), int(found[2]), int(found[3]), found[4] or "")

    def __str__(self) -> str:
        return f"{self.kind} {self.start} {self.end} {self.source[:MAX_SOURCE]}".rstrip(" ")
