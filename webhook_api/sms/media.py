"""The media of a text: their ids and content types, and never their addresses.

In effect a text's sender also chooses what its MediaUrl fields contain. So an address is read only for the media id in it, and only if it
belongs to our account and to this very text; the worker makes the address anew from the id (T10 of the threat table).
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urlsplit

from shared.errors import BadInput
from shared.model.media import MAX_MEDIA, MESSAGE_SID, Media
from webhook_api.security.signatures import Form
from webhook_api.sms.parsing import first_value

_TWILIO: Final = re.compile(r"https://api(\.[a-z0-9-]{1,30}){0,2}\.twilio\.com")  # with or without an edge and a region


def media_of(form: Form, *, count: int, account: str, sid: str, base_url: str) -> tuple[Media, ...]:
    """The downloadable media among the first `count` (NumMedia) of the text `sid`, in their order and each once.

    `base_url` is the configured host of Twilio's API; Twilio's own hosts are valid too. An entry with any other address is left out.
    """
    if not (account and MESSAGE_SID.fullmatch(sid)):
        return ()
    path = re.compile(rf"/2010-04-01/Accounts/{re.escape(account)}/Messages/{re.escape(sid)}/Media/(ME[0-9a-f]{{32}})")
    found = (_media(form, number, path, base_url) for number in range(min(count, MAX_MEDIA)))
    return tuple({media.id: media for media in found if media}.values())


def _media(form: Form, number: int, path: re.Pattern[str], base_url: str) -> Media | None:
    url = first_value(form, f"MediaUrl{number}")
    origin, address = _parts(url)
    found = path.fullmatch(address)
    if found is None or not (origin == base_url or _TWILIO.fullmatch(origin)):
        return None
    content_type = first_value(form, f"MediaContentType{number}").partition(";")[0].strip().lower()
    try:
        return Media.parse(f"{found[1]} {content_type}")
    except BadInput:
        return Media(found[1])


def _parts(url: str) -> tuple[str, str]:
    """Scheme with host, and the rest; two empty texts for an invalid address."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "", ""
    origin = f"{parts.scheme}://{parts.netloc}"
    return origin, url.removeprefix(origin)
