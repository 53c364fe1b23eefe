"""Which process uses a port that we need, and whether it is a Bossline that was started earlier."""

from __future__ import annotations

import errno
import re
import socket
from contextlib import suppress
from itertools import dropwhile
from pathlib import Path
from typing import Final

from shared.errors import ConfigurationError

PROC: Final = Path("/proc")
LISTENS: Final = "0A"
PROCESSES: Final = {"webhook_api": "web", "sandbox": "sandbox"}
"""The name under `boss` of processes whose command line no longer has `boss` in it."""
BOSS: Final = ("boss.main", "supervisor_worker.cli.main")
"""The command's module, now and in an earlier version: a process of that version may still hold a port."""
HONCHO: Final = ("shared.process.honcho", "shared.honcho")
"""The module that ends a program with honcho, now and in an earlier version."""
_SOCKET: Final = re.compile(r"socket:\[(\d+)\]")


def require_free_port(host: str, port: int, setting: str) -> None:
    """Raise ConfigurationError when the port cannot be bound; it names the port, its setting and the process that has it."""
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, socket.SOCK_STREAM) as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
    except OSError as error:
        reason = describe_listener(port) if error.errno == errno.EADDRINUSE else f"cannot be bound ({error.strerror})"
        raise ConfigurationError(f"{setting}: port {port} of {host} {reason}; or set {setting} to another port") from None


def describe_listener(port: int, proc: Path = PROC) -> str:
    """The end of a sentence: which process listens on a port and how to end it; only that one does, where none is visible."""
    pid = listener(port, proc)
    words = _words(pid, proc)
    if not words:
        return "is used by another program, perhaps of another user: end it"
    if command := bossline(words):
        return f"is used by process {pid}, `boss {command}` of an earlier Bossline{_in(pid, proc)}: end it (Ctrl-C, or `kill {pid}`)"
    return f"is used by process {pid} ({Path(words[0]).name}), which is no Bossline: end it"


def listener(port: int, proc: Path = PROC) -> int:
    """The id of the process that listens on a port, of several the lowest; 0 when none is visible."""
    wanted = _inodes(port, proc)
    if not wanted:
        return 0
    pids = sorted(int(place.name) for place in proc.glob("[0-9]*"))
    return next((pid for pid in pids if wanted & _sockets(pid, proc)), 0)


def bossline(words: list[str]) -> str:
    """The `boss` command of a process, by its command line; '' for any other program, whatever it is told to work on."""
    program = Path(words[0]).name if words else ""
    match list(dropwhile(_is_flag, words[1:])) if program.startswith("python") else words:
        case ["-m", wrapper, module, *rest] if wrapper in HONCHO:
            return _command(module, rest)
        case ["-m", module, *rest]:
            return _command(module, rest)
        case [script, command, *_] if Path(script).name == "boss":
            return command
    return ""


def _is_flag(word: str) -> bool:
    """Of the interpreter: what follows `-m` is the program."""
    return word.startswith("-") and word != "-m"


def _command(module: str, words: list[str]) -> str:
    if module in BOSS and words:
        return words[0]
    if module.startswith("supervisor_worker."):
        return "standby"
    return PROCESSES.get(module, "")


def _words(pid: int, proc: Path) -> list[str]:
    with suppress(OSError):
        return [word.decode(errors="replace") for word in (proc / str(pid) / "cmdline").read_bytes().split(b"\0") if word]
    return []


def _in(pid: int, proc: Path) -> str:
    with suppress(OSError):
        return f" in {(proc / str(pid) / 'cwd').readlink()}"
    return ""


def _inodes(port: int, proc: Path) -> set[str]:
    """The inodes of the sockets that listen on a port, IPv4 and IPv6."""
    found = set()
    for table in ("tcp", "tcp6"):
        with suppress(OSError):
            for line in (proc / "net" / table).read_text().splitlines()[1:]:
                fields = line.split()
                if fields[3] == LISTENS and int(fields[1].rpartition(":")[2], 16) == port:
                    found.add(fields[9])
    return found


def _sockets(pid: int, proc: Path) -> set[str]:
    """The inodes of a process's sockets; empty for another user's process."""
    found = set()
    with suppress(OSError):
        for place in (proc / str(pid) / "fd").iterdir():
            with suppress(OSError):
                if match := _SOCKET.fullmatch(str(place.readlink())):
                    found.add(match[1])
    return found
