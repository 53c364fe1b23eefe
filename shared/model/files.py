"""Files that came with a mail: what they are called, what they claim to be, and where their content waits.

The content never travels in an event: the webhook puts it into Redis in pieces under `key`, from which the worker reads it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal, cast, get_args

from shared.errors import BadInput

FileFault = Literal["", "no_room", "slow", "too_large", "too_many"]
"""Why a file's content was not kept; '' where it was."""
MAX_FILES: Final = 20
"""The most files of one mail whose content is kept; further ones are named."""
MAX_NAMED: Final = 200
"""The most files of one mail that are named."""
MAX_FILE_BYTES: Final = 30 * 1024 * 1024
"""The largest file whose content is kept: no larger mail reaches us, and no larger request Claude."""
_FAULTS: Final = get_args(FileFault)
_FILE: Final = re.compile(r"([0-9a-f]{32}|-) ([0-9]{1,12}) ([a-z_]{1,20}|-) ([a-z0-9.+-]{1,80}/[a-z0-9.+-]{1,80}|-) (.{1,200})", re.DOTALL)


@dataclass(frozen=True, slots=True)
class File:
    """A file. `key` is '' where its content was not kept, `size` is in bytes, `content_type` is what the mail claims."""

    key: str
    name: str
    content_type: str = ""
    size: int = 0
    fault: FileFault = ""

    @classmethod
    def parse(cls, text: str) -> File:
        """Read the wire's form, `key size fault type name` with "-" for nothing; raises BadInput `bad_file`."""
        found = _FILE.fullmatch(text)
        fault = found and found[3].replace("-", "")
        if found is None or fault not in _FAULTS:
            raise BadInput(code="bad_file")
        return cls(found[1].replace("-", ""), found[5], "" if found[4] == "-" else found[4], int(found[2]), cast("FileFault", fault))

    def __str__(self) -> str:
        return f"{self.key or '-'} {self.size} {self.fault or '-'} {self.content_type or '-'} {self.name[:200]}"
