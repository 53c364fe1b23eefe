"""The parser of Markdown: CommonMark with tables, by markdown-it, changed where that would take away more than a mark. Pure.

- HTML, entities, references, strike-through and underlined headings are text, as it stands there: a definition that nothing names would
  vanish, and a line above a row of hyphens is rarely meant as a heading.
- A bare address is a link, and no star or underscore in it is markup. A link leads to what has the form of an address.
- Line ends, and the spaces behind them, stay: addresses, poems and closings are written so.
- Backslashes: see `escapes`. Stars: see `emphasis`.
"""

from __future__ import annotations

import re
from typing import Final

from markdown_it import MarkdownIt
from markdown_it.rules_block import StateBlock, list_block
from markdown_it.rules_inline import StateInline, backtick
from markdown_it.token import Token

from supervisor_worker.channels.markdown.addresses import angle_rule, bare_rule, may_be_address
from supervisor_worker.channels.markdown.emphasis import delimiter_rule
from supervisor_worker.channels.markdown.escapes import escape_rule, line_end_rule

MAX_MARKDOWN: Final = 20_000
"""Characters that are read as Markdown."""
MAX_COST: Final = 3_000
"""What the characters that are slow to read may cost together; a text that costs more is no letter to anybody."""
MAX_DEPTH: Final = 16
"""Levels of lists and quotes within each other, two for each list."""
MAX_NESTING: Final = 3 * MAX_DEPTH  # beyond it the parser drops what it reads
# A bracket is searched for its end once each, a line tried as each kind of block.
_COSTS: Final = {"[": 8, "\n": 2, "*": 1, "_": 1, "|": 1, "`": 1, "\\": 1}
_SIGNED_NUMBER: Final = re.compile(r"\+[ \t]+\d")


def tokens_of(text: str) -> list[Token] | None:
    """The parser's tokens; None where it would take long, or drop what is nested too deeply."""
    if len(text) > MAX_MARKDOWN or sum(cost * text.count(char) for char, cost in _COSTS.items()) > MAX_COST:
        return None
    tokens = _PARSER.parse(text)
    return None if any(token.level > MAX_DEPTH for token in tokens) else tokens


def _list_rule(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """No list of what may be telephone numbers (`+ 49 30 1234`), whose plus a bullet would replace."""
    return not _SIGNED_NUMBER.match(state.src, state.bMarks[start] + state.tShift[start]) and list_block(state, start, end, silent)


def _code_rule(state: StateInline, silent: bool) -> bool:
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
    parser.block.ruler.at("list", _list_rule, {"alt": ["paragraph", "reference", "blockquote"]})
    for name, rule in (
        ("newline", line_end_rule),
        ("escape", escape_rule),
        ("backticks", _code_rule),
        ("emphasis", delimiter_rule),
        ("autolink", angle_rule),
    ):
        parser.inline.ruler.at(name, rule)
    parser.inline.ruler.before("escape", "bare_address", bare_rule)
    parser.normalizeLink = _as_it_is  # type: ignore[method-assign]
    parser.normalizeLinkText = _as_it_is  # type: ignore[assignment]
    parser.validateLink = may_be_address  # type: ignore[assignment]
    return parser


_PARSER: Final = _parser()
