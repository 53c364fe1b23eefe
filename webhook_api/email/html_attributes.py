"""What the attributes of an HTML element say about its look. Pure."""

from __future__ import annotations

import re
from typing import Final

from webhook_api.email.css_values import LINK, Colour, legacy_colour

_UNLESS_SHOWN: Final = frozenset({"datalist", "rp"})
_LINK: Final = "#{:02x}{:02x}{:02x}".format(*LINK[:3])
_CITED: Final = re.compile(r"quote|cite|reply|forward", re.IGNORECASE)
_BAR: Final = re.compile(r"border(?:-left)?(?:-width)?\s*:\s*(?!none|0|medium none)[^;\s]", re.IGNORECASE)
_OUTLOOKS_BAR: Final = re.compile(r"\s*border:\s*none;\s*border-left:\s*solid\s[^;]{1,60};\s*padding:[^;]{1,60}", re.IGNORECASE)
_INK: Final = {"font": "color", "body": "text"}
_PAPER: Final = frozenset({"body", "table", "tr", "td", "th", "thead", "tbody", "tfoot", "marquee"})


def declared(name: str, attributes: dict[str, str]) -> dict[str, str]:
    """The declarations that follow from an element's attributes and the browser's own sheet; any style overrides them."""
    said: dict[str, str] = {}
    if name in _UNLESS_SHOWN or (name == "dialog" and "open" not in attributes):
        said["display"] = "none"
    if name == "a" and "href" in attributes:
        said["color"] = _LINK
    if not attributes:
        return said
    if "hidden" in attributes:
        said["display"] = "none"
    if (ink := _INK.get(name)) and (colour := legacy_colour(attributes.get(ink, ""))):
        said["color"] = _written(colour)
    if name in _PAPER and (colour := legacy_colour(attributes.get("bgcolor", ""))):
        said["background-color"] = _written(colour)
    if name in _PAPER and attributes.get("background"):
        said["background-image"] = "url()"
    return said


def is_quote(name: str, attributes: dict[str, str]) -> bool:
    """Whether an element is what mail programs put around a quoted mail: a blockquote, or Outlook's div with a bar on its left alone."""
    if name == "blockquote":
        return not is_indent(attributes)
    return name == "div" and _OUTLOOKS_BAR.match(attributes.get("style", "")) is not None


def is_indent(attributes: dict[str, str]) -> bool:
    """Whether a blockquote is what writing programs make of an indented paragraph of the author's own: a margin, and no bar beside it."""
    if attributes.get("type", "").lower() == "cite" or "cite" in attributes or _CITED.search(attributes.get("class", "")):
        return False
    style = attributes.get("style", "")
    return "margin" in style.lower() and not _BAR.search(style)


def _written(colour: Colour) -> str:
    return "#{:02x}{:02x}{:02x}".format(*map(int, colour[:3]))
