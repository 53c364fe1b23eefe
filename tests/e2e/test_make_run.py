"""`make run` in a fresh copy with an empty home: what the README promises to somebody who has just cloned it."""

from __future__ import annotations

import os
import re
import shlex
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.fresh_checkout import READY, FreshCheckout, fresh_copy
from tests.support.journal import delivered, reply_to, texts
from tests.support.processes import ROOT, free_port
from tests.support.wait import wait_for

pytestmark = pytest.mark.timeout(150)
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```sh\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
MAKE_RUN = ("make", "-o", "install", "run")  # the environment is there: `install` is not what is tested


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FreshCheckout]:
    """`make run`, up and ready. The tests of this module use it in turn; the last one ends it."""
    tree = fresh_copy(tmp_path_factory.mktemp("clone") / "bossline")
    with FreshCheckout(tree, *MAKE_RUN, PORT=str(free_port())) as running:
        running.wait_for_output(re.escape(READY))
        yield running


def sandbox_url(checkout: FreshCheckout) -> str:
    return f"http://127.0.0.1:{checkout.sandbox_port}"


def test_it_prints_the_webhook_the_page_and_a_line_to_paste(checkout: FreshCheckout) -> None:
    """All three, with the ports that are really used."""
    assert f"{checkout.web_url}/sms/inbound" in checkout.output
    assert checkout.web_url.endswith(checkout.environment["PORT"])
    assert f"{sandbox_url(checkout)}/" in checkout.output
    assert re.search(r"^  curl http\S+/sms/inbound .*Test message", checkout.output, re.MULTILINE)


def test_the_printed_line_is_the_one_in_the_readme(checkout: FreshCheckout) -> None:
    """They differ in nothing but the port."""
    printed = re.search(r"^  (curl .*)$", checkout.output, re.MULTILINE)
    assert printed
    assert printed[1].replace(checkout.web_url, "http://127.0.0.1:8787") in README


def test_the_readme_s_curl_is_answered_at_once_and_replied_to_once(checkout: FreshCheckout) -> None:
    """Empty TwiML for Twilio, and exactly one reply, within 5 s when the machine is idle."""
    block = next(block for block in BLOCKS if block.startswith("curl "))
    command = shlex.split(block.replace("http://127.0.0.1:8787", checkout.web_url))
    answer = checkout.run(*command, "--silent", "--show-error", "--include")
    assert answer.stdout.split()[1] == "200", answer
    assert answer.stdout.endswith('<?xml version="1.0" encoding="UTF-8"?><Response></Response>')
    reply_to(sandbox_url(checkout), "Test message")
    delivered(sandbox_url(checkout), 1)
    assert len([text for text in texts(sandbox_url(checkout)) if "Test message" in text]) == 1


def test_a_curl_whose_plus_became_a_space_works_too(checkout: FreshCheckout) -> None:
    """`-d From=+1...` sends a space; everybody types that."""
    fields = ("-d", "From=+15551234567", "-d", "To=+15559876543", "-d", "Body=Plainly typed")
    assert checkout.run("curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", f"{checkout.web_url}/sms/inbound", *fields).stdout == "200"
    reply_to(sandbox_url(checkout), "Plainly typed")


def test_a_mail_by_simulate_is_answered(checkout: FreshCheckout) -> None:
    """`boss simulate email` posts as SendGrid does, waits, and prints the reply."""
    found = checkout.run(".venv/bin/boss", "simulate", "email", "--body", "Is anybody there?")
    assert found.returncode == 0, found.stdout + found.stderr
    assert "Is anybody there?" in found.stdout


def test_the_bridge_passes_its_five_checks(checkout: FreshCheckout) -> None:
    """`boss check bridge`: connect and authenticate, SMS, e-mail, ping, status; the banner says where the bridge is."""
    found = checkout.run(".venv/bin/boss", "check", "bridge")
    assert found.returncode == 0, found.stdout + found.stderr
    assert len(found.stdout.strip().splitlines()) >= 5
    port = checkout.environment["SUPERVISOR_PORT"]
    assert f"Supervisor WebSocket server listening on 127.0.0.1:{port}" in checkout.output
    assert f"ws://127.0.0.1:{port}" in checkout.output.partition(READY)[2]


def test_chat_answers_a_line_from_a_pipe(checkout: FreshCheckout) -> None:
    """`echo hello | boss chat` prints the reply, and nothing of it goes out by a provider."""
    found = checkout.run("sh", "-c", "echo Said in the terminal | .venv/bin/boss chat")
    assert found.returncode == 0, found.stdout + found.stderr
    assert "Said in the terminal" in found.stdout
    assert not [text for text in texts(sandbox_url(checkout)) if "Said in the terminal" in text]


def test_doctor_finds_nothing_wrong(checkout: FreshCheckout) -> None:
    """A house that has just been started is in order."""
    found = checkout.run(".venv/bin/boss", "doctor")
    assert found.returncode == 0, found.stdout + found.stderr


def test_a_second_make_run_says_which_port_is_taken_and_by_whom(checkout: FreshCheckout) -> None:
    """It names the port, the setting and the earlier Bossline, and leaves the first alone."""
    second = checkout.run(*MAKE_RUN)
    assert second.returncode != 0
    said = second.stdout + second.stderr
    assert f"PORT: port {checkout.environment['PORT']} " in said
    found = re.search(r"process (\d+), `boss web` of an earlier Bossline in (\S+):", said)
    assert found, said
    assert found[2] == str(checkout.tree)
    assert any(line.split()[0] == found[1] for line in checkout.processes())
    assert "Traceback" not in said
    assert not checkout.ended()


def test_ctrl_c_ends_every_process(checkout: FreshCheckout) -> None:
    """Within 10 s nothing is alive that was started: no orphan, no server, no watcher."""
    assert len(checkout.processes()) > 4
    checkout.interrupt()
    checkout.wait(15)
    wait_for(lambda: not checkout.processes(), 5, f"the end of {checkout.processes()}")
    assert "has written everything and ended" in checkout.output
    assert "Traceback" not in checkout.output


def test_what_was_said_is_still_there_at_the_next_start(checkout: FreshCheckout) -> None:
    """The data of the first run is found, and nothing of it is answered a second time."""
    again = FreshCheckout(checkout.tree, *MAKE_RUN, PORT=str(free_port()))
    with again:
        again.wait_for_output(re.escape(READY))
        listed = again.run(".venv/bin/boss", "messages", "list")
        assert listed.returncode == 0, listed.stderr
        assert listed.stdout.count("answered") >= 3
        assert texts(sandbox_url(again)) == []
        again.interrupt(signal.SIGHUP)  # the terminal is closed
        again.wait(15)
        wait_for(lambda: not again.processes(), 15, "the end of everything after the terminal was closed")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGHUP])
def test_a_honcho_that_dies_leaves_nobody_behind(checkout: FreshCheckout, number: signal.Signals) -> None:
    """A signal to it alone: all end by themselves, the server last and with everything written."""
    again = FreshCheckout(checkout.tree, *MAKE_RUN, PORT=str(free_port()))
    with again:
        again.wait_for_output(re.escape(READY))
        os.kill(honcho_of(again), number)
        wait_for(lambda: not again.processes(), 15, "the end of everything")


def test_ctrl_c_under_a_pipe_leaves_nobody_behind(checkout: FreshCheckout) -> None:
    """`make run | tee log`: tee is gone before honcho has said farewell, and honcho's own end is an error."""
    log = checkout.tree / "log"
    piped = FreshCheckout(checkout.tree, "sh", "-c", f"{shlex.join(MAKE_RUN)} | tee {shlex.quote(str(log))}", PORT=str(free_port()))
    with piped:
        wait_for(lambda: log.exists() and READY in log.read_text(), 90, "the banner")
        piped.interrupt()
        wait_for(lambda: not piped.processes(), 15, "the end of everything")


def honcho_of(checkout: FreshCheckout) -> int:
    """Its main process: the one among its kind that is no child of them."""
    pids = {int(line.split()[0]) for line in checkout.processes() if "honcho\0start" in line}
    parents = {pid: int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1]) for pid in pids}
    return next(pid for pid, parent in parents.items() if parent not in pids)


def test_make_knows_every_target_of_the_readme(checkout: FreshCheckout) -> None:
    """And `make run` asks honcho for port 8787 unless told otherwise."""
    for target in set(re.findall(r"^make (\w+)", "\n".join(BLOCKS), re.MULTILINE)):
        assert checkout.run("make", "--dry-run", target).returncode == 0
    assert '-p "${PORT:-8787}"' in checkout.run("make", "--dry-run", "run").stdout


def test_wrong_settings_stop_make_run_with_one_message(checkout: FreshCheckout) -> None:
    """The message lists what is wrong, once, before anything starts."""
    wrong = FreshCheckout(checkout.tree, *MAKE_RUN, LEASE_SECONDS="0", REDIS_URL="nonsense")
    found = wrong.run(*MAKE_RUN)
    assert found.returncode != 0
    assert (found.stdout + found.stderr).count("LEASE_SECONDS") == 1
    assert "honcho" not in found.stdout


@pytest.mark.parametrize("setting", ["SANDBOX_PORT", "SUPERVISOR_PORT"])
def test_a_taken_port_is_named(checkout: FreshCheckout, setting: str) -> None:
    """The message says which setting moves it."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        found = FreshCheckout(checkout.tree, *MAKE_RUN, PORT=str(free_port()), **{setting: port}).run(*MAKE_RUN)
    assert f"{setting}: port {port} " in found.stdout + found.stderr
