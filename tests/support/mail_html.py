"""A mail's HTML read strictly, by rules that are written here and nowhere else."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser

TAGS = frozenset(
    "html body a bdi blockquote br code em h2 h3 h4 hr li ol p pre strong table tbody td th thead tr ul wbr".split()  # noqa: SIM905
)
VOID = frozenset(["br", "hr", "wbr"])
INLINE = frozenset(["a", "bdi", "code", "em", "strong", "wbr"])
ADDRESS = re.compile(r"(?:https?://|mailto:|tel:)[!-~]+")
MAX_LINE = 998


@dataclass
class MailHtml(HTMLParser):
    """What is in a mail's HTML: its text, with a space where a block begins or ends, and where its links lead."""

    source: str
    text: str = ""
    addresses: list[str] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._open: list[str] = []
        self.feed(self.source)
        self.close()
        assert self._open == []
        assert max(len(line.encode()) for line in self.source.split("\n")) <= MAX_LINE

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """An allowed tag, with no attribute but the address of a link."""
        assert tag in TAGS, tag
        for name, value in attrs:
            assert (tag, name) == ("a", "href"), (tag, name)
            assert value is not None
            assert ADDRESS.fullmatch(value), value
            self.addresses.append(value)
        assert tag != "a" or len(attrs) == 1
        self.tags.append(tag)
        if tag not in VOID:
            self._open.append(tag)
        if tag not in INLINE:
            self.text += "\n" if tag == "br" else " "

    def handle_endtag(self, tag: str) -> None:
        """The end of what was opened last."""
        assert self._open.pop() == tag
        if tag not in INLINE:
            self.text += " "

    def handle_data(self, data: str) -> None:
        """What a reader sees."""
        self.text += data

    def handle_comment(self, data: str) -> None:
        """There is none."""
        raise AssertionError(f"a comment: {data}")

    def handle_decl(self, decl: str) -> None:
        """One, before all else."""
        assert (decl, self.tags) == ("DOCTYPE html", [])

    def handle_pi(self, data: str) -> None:
        """There is none."""
        raise AssertionError(f"an instruction: {data}")

    def unknown_decl(self, data: str) -> None:
        """There is none."""
        raise AssertionError(f"a declaration: {data}")
