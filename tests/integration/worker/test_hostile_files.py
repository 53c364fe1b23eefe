"""Files that are made to do harm: each is given up or read in part within 25 s, while the worker goes on and keeps no memory of it."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path
from typing import Final

import pytest

from supervisor_worker.media.readers import kinds
from supervisor_worker.media.reading import ReadFile, read_file
from tests.payloads import files, hostile_files

FULL: Final = os.environ.get("BOSSLINE_CHAOS") == "full"
MEMORY_BYTES: Final = 20_000_000
SECONDS: Final = 25
LAG_SECONDS: Final = 5


def resident() -> int:
    """Bytes of this process's memory."""
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")


async def read_watched(content: bytes, name: str) -> tuple[ReadFile, float, float]:
    """The file as read, how long that took, and how long the event loop did not run."""
    lags: list[float] = []

    async def tick() -> None:
        while True:
            before = time.monotonic()
            await asyncio.sleep(0.02)
            lags.append(time.monotonic() - before)

    ticking, started = asyncio.create_task(tick()), time.monotonic()
    found = await read_file(content, name, "", seconds=60)
    took = time.monotonic() - started
    ticking.cancel()
    return found, took, max(lags, default=0.0)


@pytest.mark.timeout(600 if FULL else 120)
def test_a_hostile_file_costs_neither_time_nor_memory() -> None:
    """Every one of them, at full size under `make chaos`; and then an honest one, as if nothing had been."""
    asyncio.run(read_file(b"x", "a.txt", "", seconds=20))  # what is loaded once counts for none of them
    for name in hostile_files.NAMES:
        content, called, kind, faults = hostile_files.made(name, full=FULL)
        before = resident()
        found, took, lag = asyncio.run(read_watched(content, called))
        assert (found.kind, found.fault in faults) == (kind, True), (name, found)
        assert (took < SECONDS, lag < LAG_SECONDS, resident() - before < MEMORY_BYTES) == (True, True, True), (name, took, lag)
        assert len(found.text.encode()) <= 20_000, name
    assert asyncio.run(read_file(files.word(["kept"]), "a.docx", "", seconds=20)).text == "kept"


def test_pdfs_go_to_the_model_within_its_limits_and_as_text_beyond() -> None:
    """By pages; one with a password, and one that may be opened but not copied, do not go."""
    small = files.pdf([files.pdf_page("Hello"), files.pdf_page("World")])
    found = asyncio.run(read_file(small, "a.pdf", "", seconds=20))
    assert (found.kind, found.document, found.pages, found.text, found.fault) == (kinds.PDF, small, 2, "Hello\n\nWorld", "")
    long = asyncio.run(read_file(files.pdf([files.pdf_page(f"Page {n}") for n in range(101)]), "a.pdf", "", seconds=20))
    assert (long.document, long.pages, long.text[:6], long.cut) == (None, 101, "Page 0", False)
    heavy = asyncio.run(read_file(files.pdf([files.pdf_page("Hello"), b"%" + b"x" * 10_000_000]), "a.pdf", "", seconds=20))
    assert (heavy.document, heavy.text) == (None, "Hello")
    secret = b"/ID [<00><00>] /Encrypt << /Filter /Standard /V 1 /R 2 /P -4 /O <%s> /U <%s> >>" % (b"41" * 32, b"42" * 32)
    locked = asyncio.run(read_file(files.pdf([files.pdf_page("Hello")], trailer=secret), "a.pdf", "", seconds=20))
    assert (locked.document, locked.fault) == (None, "encrypted")
    guarded = asyncio.run(read_file(files.guarded_pdf([files.pdf_page("Hello")]), "a.pdf", "", seconds=20))
    assert (guarded.document, guarded.pages, guarded.fault) == (None, 1, "")
    broken = asyncio.run(read_file(b"%PDF-1.7\nnothing", "a.pdf", "", seconds=20))
    assert (broken.document, broken.fault) == (None, "damaged")


def test_pictures_of_any_camera_reach_the_model() -> None:
    """HEIC, AVIF and others become JPEG, what is too large becomes smaller, and lies as it was held."""
    for kind in ("HEIF", "AVIF", "BMP", "TIFF"):
        picture = asyncio.run(read_file(files.photo(kind), "a." + kind.lower(), "", seconds=20)).picture
        assert picture is not None, kind
        assert (picture.media_type, picture.width, picture.height) == ("image/jpeg", 64, 48), kind
    for content, size in ((files.photo("JPEG", 8_400, 1_200), (1_568, 224)), (files.turned_photo(4_200, 2_100), (784, 1_568))):
        picture = asyncio.run(read_file(content, "a.jpg", "", seconds=20)).picture
        assert picture is not None
        assert (picture.width, picture.height) == size
    broken = asyncio.run(read_file(files.photo("HEIF")[:-200], "a.heic", "", seconds=20))
    assert (broken.kind, broken.picture, broken.fault) == (kinds.PICTURE, None, "damaged")
