"""A text's segments against messages that are really made: `FUZZ_EXAMPLES` random strings, and every character of GSM 03.38."""

from __future__ import annotations

import os
import random
from typing import Final

from sandbox.engine.twilio_segments import count_segments
from shared.model.sms_segments import size
from tests.support import gsm_oracle

STRINGS: Final = int(os.environ.get("FUZZ_EXAMPLES", "2000"))
GSM: Final = "".join(character for character in gsm_oracle.TABLE if character != "\x1b") + "".join(gsm_oracle.EXTENSION.values())
OTHERS: Final = "\u2019\u201c`\u00e7\u0436\u4e2d\U0001f389\U0001f468\u200d\ufe0f\t\u00a0"
LENGTHS: Final = (0, 1, 67, 70, 71, 134, 153, 160, 161, 306, 307, 400, 918, 919, 1600)


def test_a_text_takes_as_many_segments_as_messages_are_made_of_it() -> None:
    """By the product's count and by the sandbox's, about the edges and anywhere, with pairs at the cuts."""
    chance = random.Random(38)  # noqa: S311 - the same strings each time
    for _ in range(STRINGS):
        length = max(0, chance.choice(LENGTHS) + chance.randint(-3, 3))
        letters = chance.choice((GSM, GSM, "aaaa" + "".join(gsm_oracle.EXTENSION.values()), GSM + OTHERS, "a\U0001f389", OTHERS))
        text = "".join(chance.choices(letters, k=length))
        alphabet, made = gsm_oracle.messages(text)
        found = size(text)
        assert (found.encoding, found.segments, found.units) == (alphabet, len(made), sum(map(len, made))), ascii(text)
        assert count_segments(text) == found.segments


def test_every_character_of_gsm_03_38_counts_as_the_standard_says() -> None:
    """One septet for each of the table, two for each of the extension, and no other character of Unicode's first plane is one of them."""
    for character in GSM:
        assert size(character).encoding == "GSM-7"
        assert size(character).units == (2 if character in gsm_oracle.EXTENSION.values() else 1)
        assert size(character * 160).segments == len(gsm_oracle.messages(character * 160)[1])
    for code in (*range(0xD800), *range(0xE000, 0x10000)):
        assert (size(chr(code)).encoding == "GSM-7") == (chr(code) in GSM)
