"""The style sheets of a mail: which rules apply to an element. Parsing is linear; the cost of each look-up is counted.

Supported are selectors of names, classes, ids and attributes, alone or combined by descendant (` `) and child (`>`). A rule with any other
selector (`:hover`, `:nth-child()`, `+`) is left out, and so are rules under an @media that a desktop browser's window does not match.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple, Protocol

from webhook_api.email import css_visibility
from webhook_api.email.css_values import ROOT_SIZE, VIEWPORT, pixels

MAX_RULES: Final = 5_000
MAX_DEPTH: Final = 20
MAX_CLASSES: Final = 50

Attributes = Mapping[str, str]
Parsed = Mapping[str, tuple[str, bool]]

_COMMENT: Final = re.compile(r"/\*.*?(?:\*/|\Z)|<!--|-->", re.DOTALL)
_PRELUDE: Final = re.compile(r"""(?:[^{};"']|"[^"]*+(?:"|\Z)|'[^']*+(?:'|\Z))*+""")
_BODY: Final = re.compile(r"""(?:[^{}"']|"[^"]*+(?:"|\Z)|'[^']*+(?:'|\Z))*+""")
_NAME: Final = r"(?:[\w-]|[^\x00-\x7f]|\\[0-9a-fA-F]{1,6}[ ]?|\\.)+"
_SIMPLE: Final = re.compile(
    rf"(?P<kind>[.#]?)(?P<name>{_NAME})|\*|:link|:any-link|\[\s*(?P<attr>[\w-]+)\s*(?:(?P<how>[~|^$*]?=)\s*(?:\"(?P<a>[^\"]*)\"|'(?P<b>[^']*)'|(?P<c>[^\]\s]+))\s*[iIsS]?\s*)?\]"
)
_COMBINATOR: Final = re.compile(r"\s*>\s*|\s+")
_FEATURE: Final = re.compile(r"\(([^()]*)\)")
_RANGE: Final = re.compile(r"(?:device-)?(?:width|height)\s*(<=?|>=?)\s*(\S+)")
_LAYERS: Final = ("@supports", "@layer", "@container", "@document", "@-moz-document", "@scope")


class Named(Protocol):
    """An element, as selectors need it."""

    @property
    def name(self) -> str:
        """In lower case."""
        ...

    @property
    def attributes(self) -> Attributes:
        """By their names in lower case."""
        ...


class WorkMeter(Protocol):
    """Where work is counted."""

    def spend(self, steps: int) -> None:
        """Count steps; raises when there are too many."""
        ...


class Compound(NamedTuple):
    """A compound selector, such as `a.b#c[d=e]`; `tag` is '' for any."""

    tag: str
    ids: tuple[str, ...]
    classes: frozenset[str]
    attributes: tuple[tuple[str, str, str], ...]

    def fits(self, element: Named) -> bool:
        """Whether an element matches. The root element stands for html and body."""
        said = element.attributes
        return (
            (not self.tag or self.tag == element.name or (self.tag == "body" and element.name == "html"))
            and all(said.get("id", "") == name for name in self.ids)
            and (not self.classes or self.classes <= set(said.get("class", "").split()))
            and all(_has(said, *wanted) for wanted in self.attributes)
        )


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule. `parts` go from the element outwards, each with whether it must be the parent of the one before (`>`)."""

    parts: tuple[tuple[bool, Compound], ...]
    weight: tuple[int, int, int]
    order: int
    said: Parsed

    def fits(self, element: Named, around: Sequence[Named]) -> bool:
        """Whether the rule applies to an element; `around` are the elements that contain it, the outermost first."""
        if not self.parts[0][1].fits(element):
            return False
        place = len(around)
        for direct, compound in self.parts[1:]:
            if compound.tag == "html":  # the outermost, which stands for body as well
                return bool(around) and compound.fits(around[0])
            place -= 1
            while not direct and place >= 0 and not compound.fits(around[place]):
                place -= 1
            if place < 0 or not compound.fits(around[place]):
                return False
        return True


@dataclass(slots=True)
class Sheets:
    """All rules of a mail, indexed by the id, class or name that an element must have."""

    rules: dict[str, list[Rule]] = field(default_factory=dict)
    count: int = 0
    alone: bool = True
    _known: dict[tuple[str, str, str], dict[str, tuple[str, bool]]] = field(default_factory=dict)

    @classmethod
    def read(cls, sources: Iterable[tuple[str, str]]) -> Sheets:
        """Parse style elements, each given by its `media` attribute and its content, in their order."""
        sheets = cls()
        for media, source in sources:
            if media_fits(media):
                for prelude, body in _blocks(_COMMENT.sub(" ", source)):
                    sheets._add(prelude, body)
        return sheets

    def _add(self, prelude: str, body: str) -> None:
        if self.count >= MAX_RULES:
            return
        said = css_visibility.parse(body)
        for selector in prelude.split(",", MAX_RULES)[:MAX_RULES] if said else ():
            parts = _parts(selector.strip())
            if not parts:
                continue
            self.count += 1
            self.alone = self.alone and len(parts) == 1 and not parts[0][1].attributes
            first = parts[0][1]
            key = f"#{first.ids[0]}" if first.ids else f".{min(first.classes)}" if first.classes else first.tag or "*"
            self.rules.setdefault(key, []).append(Rule(parts, _weight(parts), self.count, said))

    def about(self, element: Named, around: Sequence[Named], work: WorkMeter) -> dict[str, tuple[str, bool]]:
        """The declarations of the rules that apply to an element, by the cascade: stronger ones override weaker."""
        if not self.rules:
            return {}
        said = element.attributes
        key = element.name, said.get("class", ""), said.get("id", "")
        if self.alone and key in self._known:
            return self._known[key]
        names = [
            "*",
            element.name,
            *(["body"] if element.name == "html" else []),
            f"#{key[2]}",
            *(f".{each}" for each in dict.fromkeys(key[1].split()[:MAX_CLASSES])),
        ]
        candidates = [rule for name in names for rule in self.rules.get(name, ())]
        work.spend(sum(1 if len(rule.parts) == 1 else len(around) + 1 for rule in candidates))
        found: dict[str, tuple[str, bool]] = {}
        for rule in sorted((rule for rule in candidates if rule.fits(element, around)), key=lambda rule: (rule.weight, rule.order)):
            overlay(found, rule.said)
        if self.alone:
            self._known[key] = found
        return found


def overlay(found: dict[str, tuple[str, bool]], said: Parsed) -> None:
    """Override declarations by stronger ones; `!important` is overridden only by `!important`."""
    for name, (value, important) in said.items():
        if important or not found.get(name, ("", False))[1]:
            found[name] = value, important


def _weight(parts: tuple[tuple[bool, Compound], ...]) -> tuple[int, int, int]:
    each = [compound for _, compound in parts]
    return (
        sum(len(one.ids) for one in each),
        sum(len(one.classes) + len(one.attributes) for one in each),
        sum(bool(one.tag) for one in each),
    )


def _has(said: Attributes, name: str, how: str, wanted: str) -> bool:
    if name not in said:
        return False
    value = said[name]
    if how == "":
        return True
    return {
        "=": value == wanted,
        "~=": wanted in value.split(),
        "|=": value == wanted or value.startswith(f"{wanted}-"),
        "^=": bool(wanted) and value.startswith(wanted),
        "$=": bool(wanted) and value.endswith(wanted),
        "*=": bool(wanted) and wanted in value,
    }[how]


def _blocks(source: str) -> Iterator[tuple[str, str]]:
    """The selectors and declarations of each rule whose conditions are met."""
    holds = [True]
    position = 0
    while position < len(source):
        prelude = _PRELUDE.match(source, position)
        text = prelude[0].strip() if prelude else ""
        position = (prelude.end() if prelude else position) + 1
        end = source[position - 1 : position]
        if end == "}" and len(holds) > 1:
            holds.pop()
        if end != "{":
            continue
        if text.startswith("@"):
            holds.append(holds[-1] and _at_rule_holds(text))
            continue
        body = _BODY.match(source, position)
        said = body[0] if body else ""
        position += len(said) + 1
        nested = source[position - 1 : position] == "{"
        if nested:  # nested rules: only the declarations before them are read
            said = said.rpartition(";")[0]
            holds += [False, False]
        if len(holds) > MAX_DEPTH:
            return
        if holds[-3 if nested else -1]:
            yield text, said


def _at_rule_holds(text: str) -> bool:
    name = text.lower()
    return media_fits(name.removeprefix("@media")) if name.startswith("@media") else name.startswith(_LAYERS)


def media_fits(text: str) -> bool:
    """Whether a desktop browser's window matches a media query; '' always does."""
    return not text.strip() or any(_query_fits(query.strip().lower()) for query in text.split(","))


def _query_fits(query: str) -> bool:
    words = _FEATURE.sub(" ", query).replace(" and ", " ").split()
    turned = words[:1] == ["not"]
    kinds = [word for word in words if word not in ("not", "only", "and")]
    fits = all(kind in ("all", "screen") for kind in kinds) and all(_feature_fits(found[1].strip()) for found in _FEATURE.finditer(query))
    return fits != turned


def _feature_fits(feature: str) -> bool:
    name, _, value = (part.strip() for part in feature.partition(":"))
    if compared := _RANGE.fullmatch(feature):
        limit = pixels(compared[2], ROOT_SIZE)
        return limit is not None and (limit <= VIEWPORT if compared[1].startswith(">") else limit >= VIEWPORT)
    if name.endswith(("width", "height")) and name.startswith(("min-", "max-")):
        limit = pixels(value, ROOT_SIZE)
        return limit is not None and (limit <= VIEWPORT if name.startswith("min-") else limit >= VIEWPORT)
    if "min-" in name:  # colours, resolution: what every screen has
        found = re.match(r"[\d.]{1,10}", value)
        return found is not None and value[:1] in "01" and found[0] in ("0", "1", "1.0", ".0", "0.0")
    return (name in ("color", "width", "height", "hover") and value in ("", "hover")) or value in ("light", "landscape", "no-preference")


def _parts(selector: str) -> tuple[tuple[bool, Compound], ...]:
    """The parts of a selector, the last first; empty for an unsupported kind."""
    compounds: list[Compound] = []
    direct: list[bool] = []
    position = 0
    while position < len(selector):
        compound, position = _compound(selector, position)
        if compound is None:
            return ()
        compounds.append(compound)
        if position < len(selector):
            between = _COMBINATOR.match(selector, position)
            if between is None or len(compounds) > MAX_DEPTH:
                return ()
            direct.append(">" in between[0])
            position = between.end()
    if len(direct) != len(compounds) - 1:
        return ()
    return tuple(zip([False, *reversed(direct)], reversed(compounds), strict=True))


def _compound(selector: str, position: int) -> tuple[Compound | None, int]:
    tag, ids, classes, attributes = "", [], set(), []
    start = position
    while found := _SIMPLE.match(selector, position):
        name = css_visibility.unescaped(found["name"] or "")
        if found["kind"] == "#":
            ids.append(name)
        elif found["kind"] == ".":
            classes.add(name)
        elif found["attr"]:
            attributes.append((found["attr"].lower(), found["how"] or "", found["a"] or found["b"] or found["c"] or ""))
        elif name:
            if position != start:
                return None, position
            tag = name.lower()
        position = found.end()
    return (Compound(tag, tuple(ids), frozenset(classes), tuple(attributes)) if position > start else None), position
