"""Decides from CSS whether a person sees an element's text. Pure.

Only the properties by which text is hidden in mail are evaluated; other properties, and values that cannot be parsed, change nothing. A
desktop browser's window is assumed: what only a narrow screen shows is not considered.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from webhook_api.email.css_values import BLACK, CLEAR, ROOT_SIZE, VIEWPORT, WHITE, Colour, background, colour, font_size, number, pixels

SMALLEST_FONT: Final = 2.0
"""Text of up to so many pixels is unreadable."""
LEAST_OPACITY: Final = 0.1
LEAST_DIFFERENCE: Final = 16
"""Of 255: colours that differ by no more in red, green and blue look the same to a reader."""
OFF_SCREEN: Final = -500.0
FAR_AWAY: Final = 5_000.0
SMALLEST_BOX: Final = 2.0

Declarations = Mapping[str, str]

_COMMENT: Final = re.compile(r"/\*.*?(?:\*/|\Z)", re.DOTALL)
_ESCAPE: Final = re.compile(r"\\(?:([0-9a-f]{1,6})[ \t\r\n\f]?|\r?\n|(.))", re.DOTALL)
_DECLARATION: Final = re.compile(r"""(?:[^;"'()]|"[^"]*+(?:"|\Z)|'[^']*+(?:'|\Z)|\([^)]*+(?:\)|\Z)|\))++""")
_QUOTED: Final = re.compile("[\"'(]")
_GLOBAL: Final = frozenset({"inherit", "initial", "unset", "revert"})
_DISPLAYS: Final = re.compile(
    r"none|block|inline|flex|grid|table|(?:inline|table)-[a-z-]{2,20}|list-item|contents|flow-root|run-in|ruby|-(?:webkit|ms)-[a-z-]{3,20}"
)
_KEYWORDS: Final[dict[str, frozenset[str]]] = {
    "visibility": _GLOBAL | {"visible", "hidden", "collapse"},
    "mso-hide": frozenset({"all", "none", "screen"}),
    "content-visibility": _GLOBAL | {"visible", "hidden", "auto"},
    "position": _GLOBAL | {"static", "relative", "absolute", "fixed", "sticky"},
    "overflow": _GLOBAL | {"visible", "hidden", "clip", "scroll", "auto"},
    "white-space": _GLOBAL | {"normal", "nowrap", "pre", "pre-wrap", "pre-line", "break-spaces"},
}
_SIZE_WORD: Final = re.compile(r"(?:xx?-|xxx-)?(?:small|large)|medium|smaller|larger|[+-]?[\d.]+(?:[a-z]+|%)?")
_MOVED: Final = re.compile(r"translate[xy3d]{0,2}\(([^()]*)\)")
_SCALED: Final = re.compile(r"scale[xy]?\(\s*0*\.?0*\s*[,)]")
_ZERO_CLIP: Final = re.compile(r"rect\(\s*([^()]*)\)")
_NO_SHAPE: Final = re.compile(
    r"(?:circle|ellipse)\(\s*0|inset\(\s*(?:100|[5-9]\d)(?:\.\d*)?%|polygon\(\s*0(?:px|%)?(?:[\s,]+0(?:px|%)?)*\s*\)"
)
_FADED: Final = re.compile(r"opacity\(\s*([^()]*)\)")


@dataclass(frozen=True, slots=True)
class Look:
    """How an element's text looks, with what is inherited. `gone` hides all descendants; they can undo every other property.

    `breaks`: line ends in the text are shown.
    """

    gone: bool = False
    hidden: bool = False
    size: float = ROOT_SIZE
    opacity: float = 1.0
    away: bool = False
    ink: Colour | None = BLACK
    paper: Colour | None = WHITE
    breaks: bool = False
    unseen: bool = field(default=False, compare=False)


PLAIN: Final = Look()


def parse(text: str) -> dict[str, tuple[str, bool]]:
    """The declarations of a style that are evaluated here: longhand name to value (lower case) and whether it is `!important`."""
    text = unescaped(_COMMENT.sub(" ", text) if "/*" in text else text).lower()
    found: dict[str, tuple[str, bool]] = {}
    for piece in _DECLARATION.findall(text) if _QUOTED.search(text) else text.split(";"):
        name, _, value = piece.partition(":")
        name = name.strip()
        if name not in _READ:
            continue
        value, important = _without_mark(value)
        for longhand, said in _longhands(name, value):
            if _valid(longhand, said) and not (not important and found.get(longhand, ("", False))[1]):
                found[longhand] = said, important
    return found


def unescaped(text: str) -> str:
    """CSS with its escapes decoded: a backslash and `69` are an `i`."""
    return _ESCAPE.sub(_character, text) if "\\" in text else text


def _character(found: re.Match[str]) -> str:
    if not found[1]:
        return found[2] or ""
    code = int(found[1], 16)
    return chr(code) if 0 < code < 0x110000 and not 0xD800 <= code < 0xE000 else "\ufffd"  # noqa: PLR2004 - what is a character


def _without_mark(value: str) -> tuple[str, bool]:
    value = " ".join(value.split())
    before, mark, after = value.rpartition("!")
    return (before.strip(), True) if mark and after.strip() == "important" else (value, False)


def _longhands(name: str, value: str) -> Iterator[tuple[str, str]]:
    """The longhand declarations of a declaration."""
    words = value.split()
    if name in ("background", "background-image", "background-color"):
        yield name if name == "background-image" else "background-color", value
        if name == "background":
            yield "background-image", "none"
    elif name == "font" and (size := next((word for word in map(_font_word, words) if word), "")):
        yield "font-size", size
    elif name == "margin" and words:
        yield "margin-top", words[0]
        yield "margin-left", words[3] if len(words) > 3 else words[min(1, len(words) - 1)]  # noqa: PLR2004 - top, right, bottom, left
    elif name == "inset" and words:
        yield "top", words[0]
        yield "left", words[3] if len(words) > 3 else words[min(1, len(words) - 1)]  # noqa: PLR2004 - the same
    elif name in ("overflow", "overflow-x", "overflow-y") and words:
        yield "overflow", words[0]
    elif name in ("inset-inline-start", "margin-inline-start"):
        yield "left" if name.startswith("inset") else "margin-left", value
    else:
        yield name, value


def _font_word(word: str) -> str:
    size = word.partition("/")[0]
    return size if size == "0" or (_SIZE_WORD.fullmatch(size) and not size.isdigit()) else ""


def _valid(name: str, value: str) -> bool:
    """Whether a browser would accept this declaration; otherwise an earlier one applies."""
    if name in _KEYWORDS:
        return value in _KEYWORDS[name]
    if value in _GLOBAL or name in _ANY_VALUE:
        return name in _CHECKED or name in _ANY_VALUE
    return name in _CHECKED and _CHECKED[name](value)


def _is_length(value: str) -> bool:
    return value in ("auto", "none") or pixels(value, ROOT_SIZE, VIEWPORT) is not None


def _is_colour(value: str) -> bool:
    return value == "currentcolor" or "(" in value or colour(value) is not None


_CHECKED: Final[dict[str, Callable[[str], bool]]] = {
    "display": lambda value: _DISPLAYS.fullmatch(value) is not None,
    "opacity": lambda value: number(value) is not None,
    "font-size": lambda value: font_size(value, ROOT_SIZE) is not None or "(" in value,
    **dict.fromkeys(("color", "-webkit-text-fill-color"), _is_colour),
    **dict.fromkeys(
        ("left", "right", "top", "bottom", "margin-left", "margin-top", "text-indent", "width", "height", "max-width", "max-height"),
        _is_length,
    ),
}
_SHORTHANDS: Final = frozenset(
    {"background", "font", "margin", "inset", "overflow-x", "overflow-y", "inset-inline-start", "margin-inline-start"}
)
_ANY_VALUE: Final = frozenset({"background-color", "background-image", "clip", "clip-path", "transform", "scale", "filter"})
_READ: Final = frozenset({*_KEYWORDS, *_CHECKED, *_ANY_VALUE, *_SHORTHANDS})


def styled(parent: Look, said: Declarations) -> Look:
    """The look of an element within `parent`, with its own declarations."""
    if not said:
        return parent
    size = _size(parent.size, said)
    position = said.get("position", "static") not in ("static", "initial", "unset", "revert")
    look = replace(
        parent,
        gone=parent.gone or _gone(said) or _clipped(said, size, positioned=position) or _moved_away(said, size, positioned=position),
        hidden=_hidden(parent.hidden, said.get("visibility", "")),
        size=size,
        opacity=parent.opacity * _opacity(said),
        away=_away(parent.away, said, size),
        ink=_ink(parent.ink, said),
        paper=_paper(parent.paper, said),
        breaks=_breaks(parent.breaks, said.get("white-space", "")),
    )
    return replace(look, unseen=_unseen(look))


def _unseen(look: Look) -> bool:
    if look.gone or look.hidden or look.away or look.size <= SMALLEST_FONT or look.opacity < LEAST_OPACITY:
        return True
    if look.ink is None:
        return False
    if look.paper is None:
        return look.ink.alpha < LEAST_OPACITY
    shown = look.ink.over(look.paper)
    return all(abs(mine - below) <= LEAST_DIFFERENCE for mine, below in zip(shown[:3], look.paper[:3], strict=True))


def _size(parent: float, said: Declarations) -> float:
    if "font-size" not in said:
        return parent
    found = font_size(said["font-size"], parent)
    return ROOT_SIZE if found is None else found  # clamp() and the like: assumed readable


def _gone(said: Declarations) -> bool:
    return said.get("display") == "none" or said.get("mso-hide") == "all" or said.get("content-visibility") == "hidden"


def _hidden(parent: bool, value: str) -> bool:
    if value in ("", "inherit", "unset"):
        return parent
    return value in ("hidden", "collapse")


def _breaks(parent: bool, value: str) -> bool:
    if value in ("", "inherit", "unset"):
        return parent
    return value.startswith(("pre", "break"))


def _opacity(said: Declarations) -> float:
    faded = _FADED.search(said.get("filter", ""))
    values = [number(said.get("opacity", "1")), number(faded[1].strip()) if faded else 1.0]
    product = 1.0
    for value in values:
        product *= 1.0 if value is None else min(1.0, max(0.0, value))
    return product


def _away(parent: bool, said: Declarations, size: float) -> bool:
    """Whether `text-indent` moves the text out of its box."""
    value = said.get("text-indent", "")
    if value in ("", "inherit", "unset"):
        return parent
    indent = pixels(value, size, VIEWPORT) or 0.0
    return indent <= OFF_SCREEN or (indent >= VIEWPORT and said.get("overflow") in ("hidden", "clip"))


def _moved_away(said: Declarations, size: float, *, positioned: bool) -> bool:
    """Whether the whole box is outside of the window."""
    names = ("left", "top", "right", "bottom") if positioned else ()
    far = [_pixels(said, name, size) for name in names]
    moved = [_pixels(said, name, size) for name in ("margin-left", "margin-top")]
    for found in _MOVED.finditer(said.get("transform", "")):
        moved += [pixels(part.strip(), size, VIEWPORT) for part in found[1].split(",")]
    return any(value is not None and (value <= OFF_SCREEN or value >= FAR_AWAY) for value in (*far, *moved))


def _pixels(said: Declarations, name: str, size: float) -> float | None:
    return pixels(said[name], size, VIEWPORT) if name in said else None


def _clipped(said: Declarations, size: float, *, positioned: bool) -> bool:
    """Whether nothing of the box is visible: it has no size and hides its overflow, or is clipped or scaled to nothing."""
    if said.get("overflow") in ("hidden", "clip"):
        sizes = [_pixels(said, name, size) for name in ("width", "height", "max-width", "max-height")]
        if any(value is not None and 0 <= value <= SMALLEST_BOX for value in sizes):
            return True
    rectangle = _ZERO_CLIP.search(said.get("clip", "")) if positioned else None
    if rectangle and _is_nothing([pixels(part, size) for part in re.split(r"[\s,]+", rectangle[1].strip())]):
        return True
    return bool(_NO_SHAPE.search(said.get("clip-path", "")) or _SCALED.search(said.get("transform", "")) or said.get("scale") == "0")


def _is_nothing(edges: list[float | None]) -> bool:
    """Whether a rectangle (top, right, bottom, left) is next to empty."""
    if len(edges) != 4 or any(edge is None for edge in edges):  # noqa: PLR2004 - the four
        return False
    top, right, bottom, left = (edge or 0.0 for edge in edges)
    return bottom - top <= SMALLEST_BOX or right - left <= SMALLEST_BOX


def _ink(parent: Colour | None, said: Declarations) -> Colour | None:
    value = said.get("-webkit-text-fill-color", "")
    if value in ("", "currentcolor", "initial", "unset", "inherit", "revert"):
        value = said.get("color", "")
    if value in ("", "inherit", "unset", "currentcolor"):
        return parent
    return BLACK if value in ("initial", "revert") else colour(value)


def _paper(parent: Colour | None, said: Declarations) -> Colour | None:
    """The background behind the text; None for a picture, on which text may be visible."""
    plain, picture = said.get("background-color", ""), said.get("background-image", "")
    if picture not in ("", *_GLOBAL, "none"):
        drawn = background(picture)
        return drawn if drawn is None or drawn.alpha >= 1 or parent is None else drawn.over(parent)
    if plain in ("", *_GLOBAL):
        return parent
    found = background(plain)
    if found is None or found == CLEAR:
        return parent if found == CLEAR else None
    return found if parent is None else found.over(parent)
