"""What honcho started ends when honcho has ended, however that was; what it did not start lives on."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

import pytest

from shared.process.honcho import KILL_AFTER_SECONDS, MARK, Honcho
from tests.support.fresh_checkout import FreshCheckout
from tests.support.processes import clean_environment
from tests.support.wait import wait_for

HONCHO = str(Path(sys.executable).with_name("honcho"))
SLEEPER = """
import signal, sys, time
if "deaf" in sys.argv: signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("begun", flush=True)
while True: time.sleep(0.1)
"""
CHATTERER = SLEEPER.replace("while True:", "while True: print('more', flush=True);")
PROCFILE = f"""
plain: exec {sys.executable} -m shared.process.honcho sleeper
shell: {sys.executable} -m shared.process.honcho sleeper; true
"""
SECONDS = 12.0
"""What all must have ended within, on a busy machine; a second or two on an idle one."""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A directory with a Procfile of two processes: one that took its shell's place, and one below its shell."""
    (tmp_path / "sleeper.py").write_text(SLEEPER)
    (tmp_path / "chatterer.py").write_text(CHATTERER)
    (tmp_path / "Procfile").write_text(PROCFILE)
    return tmp_path


@pytest.fixture
def checkout(tree: Path) -> Iterator[FreshCheckout]:
    """Both, begun under honcho."""
    with FreshCheckout(tree, HONCHO, "start") as running:
        running.wait_for_output(r"(?s)begun.*begun")
        yield running


def main_of(checkout: FreshCheckout) -> int:
    """The process of honcho itself; its helpers look the same, and are its children."""
    assert checkout._process is not None
    return checkout._process.pid


def all_end(checkout: FreshCheckout, seconds: float = SECONDS) -> None:
    wait_for(lambda: not checkout.processes(), seconds, "the end of all of them")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGHUP, signal.SIGABRT])
def test_all_end_when_honcho_dies(checkout: FreshCheckout, number: signal.Signals) -> None:
    """By a signal to it alone, which tells its helpers and children nothing."""
    os.kill(main_of(checkout), number)
    all_end(checkout)


def test_all_end_when_the_terminal_is_closed(checkout: FreshCheckout) -> None:
    """SIGHUP to its group, in which its children are not."""
    checkout.interrupt(signal.SIGHUP)
    all_end(checkout)


def test_all_end_when_honcho_dies_before_they_have_begun(tree: Path) -> None:
    """A kill while they are still starting: whoever took them in is no honcho."""
    with FreshCheckout(tree, HONCHO, "start") as checkout:
        wait_for(lambda: len(checkout.processes()) >= 5, 10, "honcho, two helpers and two children")
        os.kill(main_of(checkout), signal.SIGKILL)
        all_end(checkout)


def test_a_process_that_does_not_hear_is_killed(tree: Path) -> None:
    """As honcho would have killed it."""
    (tree / "Procfile").write_text(f"deaf: exec {sys.executable} -m shared.process.honcho sleeper deaf\n")
    with FreshCheckout(tree, HONCHO, "start") as checkout:
        checkout.wait_for_output("begun")
        os.kill(main_of(checkout), signal.SIGKILL)
        all_end(checkout, SECONDS + KILL_AFTER_SECONDS)


def start_into(tree: Path, output: int | IO[bytes], mark: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [HONCHO, "start"],
        cwd=tree,
        env=clean_environment(PYTHONPATH=str(tree), HOME=str(tree), BOSS_TEST_MARK=mark),
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def interrupted_once_the_reader_has_gone(honcho: subprocess.Popen[bytes]) -> None:
    """`honcho start | tee log` and Ctrl-C, which ends `tee` first: honcho's own farewell is an error, and it tells nobody."""
    assert honcho.stdout is not None
    seen = b""
    while seen.count(b"begun") < 2:
        seen += honcho.stdout.readline()
    honcho.stdout.close()
    os.kill(honcho.pid, signal.SIGINT)


def nothing_more_is_read(honcho: subprocess.Popen[bytes]) -> None:
    """`tee` alone is killed, and nobody prints anything: honcho does not notice, and would fail at its next line."""
    assert honcho.stdout is not None
    seen = b""
    while seen.count(b"begun") < 2:
        seen += honcho.stdout.readline()
    honcho.stdout.close()


@pytest.mark.parametrize("what", [interrupted_once_the_reader_has_gone, nothing_more_is_read])
def test_all_end_when_nobody_reads_honcho_s_output(tree: Path, what: Callable[[subprocess.Popen[bytes]], None]) -> None:
    """It lives on in name only: after the error it waits for children that it never told to end."""
    checkout = FreshCheckout(tree)
    honcho = start_into(tree, subprocess.PIPE, checkout.mark)
    try:
        what(honcho)
        honcho.wait(SECONDS)
        all_end(checkout)
    finally:
        checkout.close()
        honcho.kill()
        honcho.wait(10)


def test_all_end_when_honcho_s_output_has_no_room(tree: Path) -> None:
    """`honcho start > log` on a full disk."""
    checkout = FreshCheckout(tree)
    with Path("/dev/full").open("wb") as full:
        honcho = start_into(tree, full, checkout.mark)
    try:
        honcho.wait(SECONDS)
        all_end(checkout)
    finally:
        checkout.close()
        honcho.kill()
        honcho.wait(10)


def test_a_stopped_honcho_is_not_a_dead_one(checkout: FreshCheckout) -> None:
    """Ctrl-Z, or a machine that stands still: they work on, and when it goes on it ends them as ever."""
    os.kill(main_of(checkout), signal.SIGSTOP)
    wait_for(lambda: state(main_of(checkout)) == "T", 5, "its stop")
    watch = Honcho((main_of(checkout),))
    watch._parents = (os.getpid(), main_of(checkout))
    assert not any(watch._stopped_working() for _ in range(10))
    assert len(checkout.processes()) >= 5
    os.kill(main_of(checkout), signal.SIGCONT)
    checkout.interrupt()
    all_end(checkout)
    assert len(re.findall("stopped", checkout.output)) == 2


def test_what_honcho_did_not_start_lives_on(tree: Path) -> None:
    """`nohup boss worker &`, and the shell goes: no parent was ever watched."""
    checkout = FreshCheckout(tree, "sh", "-c", f"{sys.executable} -m shared.process.honcho sleeper & echo started")
    with checkout:
        checkout.wait(10)
        wait_for(lambda: "begun" in checkout.output, 10, "its first line")
        (line,) = checkout.processes()
        pid = int(line.split()[0])
        assert MARK.encode() not in Path(f"/proc/{pid}/environ").read_bytes()
        threads = [(place / "comm").read_text().strip() for place in Path(f"/proc/{pid}/task").iterdir()]
        assert len(threads) == 1, "nobody watches"


def state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
