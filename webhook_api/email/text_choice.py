"""Chooses what is read of a mail that has both plain texts and HTML. Pure.

A person's program shows the HTML. The plain text is the better to read of two that say the same, since it has the quotes as lines; but it
may be a stand-in ("this message needs an HTML viewer"), a part of it, or lack the targets of links, and it may say what nobody sees.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Final

from shared.model.text import FEW, Seen, seen
from webhook_api.email import html_text

MAX_COMPARED: Final = 50_000
"""Characters of each text whose words are compared."""
SAME: Final = 0.8
"""So much of the words of a plain text stand in the HTML when it is the same text."""
COMPARED_TARGET: Final = 60

_NOT_WORDS: Final = re.compile(
    r"<[^<>\s]{1,2000}>|\[(?:image|cid|picture|https?)\b[^\[\]]{0,300}\]|\(?(?:https?://|mailto:|tel:)\S{1,2000}", re.IGNORECASE
)
_WORDS: Final = re.compile(r"[a-z0-9]+|[^\W_]")
_SCHEME: Final = re.compile(r"^(?:https?://|mailto:|tel:)")


def shown(plain_texts: Sequence[str], html_texts: Sequence[str], *, alternatives: bool, html_first: bool = False) -> Seen:
    """What a person sees of the texts of one mail, with the count of what was hidden.

    `alternatives`: the mail says that its texts are the same in several forms. Where it does not, and neither holds the other, both are
    read, the HTML first with `html_first`: they may be two parts of one letter.
    """
    plain = seen("\n".join(plain_texts))
    parts = [html_text.read(text) for text in html_texts]
    laid_out = seen("\n".join(part.text for part in parts))
    hidden = sum(part.hidden for part in parts)
    html = Seen(laid_out.text, laid_out.hidden + hidden)
    if not plain.text.strip() or not html.text.strip():
        return plain if plain.text.strip() else html
    if hidden > FEW:
        return html
    in_html, in_plain = _shares(plain.text, html.text)
    if in_html >= SAME:
        partial = in_plain < SAME or _lacks(plain.text, [target for part in parts for target in part.targets])
        return html if partial else plain
    if in_plain >= SAME:
        return plain
    if alternatives:
        return html
    first, second = (html, plain) if html_first else (plain, html)
    return Seen(f"{first.text.rstrip()}\n\n{second.text}", plain.hidden + html.hidden)


def _shares(plain: str, html: str) -> tuple[float, float]:
    """How much of the words of a plain text stand in the HTML's, and the other way round; 1.0 of a text without words."""
    first, second = _words(plain), _words(html)
    common = (first & second).total()
    return (common / first.total() if first else 1.0), (common / second.total() if second else 1.0)


def _words(text: str) -> Counter[str]:
    """The words of a text, of East Asia the characters, without addresses and the names of pictures, which programs write differently."""
    return Counter(_WORDS.findall(_NOT_WORDS.sub(" ", text[:MAX_COMPARED]).casefold()))


def _lacks(plain: str, targets: Sequence[str]) -> bool:
    """Whether a plain text has lost the target of a link."""
    return any(_SCHEME.sub("", target)[:COMPARED_TARGET].rstrip("/…") not in plain for target in targets)
