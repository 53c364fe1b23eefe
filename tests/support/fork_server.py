"""Python programs that start in a tenth of a second: a server that has imported everything forks them.

Each is a child of the tester's process, in a session of its own, with its own environment, directory and output, and runs a module as
`python -m` does. What a fresh interpreter would do differently is not its test: the command line that /proc shows is the server's, and
what the program imports is there already. A test of those starts a real one.

The server forks twice, and the tester's process adopts what the first child leaves behind, so that it can wait for its end.
"""

from __future__ import annotations

import atexit
import ctypes
import gc
import json
import os
import runpy
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, Final, NoReturn

from tests.support import users_file

ROOT: Final = Path(__file__).resolve().parents[2]
PR_SET_PDEATHSIG: Final = 1
PR_SET_CHILD_SUBREAPER: Final = 36
LIBC: Final = ctypes.CDLL(None) if sys.platform.startswith("linux") else None
CLONE_NEWNET: Final = 0x40000000
POLL_SECONDS: Final = 0.01
ADOPTED_SECONDS: Final = 5
WEB: Final = ("webhook_api.server", "shared.storage.embedded", "sandbox.app", "boss.commands.processes")
"""What every program needs, and what the web process does. None of them loads the SDKs of the providers."""
WORKER: Final = (
    *WEB,
    "anthropic.types",
    "sendgrid",
    "twilio.rest",
    "supervisor_worker.process.pool",
    "supervisor_worker.jobs",
    "bridge.server",
)


def die_with_parent() -> None:
    """For a child, before it is another program: the kernel kills it when who started it ends."""
    if LIBC is not None:
        LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Program:
    """One program, as `subprocess.Popen` shows a child."""

    def __init__(self, pid: int, args: Sequence[str]) -> None:
        """Of this process's own child."""
        self.pid, self.args = pid, args
        self.returncode: int | None = None
        self._lock = threading.Lock()

    def poll(self) -> int | None:
        """Its exit status, minus the signal that ended it; None while it runs."""
        with self._lock:
            if self.returncode is None:
                pid, status = os.waitpid(self.pid, os.WNOHANG)
                if pid:
                    self.returncode = os.waitstatus_to_exitcode(status)
            return self.returncode

    def wait(self, seconds: float) -> int:
        """Wait for its end; `subprocess.TimeoutExpired` if it does not come."""
        deadline = time.monotonic() + seconds
        while (status := self.poll()) is None:
            if time.monotonic() > deadline:
                raise subprocess.TimeoutExpired(list(self.args), seconds)
            time.sleep(POLL_SECONDS)
        return status

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """Kill it."""
        self.send_signal(signal.SIGKILL)


class ForkServer:
    """The server's other end. One with `modules` loaded; started with its first order, ended with the tester's process."""

    def __init__(self, kind: str) -> None:
        """`web` or `worker`."""
        self._kind = kind
        self._lock = threading.Lock()
        self._server: subprocess.Popen[str] | None = None

    def start(
        self, module: str, arguments: Sequence[str], *, env: Mapping[str, str], directory: Path, output: int, network: Path | None
    ) -> Program:
        """See `fork`."""
        order = {"module": module, "arguments": list(arguments), "env": dict(env), "directory": str(directory), "parent": os.getpid()}
        with self._lock:
            server = self._running()
            assert server.stdin is not None
            assert server.stdout is not None
            order |= {
                "output": f"/proc/{os.getpid()}/fd/{output}",
                "network": str(network or f"/proc/{os.getpid()}/task/{threading.get_native_id()}/ns/net"),
            }
            _adopt(True)
            try:
                server.stdin.write(json.dumps(order) + "\n")
                server.stdin.flush()
                line = server.stdout.readline()
            finally:
                _adopt(False)
        if not line.strip("0\n"):
            raise AssertionError("the fork server ended, or could not start the program; the reason is on stderr")
        return Program(int(line), (module, *arguments))

    def _running(self) -> subprocess.Popen[str]:
        if self._server is None or self._server.poll() is not None:
            self._server = subprocess.Popen(
                [sys.executable, "-m", "tests.support.fork_server", self._kind],
                cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True,
                preexec_fn=die_with_parent,
            )  # fmt: skip
            atexit.register(self._server.kill)
        return self._server


def _adopt(yes: bool) -> None:
    assert LIBC is not None
    LIBC.prctl(PR_SET_CHILD_SUBREAPER, int(yes), 0, 0, 0)


SERVERS: Final = {kind: ForkServer(kind) for kind in ("web", "worker")}
Child = Program | subprocess.Popen[bytes]


def fork(
    kind: str, module: str, *arguments: str, env: Mapping[str, str], directory: Path, output: int, network: Path | None = None
) -> Child:
    """Run a module as `python -m` does, in this thread's network or another; what it prints is appended to `output`, a file that is open.

    `kind` says what the server has loaded: `web`, or `worker`, which has the SDKs of the providers as well.
    """
    if LIBC is None:
        return spawn([sys.executable, "-m", module, *arguments], env=env, directory=directory, output=output)
    return SERVERS[kind].start(module, arguments, env=env, directory=directory, output=output, network=network)


def spawn(command: Sequence[str], *, env: Mapping[str, str], directory: Path, output: int) -> subprocess.Popen[bytes]:
    """Run a program in a session of its own, ended with the tester's process."""
    return subprocess.Popen(
        command, cwd=directory, env=env, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, start_new_session=True,
        preexec_fn=die_with_parent,
    )  # fmt: skip


# The server


def main(kind: str) -> None:
    """Fork a program for each order until stdin ends; in the program, run it."""
    for module in WORKER if kind == "worker" else WEB:
        import_module(module)
    users_file.remember()
    gc.collect()
    gc.freeze()  # the children's collector leaves the shared pages alone
    for line in iter(sys.stdin.readline, ""):
        order = json.loads(line)
        child = os.fork()
        if child == 0:
            if os.fork():
                os._exit(0)
            become(order)
            runpy.run_module(order["module"], run_name="__main__", alter_sys=True)
            return
        os.waitpid(child, 0)


def _give_up(why: str) -> NoReturn:
    os.write(2, f"fork server: {why}\n".encode())
    os.write(1, b"0\n")  # the tester waits for a process id
    os._exit(1)


def _move_to(network: Path) -> None:
    """Into the tester's network namespace, where that is another: see `room`."""
    if LIBC is None or network.readlink() == Path("/proc/self/ns/net").readlink():
        return
    namespace = os.open(network, os.O_RDONLY)
    if LIBC.setns(namespace, CLONE_NEWNET):
        _give_up("no way into the network namespace")
    os.close(namespace)


def become(order: dict[str, Any]) -> None:
    """Be as a new process with this environment, directory and output; tell the tester who that is."""
    os.setsid()
    deadline = time.monotonic() + ADOPTED_SECONDS
    while os.getppid() != order["parent"]:
        if time.monotonic() > deadline:
            _give_up("nobody has adopted it")
        time.sleep(0.001)
    die_with_parent()
    _move_to(Path(order["network"]))
    output = os.open(order["output"], os.O_WRONLY | os.O_APPEND)
    os.write(1, f"{os.getpid()}\n".encode())
    null = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((null, 0), (output, 1), (output, 2)):
        os.dup2(source, target)
    os.close(null)
    os.close(output)
    os.environ.clear()
    os.environ.update(order["env"])
    time.tzset()
    tempfile.tempdir = None
    os.chdir(order["directory"])
    sys.path[0] = order["directory"]
    sys.path[1:1] = [entry for entry in order["env"].get("PYTHONPATH", "").split(os.pathsep) if entry]
    sys.argv = [order["module"], *order["arguments"]]


if __name__ == "__main__":
    main(sys.argv[1])
