"""How often a test of many random inputs tries: a few in `make test`, whose seeds differ each time; many in `make fuzz`."""

from __future__ import annotations

import os
from typing import Final

THOROUGH: Final = "FUZZ_EXAMPLES" in os.environ
MORE: Final = 25


def rounds(few: int) -> int:
    """`few`, and 25 times as many in `make fuzz`."""
    return few * MORE if THOROUGH else few
