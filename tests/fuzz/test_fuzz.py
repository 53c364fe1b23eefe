"""Whatever is thrown at a parser, the answer is a value or BadInput: `make fuzz` throws 100,000, `make test` a few."""

from __future__ import annotations

import os
from typing import Final

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.fuzz import targets

SEEDS: Final = targets.seeds()
EXAMPLES: Final = max(1, int(os.environ.get("FUZZ_EXAMPLES", "1500")) // len(SEEDS))
NASTY: Final = (
    b"\0", b"\r\n", b"\n\n", b"\r", b"\t", b"%00", b"%", b"&", b"=", b";", b"+", b"\xff\xfe", b"\xed\xa0\x80", b"\xe2\x80\xae",
    b"\xc2\x85", b"\xe2\x80\xa8", b"<", b">", b"@", b"[", b"]", b"{", b"}", b'"', b"\\", b"\\ud800", b"=?utf-8?b?", b"?=", b"--",
    b"--xYzZY", b"--xYzZY--", b"\r\nBcc: x@example.net\r\n", b"Content-Type: multipart/mixed; boundary=\r\n",
    b"Content-Transfer-Encoding: base64\r\n", b"charset=utf-7", b"charset=unicode_escape", b"charset=rot13", b"<!--", b"<![CDATA[",
    b"&#x110000;", b"&#0;", b"wrote:\n", b"> ", b"On ", b"From: ", b"NaN", b"1e999", b"[[[[[[[[", b"-1", b"99999999999999999999",
    b"null", b"true", b"user@example.com", b"+15551234567", b"\xd9\xa1\xd9\xa2",
)  # fmt: skip
Edit = tuple[int, int, bytes, int]


def edited(seed: bytes, edits: list[Edit]) -> bytes:
    """An honest input with pieces cut out, put in and repeated."""
    data = bytearray(seed)
    for place, length, piece, times in edits:
        start = place % (len(data) + 1)
        data[start : start + length] = piece * times
    return bytes(data)


PIECES: Final = st.sampled_from(NASTY) | st.binary(max_size=12)
EDITS: Final = st.lists(
    st.tuples(st.integers(0, 100_000), st.integers(0, 40) | st.just(10_000), PIECES, st.integers(0, 4) | st.just(300)), max_size=12
)


@pytest.mark.parametrize("name", SEEDS)
@pytest.mark.timeout(0 if "FUZZ_EXAMPLES" in os.environ else 60)
def test_whatever_comes_is_read_or_refused_and_keeps_its_promises(name: str) -> None:
    """Honest input, taken apart and put together wrongly, and plain noise."""
    target, seeds = SEEDS[name]

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        derandomize="FUZZ_EXAMPLES" not in os.environ,
    )
    @given(st.builds(edited, st.sampled_from(seeds), EDITS) | st.binary(max_size=2_000))
    @example(b"")
    def throw(data: bytes) -> None:
        targets.run(target, data)

    throw()


@pytest.mark.parametrize("name", SEEDS)
def test_every_seed_is_taken_so_that_what_follows_begins_deep(name: str) -> None:
    """A seed that is refused at the door would leave everything behind it untried."""
    target, seeds = SEEDS[name]
    target(seeds[0])
