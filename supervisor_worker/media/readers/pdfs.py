"""PDFs: how many pages, whether the model may be given the file itself, and the text of the first pages."""

from __future__ import annotations

import contextlib
import time
from typing import Any, Final, cast

import pypdfium2
from pypdfium2 import raw

from supervisor_worker.media.readers.extract import MAX_TEXT_BYTES, BoundedText, Extras, TextFull, Unreadable

MAX_PAGES: Final = 300
"""Whose text is looked at; there is room for that of some ten."""
MAX_SECONDS: Final = 8.0
"""For the text of all pages; one page is not interrupted."""


def read(content: bytes, charset: str, text: BoundedText) -> Extras:
    """Add the text; the parent decides by pages and size whether the model is given the file. Raises Unreadable."""
    del charset  # fonts say their own
    try:
        document = pypdfium2.PdfDocument(content)
    except pypdfium2.PdfiumError as error:
        raise Unreadable("encrypted" if "password" in str(error).lower() else "damaged") from None
    pages = len(document)
    # Also one that anybody can open but not print or copy: Anthropic takes none of these.
    protected = raw.FPDF_GetSecurityHandlerRevision(cast("Any", document)) >= 0
    with contextlib.suppress(TextFull):
        _add(document, pages, text)
    return Extras(pages, document=pages > 0 and not protected)


def _add(document: pypdfium2.PdfDocument, pages: int, text: BoundedText) -> None:
    end = time.monotonic() + MAX_SECONDS
    for number in range(min(pages, MAX_PAGES)):
        if time.monotonic() > end:
            break
        page = document[number]
        words = page.get_textpage()
        text.add(words.get_text_range(0, min(MAX_TEXT_BYTES, words.count_chars())).replace("\r\n", "\n") + "\n\n")
        words.close()
        page.close()
    else:
        text.cut = pages > MAX_PAGES
        return
    text.cut = True
