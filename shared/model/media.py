"""The files of a text: what Twilio calls them, and what a carrier says that they are."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from shared.errors import BadInput

MAX_MEDIA: Final = 10
"""The files that one text may carry (Twilio's limit)."""
MESSAGE_SID: Final = re.compile(r"(?:SM|MM)[0-9a-f]{32}")
"""Twilio's id of a text, as every one of Twilio's is."""
_MEDIA: Final = re.compile(r"(ME[0-9a-f]{32}) ([a-z0-9.+-]{1,60}/[a-z0-9.+-]{1,60})?")


@dataclass(frozen=True, slots=True)
class Media:
    """A file that came with a text: Twilio's id of it, and the type that a carrier gave it ('' when that is no type).

    There is no URL: where the file is follows from the id, the text's `provider_id` and our own account.
    """

    id: str
    content_type: str = ""

    @classmethod
    def parse(cls, text: str) -> Media:
        """Read the wire's form, `ME... image/jpeg`; raises BadInput `bad_media`."""
        found = _MEDIA.fullmatch(text)
        if found is None:
            raise BadInput(code="bad_media")
        return cls(found[1], found[2] or "")

    def __str__(self) -> str:
        return f"{self.id} {self.content_type}"

    @property
    def may_be_picture(self) -> bool:
        """Whether it is worth a look: a type that says picture, or says nothing."""
        return self.content_type.startswith("image/") or self.content_type in ("", "application/octet-stream")
