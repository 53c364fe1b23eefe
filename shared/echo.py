"""By what an echo is known: the digest of a message's words, the same however they are cased and spaced.

Two robots that answer each other never stop (RFC 3834); one that hides that it is a robot still shows it by what it says.
"""

from __future__ import annotations

import hashlib

from shared.events import Received, Response, SendSmsResponse, SmsReceived


def digest_of(event: Received | Response) -> str:
    """16 hex digits for the words of a message or a reply; "" for one without words, such as a picture."""
    text = event.message if isinstance(event, SmsReceived | SendSmsResponse) else event.body
    words = " ".join(text.casefold().split())
    return hashlib.sha256(words.encode("utf-8", "surrogatepass")).hexdigest()[:16] if words else ""
