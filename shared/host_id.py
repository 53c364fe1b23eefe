"""By what name a host is known to the others: a host is a data directory, whichever processes share it."""

from __future__ import annotations

import os
import secrets
import socket
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Final

FILE: Final = "host"
MAX_NAME: Final = 120


def host_id(data_dir: Path) -> str:
    """The directory's own id, made where it has none; one made of its path where it cannot be written."""
    path = data_dir / FILE
    with suppress(OSError):
        with suppress(FileExistsError):
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w") as file:
                file.write(secrets.token_hex(8))
        if found := known_id(data_dir):
            return found
    return sha256(f"{socket.gethostname()}\0{data_dir.absolute()}".encode()).hexdigest()[:16]


def known_id(data_dir: Path) -> str:
    """The id of a directory that has one; "" for any other."""
    with suppress(OSError):
        return (data_dir / FILE).read_text().strip()
    return ""


def host_name(data_dir: Path) -> str:
    """What an operator knows it by: the machine and the path."""
    return f"{socket.gethostname()}:{data_dir.absolute()}"[:MAX_NAME]
