"""A machine room: a network of the test's own, with hosts that can be cut off. Needs root, `ip`, `unshare` and `nsenter`.

`with Room()` moves this thread, and every process and thread that it starts from then on, into a network namespace that
reaches nothing outside. In it stands a switch with the test itself at 10.99.0.1, and each `host` is a namespace of its own
behind a cable to that switch. A cut cable swallows packets without a word, as a broken one does. All of it is gone when its
last process has ended, whatever became of the test.
"""

from __future__ import annotations

import ctypes
import itertools
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from tests.support.fork_server import LIBC, die_with_parent
from tests.support.wait import wait_for

CLONE_NEWNET: Final = 0x40000000
NETWORK: Final = "10.99.0."
TOOLS: Final = ("ip", "unshare", "nsenter")
SECONDS: Final = 10


class Host:
    """One host of a room."""

    def __init__(self, number: int) -> None:
        """It is plugged in at once."""
        self.address = f"{NETWORK}{number}"
        self._cable = f"port{number}"
        own = Path("/proc/self/ns/net").readlink()
        self._holder = subprocess.Popen(["unshare", "--net", "sleep", "infinity"], preexec_fn=die_with_parent)
        self.network = Path(f"/proc/{self._holder.pid}/ns/net")
        wait_for(lambda: self.network.readlink() != own, SECONDS, "a namespace")
        self.prefix = ("nsenter", f"--net={self.network}", "--")
        """What a command begins with that shall run on it."""
        _ip("link", "add", self._cable, "type", "veth", "peer", "name", "eth0", "netns", str(self._holder.pid))
        _ip("link", "set", self._cable, "master", "switch", "up")
        for command in (("link", "set", "lo", "up"), ("addr", "add", f"{self.address}/24", "dev", "eth0"), ("link", "set", "eth0", "up")):
            _run(*self.prefix, "ip", *command)

    def cut(self) -> None:
        """Nothing passes its cable any more, and nobody is told."""
        _ip("link", "set", self._cable, "down")

    def join(self) -> None:
        """The cable is whole again."""
        _ip("link", "set", self._cable, "up")

    def close(self) -> None:
        """Its own processes must have ended before."""
        self._holder.kill()
        self._holder.wait(SECONDS)


class Network:
    """For `with`, in the thread that starts everything."""

    ADDRESS: Final = f"{NETWORK}1"

    @staticmethod
    def missing() -> str:
        """Why there can be no room on this machine; empty when there can."""
        if not sys.platform.startswith("linux") or LIBC is None:
            return "network namespaces are Linux's"
        if os.geteuid() != 0:
            return "needs root for network namespaces"
        if absent := [tool for tool in TOOLS if shutil.which(tool) is None]:
            return f"no {', '.join(absent)} on this machine"
        tried = subprocess.run(["unshare", "--net", "ip", "link", "add", "switch", "type", "bridge"], capture_output=True, check=False)
        return "this kernel or container allows no network namespace with a bridge" if tried.returncode else ""

    def __enter__(self) -> Self:
        """Move in."""
        self._numbers = itertools.count(2)
        self._hosts: list[Host] = []
        self._outside = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        _checked("unshare", CLONE_NEWNET)
        try:
            _ip("link", "set", "lo", "up")
            _ip("link", "add", "switch", "type", "bridge")
            _ip("addr", "add", f"{self.ADDRESS}/24", "dev", "switch")
            _ip("link", "set", "switch", "up")
        except BaseException:
            self._move_out()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Move out."""
        for host in self._hosts:
            host.close()
        self._move_out()

    def host(self) -> Host:
        """One more."""
        host = Host(next(self._numbers))
        self._hosts.append(host)
        return host

    def _move_out(self) -> None:
        _checked("setns", self._outside, CLONE_NEWNET)
        os.close(self._outside)


def _ip(*command: str) -> None:
    _run("ip", *command)


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=SECONDS)
    if done.returncode:
        raise AssertionError(f"{' '.join(command)}: {done.stderr.strip()}")


def _checked(call: str, *arguments: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if getattr(libc, call)(*arguments):
        raise OSError(ctypes.get_errno(), f"{call}: {os.strerror(ctypes.get_errno())}")
