"""By what an echo is known: the digest of what a message says, the same however its words are cased and spaced.

Two robots that answer each other never stop (RFC 3834); one that hides that it is a robot still shows it by what it says.
"""

from __future__ import annotations

import hashlib

from shared.model.events import Event


def digest_of(event: Event) -> str:
    """16 hex digits for the words of a message or a reply and the files that came with it; "" for one with neither.

    A file is known by its provider's id, so that five pictures with the same caption are five different messages.
    """
    said = "\x1f".join([" ".join(event.text.casefold().split()), *event.file_ids])
    return hashlib.sha256(said.encode("utf-8", "surrogatepass")).hexdigest()[:16] if said else ""
