"""What the Boss may be called: a name that a mail program shows as the sender, and that stands in a text as it is."""

from __future__ import annotations

import unicodedata
from typing import Final

from shared.model.text import clean

MAX_NAME: Final = 60
RULE: Final = f"letters, digits, spaces and - ' . &, {MAX_NAME} at most, with no space at its ends"


def is_sender_name(name: str) -> bool:
    """Whether a name needs neither quotes nor care in a From header: no address, no comma, no hidden character, on one line."""
    letters = all(unicodedata.category(char)[0] in "LMN" or char in " -'.&" for char in name)
    return letters and 0 < len(name) <= MAX_NAME and name == name.strip() == clean(name)
