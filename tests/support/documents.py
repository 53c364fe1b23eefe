"""The repository's Markdown: every page, its links, its headings as a browser reaches them, and its prose without code and tables."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tests.support.processes import ROOT

PAGES: Final = sorted(path for pattern in ("*.md", "docs/**/*.md", "deploy/*.md") for path in ROOT.glob(pattern))
NAMES: Final = [page.relative_to(ROOT).as_posix() for page in PAGES]
_LINK: Final = re.compile(r"\[(?P<text>(?:[^\[\]]|\[[^\]]*\])*)\]\((?P<target>[^)\s]+)\)")
_FENCE: Final = re.compile(r"^ *```")
_HEADING: Final = re.compile(r"^#+ +(.+?) *#*$")


def text_of(name: str) -> str:
    """A page's text; `name` is its path from the root."""
    return (ROOT / name).read_text(encoding="utf-8")


def prose(text: str) -> Iterator[tuple[int, str]]:
    """The lines outside of fenced blocks, with their numbers from 1."""
    fenced = False
    for number, line in enumerate(text.splitlines(), 1):
        if _FENCE.match(line):
            fenced = not fenced
        elif not fenced:
            yield number, line


def links(text: str) -> list[tuple[str, str]]:
    """The text and the target of every link and picture outside of fenced blocks, those within a link's text included."""
    found = []
    for match in _LINK.finditer("\n".join(line for _, line in prose(text))):
        found.append((match["text"], match["target"]))
        found += links(match["text"])
    return found


def code(text: str) -> list[str]:
    """Every piece of code in the prose, on one line; and every line of the fenced and indented blocks."""
    outside = list(prose(text))
    numbers = {number for number, _ in outside}
    pieces = re.findall(r"`([^`]+)`", "\n".join(line for _, line in outside))
    blocks = [line for number, line in enumerate(text.splitlines(), 1) if number not in numbers or line.startswith("    ")]
    return [" ".join(piece.split()) for piece in pieces] + blocks


def anchors(text: str) -> set[str]:
    """The anchors of a page's headings as GitHub makes them: lower case, no punctuation, dashes for blanks, a number for a repeat."""
    seen: Counter[str] = Counter()
    found = set()
    for _, line in prose(text):
        if heading := _HEADING.match(line):
            plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading[1])
            name = re.sub(r"[^\w -]", "", plain).lower().replace(" ", "-")
            found.add(f"{name}-{seen[name]}" if seen[name] else name)
            seen[name] += 1
    return found


def target_of(name: str, target: str) -> tuple[Path, str]:
    """The file to which a link of the page `name` leads, and the anchor in it ("" for none)."""
    path, _, anchor = target.partition("#")
    return ((ROOT / name).parent / path).resolve() if path else ROOT / name, anchor
