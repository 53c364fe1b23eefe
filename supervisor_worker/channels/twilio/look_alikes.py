"""Characters outside the GSM alphabet that have a twin within it: one of them would make a whole text UCS-2, of twice the segments. Pure.

The table is that of Twilio's Smart Encoding (twilio.com/docs/messaging/services/smart-encoding-char-list, read in November 2026), which
works for senders of a Messaging Service only. So it is applied here, before the text is stored: what is stored is what is sent. Left out
are the rows that change what is read: combining marks (they belong to the letter before them), fractions (a half behind 2 would read
21/2), the backtick (code), and the control characters, which no text of ours has. Twilio's two angle quotes are put the right way round,
and each space counts as one. Added is the non-breaking hyphen, which models write.
"""

from __future__ import annotations

from typing import Final

_TWINS: Final = {
    '"': "\u00ab\u00bb\u201c\u201d\u02ba\u02ee\u201e\u201f\u275d\u275e\u301d\u301e\uff02",
    "'": "\u2018\u2019\u02bb\u02c8\u02bc\u02bd\u02b9\u201b\uff07\u00b4\u02ca\u02cb\u275b\u275c\ufe10\ufe11\u2017",
    "/": "\u00f7\u29f8\u2044\u2215\uff0f",
    "\\": "\u29f9\u29f5\ufe68\uff3c",
    "_": "\uff3f",
    "|": "\u2223\uff5c\u23b8\u23b9\u23d0\u239c\u239f",
    "-": "\u23bc\u23bd\u2015\ufe63\uff0d\u2010\u2011\u2013\u2014\u2043\u2022",
    "@": "\ufe6b\uff20",
    "$": "\ufe69\uff04",
    "!": "\u01c3\ufe15\ufe57\uff01",
    "!!": "\u203c",
    "#": "\ufe5f\uff03",
    "%": "\ufe6a\uff05",
    "&": "\ufe60\uff06",
    ",": "\u201a\ufe50\ufe51\uff0c\uff64\u3001",
    "(": "\u2768\u276a\ufe59\uff08\u27ee\u2985",
    ")": "\u2769\u276b\ufe5a\uff09\u27ef\u2986",
    "*": "\u204e\u2217\u229b\u2722\u2723\u2724\u2725\u2731\u2732\u2733\u273a\u273b\u273c\u273d\u2743\u2749\u274a\u274b\u29c6\ufe61\uff0a",
    "+": "\u02d6\ufe62\uff0b",
    ".": "\u3002\ufe52\uff0e\uff61",
    "...": "\u2026",
    ":": "\u02d0\u02f8\u2982\ua789\ufe13\uff1a",
    ";": "\u204f\ufe14\ufe54\uff1b",
    "<": "\ufe64\uff1c\u2039",
    "=": "\ua78a\ufe66\uff1d",
    ">": "\ufe65\uff1e\u203a",
    "?": "\ufe16\ufe56\uff1f",
    "^": "\u02c6\uff3e",
    "{": "\u2774\ufe5b\uff5b",
    "}": "\u2775\ufe5c\uff5d",
    "[": "\uff3b",
    "]": "\uff3d",
    "~": "\u02dc\u02f7\u223c\uff5e",
    " ": "\u00a0\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000",
    "       ": "\t",
}
_SMALL_CAPITALS: Final = dict(
    zip(
        "\u1d00\u0299\u1d04\u1d05\u1d07\ua730\u0262\u029c\u026a\u1d0a\u1d0b\u029f\u1d0d\u0274\u1d0f\u1d18\u0280\ua731\u1d1b\u1d1c\u1d20\u1d21\u028f\u1d22",
        "ABCDEFGHIJKLMNOPRSTUVWYZ",
        strict=True,
    )
)
_FULL_WIDTH: Final = {chr(0xFF10 + digit): str(digit) for digit in range(10)} | {
    chr(0xFF21 + place): chr(65 + place) for place in range(26)
}
LOOK_ALIKES: Final = {alike: twin for twin, row in _TWINS.items() for alike in row} | _SMALL_CAPITALS | _FULL_WIDTH
"""By character, what it is replaced with."""
_TABLE: Final = str.maketrans(LOOK_ALIKES)


def without_look_alikes(text: str) -> str:
    """The text with every character of the table replaced."""
    return text.translate(_TABLE)
