"""The answers in which the model paused: a conversation that ends with one of them may go on."""

from __future__ import annotations

import hashlib
import json
from collections import deque
from dataclasses import dataclass, field
from typing import Final

CAPACITY: Final = 1_000
"""Answers."""


@dataclass(slots=True)
class PausedAnswers:
    """The digests of the newest ones."""

    _digests: deque[bytes] = field(default_factory=lambda: deque(maxlen=CAPACITY))

    def add(self, content: object) -> None:
        """Remember the content of an answer."""
        self._digests.append(_digest(content))

    def includes(self, content: object) -> bool:
        """Whether this is the content of such an answer, unchanged."""
        return bool(self._digests) and _digest(content) in self._digests


def _digest(content: object) -> bytes:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).digest()
