"""Tracks which elements are open at each place of an HTML text, and so how its text looks.

Browsers close what an author leaves open and ignore what was never opened (HTML Living Standard, 13.2.6). A parser with other rules shows
what they hide, or hides what they show: `<b><i hidden></b>` hides what follows, `<span><div hidden></span>` too, and `<p hidden><p>` does
not. Compared with html5lib over random tags. Not implemented of those rules: frames, and the content of `<select>`.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from webhook_api.email import css_visibility
from webhook_api.email.css_sheets import Parsed, Sheets, overlay
from webhook_api.email.css_visibility import PLAIN, Look
from webhook_api.email.html_attributes import declared, is_quote
from webhook_api.email.html_tokens import StartTag

MAX_DEPTH: Final = 500
"""As deep as browsers nest elements."""
MAX_WORK: Final = 1_000_000
"""Steps for one mail; real mails take a few thousand."""

STYLE_STEPS: Final = 100
"""The steps that parsing a style, or applying it, counts as."""
MAX_ALIKE: Final = 3
"""How many identical formatting elements are reopened, as browsers do (the "Noah's Ark clause")."""

VOID: Final = frozenset(
    {"area", "base", "basefont", "bgsound", "br", "col", "embed", "frame", "hr", "image", "img", "input", "keygen", "link", "meta", "param",
     "source", "track", "wbr"}
)  # fmt: skip
_IGNORED: Final = frozenset({"head", "frameset", "frame"})
_FORMATTING: Final = frozenset({"a", "b", "big", "code", "em", "font", "i", "nobr", "s", "small", "strike", "strong", "tt", "u"})
_HEADINGS: Final = frozenset({"h1", "h2", "h3", "h4", "h5", "h6"})
_BLOCKS: Final = _HEADINGS | {
    "address", "article", "aside", "blockquote", "center", "details", "dialog", "dir", "div", "dl", "fieldset", "figcaption", "figure",
    "footer", "form", "header", "hgroup", "listing", "main", "menu", "nav", "ol", "p", "pre", "search", "section", "summary", "ul",
}  # fmt: skip
_CELLS: Final = frozenset({"td", "th"})
_ROW_GROUPS: Final = frozenset({"tbody", "thead", "tfoot"})
_TABLE_PARTS: Final = _CELLS | _ROW_GROUPS | {"tr", "caption", "colgroup"}
_ROWS: Final = _ROW_GROUPS | {"table", "tr"}
_MARKED: Final = _CELLS | {"caption", "template", "applet", "marquee", "object"}
_SCOPE: Final = _CELLS | {"html", "table", "caption", "template", "applet", "marquee", "object"}
_TABLE_SCOPE: Final = frozenset({"html", "table", "template"})
_SPECIAL: Final = _BLOCKS | _TABLE_PARTS | _SCOPE | {"li", "dd", "dt", "button", "select", "textarea", "xmp", "plaintext"}
_FOREIGN: Final = frozenset({"svg", "math"})
_HTML_AGAIN: Final = (
    _BLOCKS
    | _FORMATTING
    | {"body", "br", "dd", "dt", "embed", "head", "hr", "img", "li", "meta", "ruby", "span", "sub", "sup", "table", "var"}
)
_NEVER: Final = frozenset({"template", "noscript", "svg", "math", "object", "audio", "video", "canvas", "applet"})


class MarkupTooComplex(Exception):
    """The rest of the mail is not read: no real mail is nested so deeply or takes so many steps."""


@dataclass(slots=True, eq=False)
class Element:
    """An open element. `said` are its CSS declarations, for each property the strongest one; `quotes` is 1 for a quoted block."""

    name: str
    attributes: dict[str, str] = field(default_factory=dict)
    said: dict[str, str] = field(default_factory=dict)
    look: Look = PLAIN
    open: bool = True
    quotes: int = 0


class Elements:
    """The open elements, the outermost first. Raises MarkupTooComplex when they are too deep, or cost too many steps."""

    def __init__(self, sheets: Sheets) -> None:
        self._sheets = sheets
        self._styles: dict[str, Parsed] = {}
        self._looks: dict[tuple[Look, tuple[tuple[str, str], ...]], Look] = {}
        self._work = MAX_WORK
        self._open: Counter[str] = Counter()
        self._formatting: list[Element | None] = []
        self._body = False
        self._quotes = 0
        self._links: list[Element] = []
        self._stack = [Element("html")]
        self._root(StartTag("html", {}, closed=False))

    @property
    def look(self) -> Look:
        """How text looks here."""
        return self._stack[-1].look

    @property
    def quotes(self) -> int:
        """How many quoted blocks are open."""
        return self._quotes

    def count(self, name: str) -> int:
        """How many elements of that name are open."""
        return self._open[name]

    @property
    def link(self) -> dict[str, str] | None:
        """The attributes of the link that words here belong to; of one that was closed implicitly and reopened they are the same object."""
        while self._links and not self._links[-1].open:
            self._links.pop()
        return self._links[-1].attributes if self._links else None

    def picture(self, tag: StartTag) -> tuple[Look, dict[str, str]]:
        """How a picture looks that comes here, and its declarations."""
        self._reconstruct()
        said = self._declarations(Element(tag.name, tag.attributes))
        return self._styled(self._around(len(self._stack), tag.name).look, said), said

    def spend(self, steps: int) -> None:
        """Count steps of work. Raises MarkupTooComplex beyond MAX_WORK."""
        self._work -= steps
        if self._work < 0:
            raise MarkupTooComplex

    def words(self) -> Look:
        """How text looks that comes here. Formatting elements that another end tag closed implicitly are reopened first."""
        self._reconstruct()
        return self._around(len(self._stack), "").look

    def start(self, tag: StartTag) -> None:
        """Open an element, and close the elements that cannot contain it."""
        name = tag.name
        self.spend(1)
        if name in _IGNORED or (name == "form" and self._open["form"]):
            return
        if name in ("html", "body"):
            if len(self._stack) == 1 and not (name == "body" and self._body):
                self._body = self._body or name == "body"
                self._root(tag)
            return
        self._leave_foreign(name)
        if name in _TABLE_PARTS and not self._make_room_in_table(name):
            return
        self._close_implied(name)
        if name in VOID:
            return
        if not (name in _BLOCKS or name in _TABLE_PARTS or name in ("table", "li", "dd", "dt", "template")):
            self._reconstruct()
        if name in _FOREIGN and tag.closed:
            return
        element = self._push(Element(name, tag.attributes))
        if name in _FORMATTING:
            self._remember(element)
        elif name in _MARKED:
            self._formatting.append(None)

    def end(self, name: str) -> None:
        """Close an element with all that is open in it, if the rules allow to close it from here."""
        self.spend(1)
        if not self._open[name] and not (name in _HEADINGS or name in _FORMATTING):
            return
        if name in _FORMATTING:
            self._end_formatting(name)
        elif name in _HEADINGS:
            self._pop_to(self._in_scope(_HEADINGS, _SCOPE))
        elif name in _TABLE_PARTS or name in ("table", "template"):
            self._pop_to(self._in_scope({name}, _TABLE_SCOPE - {name}))
        elif name == "li":
            self._pop_to(self._in_scope({name}, _SCOPE | {"ol", "ul"}))
        elif name == "p":
            self._pop_to(self._in_scope({name}, _SCOPE | {"button"}))
        elif name in _SPECIAL:
            self._pop_to(self._in_scope({name}, _SCOPE - {name}))
        else:
            self._end_other(name)

    def _root(self, tag: StartTag) -> None:
        """The outermost element stands for html and body: the declarations of both apply to it."""
        root = self._stack[0]
        root.attributes = {**root.attributes, **{name: value for name, value in tag.attributes.items() if name != "style"}}
        told = self._declarations(Element(tag.name, tag.attributes))
        root.said = {**root.said, **self._declarations(root), **told}
        root.look = css_visibility.styled(PLAIN, root.said)

    def _push(self, element: Element) -> Element:
        if len(self._stack) >= MAX_DEPTH:
            raise MarkupTooComplex
        self.spend(1)
        element.said = self._declarations(element)
        parent = self._around(len(self._stack), element.name).look
        element.look = self._styled(parent, element.said)
        element.quotes = int(is_quote(element.name, element.attributes))
        self._quotes += element.quotes
        self._stack.append(element)
        if element.name == "a" and "href" in element.attributes:
            self._links.append(element)
        self._open[element.name] += 1
        return element

    def _styled(self, parent: Look, said: dict[str, str]) -> Look:
        """The look of an element; computed once for all equal ones."""
        if not said:
            return parent
        key = parent, tuple(said.items())
        if key not in self._looks:
            self._looks[key] = css_visibility.styled(parent, said)
            self.spend(STYLE_STEPS)
        return self._looks[key]

    def _around(self, place: int, name: str) -> Element:
        """The parent of an element at a place. Content of a table outside of its cells is shown before the table (foster parenting)."""
        above = self._stack[place - 1]
        if name in _TABLE_PARTS or above.name not in _ROWS:
            return above
        table = next(index for index in range(place - 1, -1, -1) if self._stack[index].name in ("table", "html"))
        self.spend(place - table)
        return self._stack[max(0, table - 1)]

    def _declarations(self, element: Element) -> dict[str, str]:
        """The declarations for an element: by its attributes, overridden by the sheets, overridden by its own style."""
        said = declared(element.name, element.attributes)
        ruled = self._sheets.about(element, self._stack, self)
        style = element.attributes.get("style", "")
        if style and style not in self._styles:
            self._styles[style] = css_visibility.parse(style)
            self.spend(STYLE_STEPS)
        if style:
            ruled = dict(ruled)
            overlay(ruled, self._styles[style])
        for name, (value, _) in ruled.items():
            said[name] = value
        if element.name in _NEVER:
            said["display"] = "none"
        return said

    def _leave_foreign(self, name: str) -> None:
        """Close an svg or math element that an HTML element follows."""
        if (self._open["svg"] or self._open["math"]) and name in _HTML_AGAIN:
            place = self._in_scope(_FOREIGN, _SCOPE)
            self._pop_to(place)

    def _make_room_in_table(self, name: str) -> bool:
        """Close the row or cell before a new one; False outside of any table, where browsers ignore the tag."""
        around = (_ROW_GROUPS | {"tr"}) if name in _CELLS else _ROW_GROUPS if name == "tr" else frozenset()
        keeps = 0
        for place in range(len(self._stack) - 1, 0, -1):
            above = self._stack[place].name
            if above in around and not keeps:
                keeps = place
            if above == "table":
                self.spend(len(self._stack) - place)
                self._pop_to((keeps or place) + 1)
                return True
            if above == "template":
                break
        self.spend(len(self._stack))
        return False

    def _close_implied(self, name: str) -> None:
        """Close the elements that end implicitly where this one begins."""
        if name == "li" and self._open["li"]:
            self._pop_to(self._in_scope({"li"}, _SPECIAL - {"li", "address", "div", "p"}))
        elif name in ("dd", "dt") and (self._open["dd"] or self._open["dt"]):
            self._pop_to(self._in_scope({"dd", "dt"}, _SPECIAL - {"dd", "dt", "address", "div", "p"}))
        elif name == "a" and any(each is not None and each.name == "a" for each in self._since_marker()):
            self._end_formatting("a")
        elif name in ("button", "option", "nobr") and self._open[name]:
            self._pop_to(self._in_scope({name}, _SCOPE))
        elif name == "table" and self._stack[-1].name in _ROWS:
            self._pop_to(self._in_scope({"table"}, frozenset({"html"})))
        if (name in _BLOCKS or name in ("li", "dd", "dt", "table", "hr", "xmp", "plaintext")) and self._open["p"]:
            self._pop_to(self._in_scope({"p"}, _SCOPE | {"button"}))
        if name in _HEADINGS and self._stack[-1].name in _HEADINGS:
            self._pop_to(len(self._stack) - 1)

    def _in_scope(self, names: frozenset[str] | set[str], barriers: frozenset[str] | set[str]) -> int:
        """The index of the innermost open element with one of these names; 0 when there is none, or a barrier comes first."""
        for place in range(len(self._stack) - 1, 0, -1):
            name = self._stack[place].name
            if name in names:
                self.spend(len(self._stack) - place)
                return place
            if name in barriers:
                break
        self.spend(len(self._stack))
        return 0

    def _pop_to(self, place: int) -> None:
        """Close the element at an index and all within it; nothing for 0."""
        while 0 < place < len(self._stack):
            element = self._stack.pop()
            element.open = False
            name = element.name
            self._open[name] -= 1
            self._quotes -= element.quotes
            if name in _MARKED:
                while self._formatting and self._formatting.pop() is not None:
                    pass

    def _end_other(self, name: str) -> None:
        """Close an element without rules of its own: its end tag closes no block element on its way."""
        self._pop_to(self._in_scope({name}, _SPECIAL - {name}))

    def _since_marker(self) -> list[Element | None]:
        """The active formatting elements since the last marker (a cell, a caption and the like)."""
        for place in range(len(self._formatting) - 1, -1, -1):
            if self._formatting[place] is None:
                return self._formatting[place + 1 :]
        return self._formatting

    def _end_formatting(self, name: str) -> None:
        """Close `<b>` and the like. A block that was opened within it stays open without it (the adoption agency algorithm)."""
        active = self._since_marker()
        self.spend(len(active) + 1)
        element = next((each for each in reversed(active) if each is not None and each.name == name), None)
        if element is None:
            if self._open[name]:
                self._end_other(name)
            return
        place = self._place_of(element) if element.open else 0
        if place and any(each.name in _SCOPE for each in self._stack[place + 1 :]):
            return
        self._formatting.remove(element)
        if not place:
            return
        if not any(each.name in _SPECIAL for each in self._stack[place + 1 :]):
            self._pop_to(place)
            return
        del self._stack[place]
        element.open = False
        self._open[name] -= 1
        self.spend(20 * (len(self._stack) - place))
        for index in range(place, len(self._stack)):
            each = self._stack[index]
            each.look = self._styled(self._around(index, each.name).look, each.said)

    def _remember(self, element: Element) -> None:
        """Add an active formatting element; of identical ones the last MAX_ALIKE are kept."""
        active = self._since_marker()
        self.spend(len(active))
        alike = [each for each in active if each is not None and each.name == element.name and each.attributes == element.attributes]
        if len(alike) >= MAX_ALIKE:
            self._formatting.remove(alike[0])
        self._formatting.append(element)

    def _place_of(self, element: Element) -> int:
        place = len(self._stack) - 1
        while self._stack[place] is not element:
            place -= 1
        self.spend(len(self._stack) - place)
        return place

    def _reconstruct(self) -> None:
        """Reopen the active formatting elements that were closed implicitly."""
        missing = 0
        for element in reversed(self._formatting):
            if element is None or element.open:
                break
            missing += 1
        for place in range(len(self._formatting) - missing, len(self._formatting)):
            before = self._formatting[place]
            if before is not None:
                self._formatting[place] = self._push(Element(before.name, before.attributes))
