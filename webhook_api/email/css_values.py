"""Parses CSS values: colours into red, green, blue and alpha, lengths into pixels. An unknown value is None."""

from __future__ import annotations

import colorsys
import re
from typing import Final, NamedTuple

ROOT_SIZE: Final = 16.0
"""A browser's own font size, in pixels."""
VIEWPORT: Final = 1024.0
"""The width and height of the window that is assumed, in pixels."""

_NUMBER: Final = re.compile(r"([+-]?(?:\d{1,40}\.?\d{0,40}|\.\d{1,40})(?:e[+-]?\d{1,3})?)([a-z]{0,5}|%)")
_UNITS: Final = {
    "": 1.0, "px": 1.0, "pt": 4 / 3, "pc": 16.0, "in": 96.0, "cm": 96 / 2.54, "mm": 96 / 25.4, "q": 96 / 101.6, "rem": ROOT_SIZE,
    "vw": VIEWPORT / 100, "vh": VIEWPORT / 100, "vmin": VIEWPORT / 100, "vmax": VIEWPORT / 100,
}  # fmt: skip
_FONT_UNITS: Final = {"em": 1.0, "ex": 0.5, "ch": 0.5}
_SIZES: Final = {
    "xx-small": 9.0, "x-small": 10.0, "small": 13.0, "medium": 16.0, "large": 18.0, "x-large": 24.0, "xx-large": 32.0,
    "xxx-large": 48.0, "initial": 16.0,
}  # fmt: skip
_COLOUR: Final = re.compile(r"#[0-9a-f]{3,8}|[a-z-]{1,30}\([^()]{0,200}\)|[a-z]{3,30}")
_GRADIENT: Final = re.compile(r"[a-z-]{0,40}gradient\(")
_PARTS: Final = re.compile(r"[^\s,/]+")
_HEX: Final = re.compile(r"[0-9a-f]+")
_NAMES: Final = dict(
    re.findall(
        r"(\w+)=(\w+)",
        "aliceblue=f0f8ff antiquewhite=faebd7 aqua=00ffff aquamarine=7fffd4 azure=f0ffff beige=f5f5dc bisque=ffe4c4 black=000000 "
        "blanchedalmond=ffebcd blue=0000ff blueviolet=8a2be2 brown=a52a2a burlywood=deb887 cadetblue=5f9ea0 chartreuse=7fff00 "
        "chocolate=d2691e coral=ff7f50 cornflowerblue=6495ed cornsilk=fff8dc crimson=dc143c cyan=00ffff darkblue=00008b "
        "darkcyan=008b8b darkgoldenrod=b8860b darkgray=a9a9a9 darkgreen=006400 darkgrey=a9a9a9 darkkhaki=bdb76b "
        "darkmagenta=8b008b darkolivegreen=556b2f darkorange=ff8c00 darkorchid=9932cc darkred=8b0000 darksalmon=e9967a "
        "darkseagreen=8fbc8f darkslateblue=483d8b darkslategray=2f4f4f darkslategrey=2f4f4f darkturquoise=00ced1 "
        "darkviolet=9400d3 deeppink=ff1493 deepskyblue=00bfff dimgray=696969 dimgrey=696969 dodgerblue=1e90ff firebrick=b22222 "
        "floralwhite=fffaf0 forestgreen=228b22 fuchsia=ff00ff gainsboro=dcdcdc ghostwhite=f8f8ff gold=ffd700 goldenrod=daa520 "
        "gray=808080 green=008000 greenyellow=adff2f grey=808080 honeydew=f0fff0 hotpink=ff69b4 indianred=cd5c5c indigo=4b0082 "
        "ivory=fffff0 khaki=f0e68c lavender=e6e6fa lavenderblush=fff0f5 lawngreen=7cfc00 lemonchiffon=fffacd lightblue=add8e6 "
        "lightcoral=f08080 lightcyan=e0ffff lightgoldenrodyellow=fafad2 lightgray=d3d3d3 lightgreen=90ee90 lightgrey=d3d3d3 "
        "lightpink=ffb6c1 lightsalmon=ffa07a lightseagreen=20b2aa lightskyblue=87cefa lightslategray=778899 lightslategrey=778899 "
        "lightsteelblue=b0c4de lightyellow=ffffe0 lime=00ff00 limegreen=32cd32 linen=faf0e6 magenta=ff00ff maroon=800000 "
        "mediumaquamarine=66cdaa mediumblue=0000cd mediumorchid=ba55d3 mediumpurple=9370db mediumseagreen=3cb371 "
        "mediumslateblue=7b68ee mediumspringgreen=00fa9a mediumturquoise=48d1cc mediumvioletred=c71585 midnightblue=191970 "
        "mintcream=f5fffa mistyrose=ffe4e1 moccasin=ffe4b5 navajowhite=ffdead navy=000080 oldlace=fdf5e6 olive=808000 "
        "olivedrab=6b8e23 orange=ffa500 orangered=ff4500 orchid=da70d6 palegoldenrod=eee8aa palegreen=98fb98 paleturquoise=afeeee "
        "palevioletred=db7093 papayawhip=ffefd5 peachpuff=ffdab9 peru=cd853f pink=ffc0cb plum=dda0dd powderblue=b0e0e6 "
        "purple=800080 red=ff0000 rosybrown=bc8f8f royalblue=4169e1 saddlebrown=8b4513 salmon=fa8072 sandybrown=f4a460 "
        "seagreen=2e8b57 seashell=fff5ee sienna=a0522d silver=c0c0c0 skyblue=87ceeb slateblue=6a5acd slategray=708090 "
        "slategrey=708090 snow=fffafa springgreen=00ff7f steelblue=4682b4 tan=d2b48c teal=008080 thistle=d8bfd8 tomato=ff6347 "
        "turquoise=40e0d0 violet=ee82ee wheat=f5deb3 white=ffffff whitesmoke=f5f5f5 yellow=ffff00 yellowgreen=9acd32 ",
    )
)
_SYSTEM: Final = {"canvas": "ffffff", "window": "ffffff", "canvastext": "000000", "windowtext": "000000"}


class Colour(NamedTuple):
    """Each from 0 to 255, `alpha` from 0 (not seen) to 1."""

    red: float
    green: float
    blue: float
    alpha: float = 1.0

    def over(self, other: Colour) -> Colour:
        """The visible colour when this one lies on another."""
        if self.alpha >= 1:
            return self
        red, green, blue = (mine * self.alpha + below * (1 - self.alpha) for mine, below in zip(self[:3], other[:3], strict=True))
        return Colour(red, green, blue)


WHITE: Final = Colour(255, 255, 255)
BLACK: Final = Colour(0, 0, 0)
LINK: Final = Colour(0, 0, 238)
CLEAR: Final = Colour(0, 0, 0, 0)


def colour(text: str) -> Colour | None:
    """A colour in any form of CSS 3, in lower case; None for an unknown form, such as `var()`."""
    if text.startswith("#"):
        return _of_digits(text[1:])
    if text == "transparent":
        return CLEAR
    if digits := _NAMES.get(text) or _SYSTEM.get(text):
        return _of_digits(digits)
    return _of_function(text)


def _of_function(text: str) -> Colour | None:
    """`rgb()` and `hsl()`, with commas or spaces, with an alpha or without."""
    name, bracket, rest = text.partition("(")
    parts = _PARTS.findall(rest.rstrip(") "))
    values = [(float(found[1]), found[2]) for part in parts if (found := _NUMBER.fullmatch(part))]
    if not bracket or name not in ("rgb", "rgba", "hsl", "hsla") or not 3 <= len(values) == len(parts) <= 4:  # noqa: PLR2004 - r, g, b, a
        return None
    alpha = _share(*values[3], 1.0) if len(values) > 3 else 1.0  # noqa: PLR2004 - the fourth
    if name.startswith("rgb"):
        red, green, blue = (255 * _share(number, unit, 255.0) for number, unit in values[:3])
        return Colour(red, green, blue, alpha)
    hue, saturation, light = values[0][0] / 360 % 1, _share(*values[1], 100.0), _share(*values[2], 100.0)
    red, green, blue = (255 * part for part in colorsys.hls_to_rgb(hue, light, saturation))
    return Colour(red, green, blue, alpha)


def _share(number: float, unit: str, whole: float) -> float:
    return min(1.0, max(0.0, number / (100.0 if unit == "%" else whole)))


def _of_digits(digits: str) -> Colour | None:
    if not _HEX.fullmatch(digits) or len(digits) not in (3, 4, 6, 8):
        return None
    if len(digits) < 6:  # noqa: PLR2004 - one digit for each part
        digits = "".join(2 * digit for digit in digits)
    red, green, blue, *alpha = bytes.fromhex(digits)
    return Colour(red, green, blue, alpha[0] / 255 if alpha else 1.0)


def legacy_colour(text: str) -> Colour | None:
    """The colour of an attribute such as bgcolor, by HTML's rules for legacy colours: what is not a name counts as digits."""
    text = text.strip().lower()
    if not text or text == "transparent":
        return None
    if text in _NAMES or (text.startswith("#") and len(text) == 4 and _HEX.fullmatch(text[1:])):  # noqa: PLR2004 - "#" and three
        return colour(text)
    digits = re.sub(r"[^0-9a-f]", "0", text[:128].removeprefix("#"))
    digits += "0" * (-len(digits) % 3 or (3 if not digits else 0))
    length = len(digits) // 3
    parts = [digits[at : at + length][-8:] for at in range(0, 3 * length, length)]
    while len(parts[0]) > 2 and all(part.startswith("0") for part in parts):  # noqa: PLR2004 - two digits a part
        parts = [part[1:] for part in parts]
    red, green, blue = (int(part[:2], 16) for part in parts)
    return Colour(red, green, blue)


def background(text: str) -> Colour | None:
    """The colour of a `background`, CLEAR for none; None for a picture, or for colours that differ."""
    if "url(" in text or "image(" in text or "image-set(" in text:
        return None
    words = [found[0] for found in _COLOUR.finditer(_GRADIENT.sub(" ", text))]
    found = {value for word in words if (value := colour(word)) is not None}
    if any("(" in word and colour(word) is None for word in words) or len(found) > 1:
        return None
    return found.pop() if found else CLEAR


def pixels(text: str, font_size: float, whole: float | None = None) -> float | None:
    """A length in pixels. `whole` is 100 %, in pixels; without it a percentage is None."""
    text = text.removeprefix("calc(").removesuffix(")").strip() if text.startswith("calc(") else text
    found = _NUMBER.fullmatch(text)
    if found is None:
        return None
    number, unit = float(found[1]), found[2]
    if unit == "%":
        return None if whole is None else number * whole / 100
    if unit in _FONT_UNITS:
        return number * _FONT_UNITS[unit] * font_size
    return number * _UNITS[unit] if unit in _UNITS else None


def number(text: str) -> float | None:
    """A plain number or a percentage as a share of 1."""
    found = _NUMBER.fullmatch(text)
    if found is None or found[2] not in ("", "%"):
        return None
    return float(found[1]) / (100 if found[2] else 1)


def font_size(text: str, parent: float) -> float | None:
    """A font size in pixels, by the parent's."""
    if text in _SIZES:
        return _SIZES[text]
    if text in ("inherit", "unset"):
        return parent
    if text in ("smaller", "larger"):
        return parent / 1.2 if text == "smaller" else parent * 1.2
    found = pixels(text, parent, parent)
    return found if found is not None and found >= 0 else None
