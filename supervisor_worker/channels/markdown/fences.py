"""Fences of code as models write them: closed by a line with words, or with the code in the place of the language. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

MAX_REPAIRS: Final = 20
"""Fences of one text that are closed by a line with words."""
_FENCE: Final = re.compile(r" {0,3}(`{3,}(?=[^`]*$)|~{3,})")
_ABOUT_CODE: Final = re.compile(
    r"\{[^}]*\}|[\w+#.-]+\s*(?:\{[^}]*\}|\s(?:title|file|filename|name|path|linenums|hl_lines)=(?:\"[^\"]*\"|'[^']*'|\S+))+"
)
"""What may stand behind an opening fence beside a language."""


def closed_fences(text: str) -> str:
    """The text, in which a fence that only a line with words closes is closed by a line of its own.

    Models write "``` is the code." and "make clean```"; by CommonMark such a fence reaches to the end of the text. Where all fences are
    closed, nothing is changed.
    """
    if "```" not in text and "~~~" not in text:
        return text
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


def code_of(info: str, content: str) -> tuple[str, str]:
    """The code of a fence, and what is none of it: the name of a language. A fence of one line has code in that place."""
    info, content = info.strip(), content.removesuffix("\n")
    if info and (not content.strip() or (" " in info and not _ABOUT_CODE.fullmatch(info))):
        return f"{info}\n{content}".rstrip("\n"), ""
    return content, info


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
