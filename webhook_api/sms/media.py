"""The files of a text: their ids and types, and never their addresses.

Who writes a text also writes, in effect, what its MediaUrl fields say. So an address is only read for the id in it, when it is
one of our own account and of this very text; the worker makes the address again from the id (T10 of the threat table).
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urlsplit

from shared.errors import BadInput
from shared.model.events import MAX_MEDIA, MESSAGE_SID, Media
from webhook_api.security.signatures import Form

_TWILIO: Final = re.compile(r"https://api(\.[a-z0-9-]{1,30}){0,2}\.twilio\.com")  # with an edge and a region, or without


def media_of(form: Form, *, count: int, account: str, sid: str, base_url: str) -> tuple[Media, ...]:
    """The files of the text `sid` that can be asked for, of the first `count` (NumMedia), in their order and each once.

    `base_url` is the configured host of Twilio's API, beside Twilio's own. What cannot be asked for is left out: `count` has it.
    """
    if not (account and MESSAGE_SID.fullmatch(sid)):
        return ()
    path = re.compile(rf"/2010-04-01/Accounts/{re.escape(account)}/Messages/{re.escape(sid)}/Media/(ME[0-9a-f]{{32}})")
    found = (_media(form, number, path, base_url) for number in range(min(count, MAX_MEDIA)))
    return tuple({media.id: media for media in found if media}.values())


def _media(form: Form, number: int, path: re.Pattern[str], base_url: str) -> Media | None:
    url = _one(form, f"MediaUrl{number}")
    origin, address = _parts(url)
    found = path.fullmatch(address)
    if found is None or not (origin == base_url or _TWILIO.fullmatch(origin)):
        return None
    content_type = _one(form, f"MediaContentType{number}").partition(";")[0].strip().lower()
    try:
        return Media.parse(f"{found[1]} {content_type}")
    except BadInput:
        return Media(found[1])


def _parts(url: str) -> tuple[str, str]:
    """Scheme with host, and all the rest; two empty texts for what is no address."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "", ""
    origin = f"{parts.scheme}://{parts.netloc}"
    return origin, url.removeprefix(origin)


def _one(form: Form, name: str) -> str:
    values = form.get(name)
    return values[0] if values else ""
