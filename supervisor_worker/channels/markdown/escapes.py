"""Backslashes in Markdown: which stand before a mark and go with it, and which are letters. Pure.

CommonMark takes away every backslash before punctuation. Here it goes only where it keeps a mark from marking; in patterns, formulas and
names of files it stays.
"""

from __future__ import annotations

import re
from typing import Final

from markdown_it.rules_inline import StateInline

_MARKS: Final = frozenset("*_#`~")
_MARK_SIGN: Final = re.compile(r"(?<!\\)([*_`~#\[])")
_MAX_WORD: Final = 100
"""Characters of a word that are looked at on either side of a backslash."""
_WORD_BEFORE: Final = re.compile(r"\S*\Z")
_WORD_BEHIND: Final = re.compile(r"\S*")
_PATH: Final = re.compile(r"\\[a-zA-Z0-9]")
_DRAWN: Final = re.compile(r"[^\w\\]*\\(?:[^\w\\]|_)*\\[^\w]*|.*\u00af\\")
"""Two strokes without a letter, or a shrug."""
_LINE_MARK: Final = re.compile(r"(?:^|\n)[ \t]*(?:\d{1,9}\\[.)]|\\[-+>])(?=\s)")
_MAX_LINE_MARK: Final = 16


def as_letters(text: str) -> str:
    """A text that is no Markdown, such as a person's own words, so that the parser shows it as it is."""
    return _MARK_SIGN.sub(r"\\\1", text)


def escape_rule(state: StateInline, silent: bool) -> bool:
    """In the place of the parser's rule."""
    source, at = state.src, state.pos
    following = source[at + 1 : at + 2]
    if source[at] != "\\" or not following:
        return False
    before = _WORD_BEFORE.search(source[max(0, at - _MAX_WORD) : at])
    behind = _WORD_BEHIND.match(source[at : at + _MAX_WORD])
    word = (before[0] if before else "") + (behind[0] if behind else "")
    if _PATH.search(word) or (_DRAWN.match(word) and not any(map(str.isalnum, word.partition("\u00af")[0]))):
        return False
    if following == "\n":
        return _line_end(state, silent)
    if not _escapes(source, at):
        return False
    if not silent:
        state.pending += following
    state.pos += 2
    return True


def line_end_rule(state: StateInline, silent: bool) -> bool:
    """In the place of the parser's rule, which takes away the spaces at the beginning of the next line: those of a poem, or of columns."""
    if state.src[state.pos] != "\n":
        return False
    if not silent:
        state.pending = state.pending.rstrip(" ")
        state.push("softbreak", "br", 0)
    state.pos += 1
    return True


def _line_end(state: StateInline, silent: bool) -> bool:
    if not silent:
        state.push("hardbreak", "br", 0)
    state.pos += 2
    return True


def _escapes(source: str, at: int) -> bool:
    """Whether the character behind the backslash at `at` would be a mark, or part of one."""
    following, behind = source[at + 1], source[at + 2 : at + 3]
    if following in _MARKS:
        return True
    if following == "[":
        return bool(behind) and not behind.isspace()
    if following == "]":
        return at > 0 and not source[at - 1].isspace()
    if following == "!":
        return behind == "["
    if following == "$":
        return behind.isdigit()
    begin = max(0, at - _MAX_LINE_MARK)
    return any(mark.end() == at + 2 for mark in _LINE_MARK.finditer(source, begin, at + 3)) and (begin == 0 or "\n" in source[begin:at])
