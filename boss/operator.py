"""The operator's login name, which the ledger holds for every change that an operator makes."""

from __future__ import annotations

import os
import pwd
import re
from typing import Final

MAX_NAME: Final = 32
UNKNOWN: Final = "unknown"
_WORD: Final = re.compile(rf"[A-Za-z0-9._-]{{1,{MAX_NAME}}}")
_ROOT: Final = 0


def login_name() -> str:
    """The login name of the person who runs this command; under `sudo`, of the person who called it. Unsafe characters are cut off.

    A name that is an address is cut before its sign: the ledger holds no addresses.
    """
    uid = os.getuid()
    called_by = os.environ.get("SUDO_USER", "") if uid == _ROOT else ""
    return _safe(called_by) or _safe(_account(uid)) or UNKNOWN


def _account(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:  # a container's user without an entry
        return f"uid-{uid}"


def _safe(name: str) -> str:
    found = _WORD.match(name)
    return found.group() if found else ""
