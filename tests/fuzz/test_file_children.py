"""Files that libraries read, taken apart and put together wrongly: whatever that does to the child, the worker gets an answer in time."""

from __future__ import annotations

import asyncio
import os
import random
from typing import Final

import pytest

from supervisor_worker.media.readers import kinds
from supervisor_worker.media.reading import read_file
from tests.payloads import files

TIMES: Final = max(1, int(os.environ.get("FUZZ_EXAMPLES", "2700")) // 1_200)
SECONDS: Final = 25


def mutated(content: bytes, chance: random.Random) -> bytes:
    """A file with some bytes changed, left out or repeated; half keep their first bytes, and so are taken for what they were."""
    data = bytearray(content)
    begin = chance.choice((0, min(32, len(data) - 1)))
    for _ in range(chance.randint(1, 8)):
        start = chance.randrange(min(begin, len(data)), len(data) + 1)
        length = chance.choice((1, 1, 2, 4, 40))
        data[start : start + length] = chance.choice((chance.randbytes(length), b"", data[start : start + length] * 3, b"\xff" * length))
    return bytes(data)


@pytest.mark.timeout(0 if "FUZZ_EXAMPLES" in os.environ else 120)
def test_a_broken_file_is_answered_in_time_whatever_it_does_to_the_child() -> None:
    """A few of each kind, two at a time; `make fuzz` tries more."""
    chance = random.Random(14)  # noqa: S311 - nothing secret
    good = [files.pdf([files.pdf_page("Hello")] * 3), *(files.photo(kind) for kind in ("HEIF", "AVIF", "TIFF", "BMP")), files.word(["a"])]
    good += [files.sheet(), files.photo("JPEG", 8_400, 1_000)]

    async def read_all() -> None:
        for content in good:
            async with asyncio.timeout(SECONDS * TIMES):
                found = await asyncio.gather(*(read_file(mutated(content, chance), "", "", seconds=SECONDS * TIMES) for _ in range(TIMES)))
            assert {each.kind for each in found} <= kinds.KINDS
            assert not any(each.fault == "too_slow" for each in found)

    asyncio.run(read_all())
