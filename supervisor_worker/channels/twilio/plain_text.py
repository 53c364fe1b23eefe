"""Markdown to the plain text of a text message: by a parser, so that only marks go and what they mark stays. Pure.

What models write is read as CommonMark with tables, except where that would take away more than a mark: HTML, entities, references,
strike-through and most backslashes stay as they are. A star or a hash that marks nothing stays too (`f(*args, **kwargs)`, `2**8`,
`# of seats: 12`). Code keeps every letter. Links become `text: https://...`, with the address standing free, so that a phone opens it.

Two guards hold whatever the parser does: beyond MAX_INPUT or MAX_MARKS, where hostile input takes it seconds, the text is kept as it is,
and so is one whose letters did not all come through.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

from markdown_it import MarkdownIt
from markdown_it.rules_inline import StateInline, backtick, escape
from markdown_it.token import Token

from shared.model.text import clean
from supervisor_worker.channels.twilio.emphasis import literal_marks

MAX_INPUT: Final = 20_000
"""Bytes."""
MAX_MARKS: Final = 2_000
"""Brackets, stars and underscores: 20,000 brackets take the parser two seconds, 2,000 a fiftieth of one."""
MAX_NESTING: Final = 100
MAX_REPAIRS: Final = 20
"""Fences of one text that are closed by a line with words."""
VERBATIM_START: Final = "\x02"
VERBATIM_END: Final = "\x03"
"""Around code and addresses, of which no character is replaced. `clean` leaves no control character in a text: nobody can write one."""
VERBATIM: Final = re.compile(f"{VERBATIM_START}([^{VERBATIM_END}]*){VERBATIM_END}")
_FREE_START, _FREE_END = "\x05", "\x04"
_SIGNS: Final = re.compile("[\x02\x03]")
_MARKS: Final = frozenset("*_#`[<\\")
_FIRST_MARKS: Final = ("-", "+", "=", ">", "~")
_ESCAPED: Final = "*_#`~\n"
_LIST_MARKS: Final = {"*": "-"}
_NUMBER_SIGN: Final = re.compile(r"[a-z0-9]")
_PLAIN_LINK: Final = re.compile(r"^(?:https?://|mailto:|tel:|sms:)|/$", re.IGNORECASE)
_FENCE: Final = re.compile(r" {0,3}(`{3,}(?=[^`]*$)|~{3,})")
_CELLS: Final = " | "
_LINE_END: Final = "\n"


def plain(markdown: str) -> str:
    """The text as a phone shows it."""
    return _SIGNS.sub("", verbatim_marked(markdown))


def verbatim_marked(markdown: str) -> str:
    """The same, with what must stay letter for letter between VERBATIM_START and VERBATIM_END."""
    text = clean(markdown).strip()
    if "\n" not in text and _MARKS.isdisjoint(text) and not text.startswith(_FIRST_MARKS):
        return text  # most answers by text: the parser takes a hundred times as long to find nothing
    if len(text.encode("utf-8")) > MAX_INPUT or sum(map(text.count, "[*_")) > MAX_MARKS:
        return text
    try:
        reader = _PlainTextReader(_closed_fences(text))
        found = _free_addresses(reader.text()).strip("\n")
    except RecursionError:  # nested more deeply than any answer
        return text
    lost = _letters(text) - _letters(found) - _letters("".join(reader.dropped))
    return text if lost else found


def _letters(text: str) -> Counter[str]:
    return Counter(filter(str.isalnum, text))


class _PlainTextReader:
    """One text, read once. `dropped` is what was a mark although it has letters: the language of a fence, the text of a bare link."""

    def __init__(self, source: str) -> None:
        self.dropped: list[str] = []
        self._lines = source.split("\n")
        self._tokens = _PARSER.parse(source)

    def text(self) -> str:
        """The whole text."""
        return self._blocks(self._tokens)

    def _blocks(self, tokens: Sequence[Token]) -> str:
        """Blocks below each other, with an empty line where the source has one."""
        found = ""
        for block in _top(tokens):
            text = self._block(block)
            if text is None:
                continue
            begin = block[0].map[0] if block[0].map else 0
            gap = "\n\n" if begin and not self._lines[begin - 1].strip(" \t>") else "\n"
            found += (gap if found else "") + text
        return found

    def _block(self, block: Sequence[Token]) -> str | None:
        """One block; None for a mark that leaves nothing."""
        first, inner = block[0], block[1:-1]
        text: str | None
        match first.type:
            case "fence" | "code_block":
                text = self._code(first)
            case "hr":
                text = None if first.markup.startswith("-") else self._source(first)
            case "heading_open":
                text = self._heading(first, inner)
            case "blockquote_open":
                text = "\n".join(f"> {line}".rstrip() for line in self._blocks(inner).split("\n"))
            case "bullet_list_open" | "ordered_list_open":
                text = "\n".join(self._items(inner))
            case "table_open":
                text = "\n".join(self._rows(inner))
            case _:
                text = "".join(self._inline(token.children or []) for token in block if token.type == "inline")
        return text

    def _code(self, token: Token) -> str:
        """Every letter, also what a one-line fence has in the place of a language."""
        info, content = token.info.strip(), token.content.rstrip("\n")
        if info and (not content or " " in info):
            content = f"{info}\n{content}".rstrip("\n")
        else:
            self.dropped.append(info)
        return f"{VERBATIM_START}{content}{VERBATIM_END}"

    def _heading(self, token: Token, inner: Sequence[Token]) -> str:
        """Its words; with its hash where that stands for "number", or begins a comment."""
        words = "".join(self._inline(part.children or []) for part in inner)
        return self._source(token) if token.markup == "#" and _NUMBER_SIGN.match(words) else words

    def _source(self, token: Token) -> str:
        begin, end = token.map or [0, 0]
        return "\n".join(self._lines[begin:end]).strip()

    def _items(self, tokens: Sequence[Token]) -> Iterator[str]:
        for number, item in enumerate(_top(tokens)):
            first = item[0]
            mark = f"{first.info}{first.markup}" if first.info else _LIST_MARKS.get(first.markup, first.markup)
            parts = [self._item_part(part, nested=place > 0) for place, part in enumerate(_top(item[1:-1]))]
            gap = "\n" if number and first.map and not self._lines[first.map[0] - 1].strip() else ""
            yield gap + f"{mark} {_LINE_END.join(filter(None, parts))}".rstrip()

    def _item_part(self, part: Sequence[Token], *, nested: bool) -> str:
        text = self._block(part) or ""
        is_list = part[0].type.endswith("_list_open")
        return "\n".join("  " + line if line else line for line in text.split("\n")) if nested and is_list else text

    def _rows(self, tokens: Sequence[Token]) -> Iterator[str]:
        cells: list[str] = []
        for token in tokens:
            if token.type == "inline":
                cells.append(self._inline(token.children or []))
            elif token.type == "tr_close":
                yield _CELLS.join(cells).rstrip()
                cells = []

    def _inline(self, tokens: Sequence[Token]) -> str:
        """Words with their marks taken off; with `literal_marks`, those that are none."""
        literal = literal_marks(tokens)
        found: list[str] = []
        links: list[tuple[str, int]] = []
        for number, token in enumerate(tokens):
            match token.type:
                case "text":
                    found.append(token.content)
                case "softbreak" | "hardbreak":
                    found.append("\n")
                case "code_inline":
                    found.append(f"{VERBATIM_START}{token.content}{VERBATIM_END}")
                case "image":
                    found.append(self._link(token.content, str(token.attrs.get("src", ""))))
                case "link_open":
                    links.append((str(token.attrs.get("href", "")), len(found)))
                case "link_close":
                    href, begin = links.pop()
                    found[begin:] = [self._link("".join(found[begin:]), href)]
                case _ if number in literal:
                    found.append(token.markup)
        return "".join(found)

    def _link(self, text: str, href: str) -> str:
        """`text: address`, or the address alone where the text says the same."""
        words = _SIGNS.sub("", text).strip()
        if _bare(words) == _bare(href):
            self.dropped += [words, href]
            shown = words if href.lower().startswith(("mailto:", "tel:", "sms:")) else href
        else:
            shown = href.removeprefix("mailto:").removeprefix("tel:")
            self.dropped += [] if shown == href else ["mailto", "tel"]
        address = f"{_FREE_START}{VERBATIM_START}{shown}{VERBATIM_END}{_FREE_END}"
        lead = "" if not words or _bare(words) == _bare(href) else text.rstrip().removesuffix(":") + ": "
        return lead + address if shown else text


def _bare(address: str) -> str:
    return _PLAIN_LINK.sub("", address.strip()).lower()


def _free_addresses(text: str) -> str:
    """Each address with a space or an end of line at both sides; a full stop that ends its line is left out."""
    text = re.sub(rf"(?<=[^\s])(?<!{VERBATIM_START}){_FREE_START}", " ", text).replace(_FREE_START, "")
    text = re.sub(rf"{_FREE_END}[.\u3002](?=\s*(?:\n|$))", "", text)
    return re.sub(rf"{_FREE_END}(?=\S)", " ", text).replace(_FREE_END, "")


def _top(tokens: Sequence[Token]) -> Iterator[Sequence[Token]]:
    """The outermost blocks, each with all of its tokens."""
    begin = depth = 0
    for number, token in enumerate(tokens):
        if depth == 0:
            begin = number
        depth += token.nesting
        if depth == 0:
            yield tokens[begin : number + 1]


def _closed_fences(text: str) -> str:
    """The text, in which a fence that only a line with words closes is closed by a line of its own.

    Models write "``` is the code." and "make clean```"; by CommonMark such a fence reaches to the end of the text. Where all fences are
    closed, nothing is changed.
    """
    lines = text.split("\n")
    for _ in range(MAX_REPAIRS):
        found = _worded_end(lines)
        if found is None:
            break
        fence, number = found
        line = lines[number].strip()
        words = line.strip(fence[0]).strip()
        lines[number : number + 1] = [fence, words] if line.startswith(fence) else [lines[number].rstrip(fence[0] + " "), fence]
    return "\n".join(lines)


def _worded_end(lines: Sequence[str]) -> tuple[str, int] | None:
    """Of a text whose last fence stays open: the first line with words that closes one, and its fence."""
    fence, found = "", None
    for number, line in enumerate(lines):
        opening = _FENCE.match(line)
        inner = line.strip()
        if not fence:
            fence = opening[1] if opening else ""
        elif opening and opening[1].startswith(fence) and not inner.strip(fence[0]):
            fence = ""
        elif found is None and (inner.startswith(f"{fence} ") or inner.endswith(fence)):
            found = fence, number
    return found if fence else None


def _escape(state: StateInline, silent: bool) -> bool:
    """A backslash before what is a mark of Markdown, or before a line's end; any other stays, as in patterns and in names of files."""
    following = state.src[state.pos + 1 : state.pos + 2]
    return state.src[state.pos] == "\\" and following != "" and following in _ESCAPED and escape(state, silent)


def _code_span(state: StateInline, silent: bool) -> bool:
    """Code in backticks as it stands: the parser's rule makes its line ends spaces."""
    begin, before = state.pos, len(state.tokens)
    taken = backtick(state, silent)
    if taken and len(state.tokens) > before and (token := state.tokens[-1]).type == "code_inline":
        inner = state.src[begin + len(token.markup) : state.pos - len(token.markup)]
        if "\n" in inner:
            token.content = inner.strip("\n")
    return taken


def _as_it_is(url: str) -> str:
    return url


def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False, "maxNesting": MAX_NESTING}).enable("table")
    parser.disable(["entity", "reference", "lheading", "html_block", "html_inline"])
    parser.inline.ruler.at("escape", _escape)
    parser.inline.ruler.at("backticks", _code_span)
    parser.normalizeLink = _as_it_is  # type: ignore[method-assign]
    parser.normalizeLinkText = _as_it_is  # type: ignore[assignment]
    return parser


_PARSER: Final = _parser()
