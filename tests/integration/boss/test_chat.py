"""`boss chat` and `boss check bridge`: against a real bridge and worker, and on a terminal against a bridge that hangs up."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import select
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

import pytest
from click.testing import CliRunner, Result

from boss.commands import chat, check
from boss.main import main
from shared.mailbox import ledger
from tests.support.installation import Installation
from tests.support.processes import clean_environment, free_port
from tests.support.scripted_bridge import Act, Talk, answers, served

Boss = Callable[..., Result]
CHAT: Final = [sys.executable, "-m", "boss.main", "chat"]


@pytest.fixture(scope="module")
def installation() -> Iterator[Installation]:
    """Server, sandbox, a worker and a bridge."""
    with Installation(web=False) as running:
        running.fork()
        running.bridge()
        yield running


@pytest.fixture
def boss(installation: Installation, monkeypatch: pytest.MonkeyPatch) -> Boss:
    """`boss ...` in this process, with that bridge's settings; `said` is what is piped in."""
    for name, value in installation.settings.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(installation.directory)

    def run(*arguments: str, said: str = "", code: int = 0) -> Result:
        result = CliRunner().invoke(main, list(arguments), input=said)
        assert result.exit_code == code, (result.output, result.exception)
        return result

    return run


def test_each_line_of_a_pipe_is_answered_in_turn(boss: Boss, installation: Installation) -> None:
    """Replies alone on stdout, in the order of the lines, the second one after the first; nothing goes out by a provider."""
    result = boss("chat", "--as", installation.person().phone, said="first line\n\nsecond line\n")
    first, second = result.stdout.index("first line"), result.stdout.index("second line")
    assert first < second
    assert "user turns: 2" in result.stdout[second:]
    assert "..." not in result.stdout
    assert result.stderr.count("...") == 2
    assert installation.sandbox.count("twilio.create") == 0


def test_mails_stay_in_one_thread(boss: Boss, installation: Installation) -> None:
    """The first one starts a conversation, the second one is in it, and the reply says which subject it has."""
    before = turns(installation)
    result = boss("chat", "--email", "--subject", "Plans", said="one\ntwo\n")
    assert ("one" in result.stdout, result.stderr.count("subject: Re: Plans")) == (True, 2)
    boss("chat", "--email", said="another thread\n")
    one, two, another = turns(installation)[len(before) :]
    assert one == two != another


def turns(installation: Installation) -> list[str]:
    """The conversations of all turns, in order."""
    return [line.fields["conv"] for line in ledger.latest(installation.redis, 1000) if line.type == "turn_started"]


@pytest.mark.parametrize("who", [lambda person: person.phone, lambda person: person.email.upper(), lambda person: person.tag])
def test_as_speaks_for_another_user(boss: Boss, installation: Installation, who: Callable[..., str]) -> None:
    """By number, mail address or name; the message is in that user's conversation."""
    person = installation.person()
    boss("chat", "--as", who(person), said="it is me\n")
    assert turns(installation)[-1] == installation.conversation(person)


def test_a_stranger_is_not_let_through(boss: Boss, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody of the users file: said at once. A user whom the bridge does not know: its error, status 3."""
    assert "no user of the users file" in boss("chat", "--as", "+15550001111", said="x\n", code=2).stderr
    monkeypatch.setenv("BOSS_USERS_FILE", "")
    assert "not answered: stranger" in boss("chat", "--email", said="x\n", code=3).stderr


def test_what_is_too_large_is_said_and_the_conversation_goes_on(boss: Boss) -> None:
    """The line over the limit is refused here, the next one answered; the worst of them is the status."""
    result = boss("chat", said="x" * 70_000 + "\nshort\n", code=3)
    assert ("too_big" in result.stderr, "short" in result.stdout) == (True, True)


def test_no_bridge_and_a_wrong_token_are_told_apart(boss: Boss, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both end with status 2 and say what to look at; the check says the same, and checks nothing else."""
    monkeypatch.setenv("SUPERVISOR_TOKEN", "another-token-12345")
    assert "SUPERVISOR_TOKEN" in boss("chat", said="x\n", code=2).stderr
    refused = boss("check", "bridge", code=1)
    assert ("fail  connect" in refused.stdout, refused.stdout.count("not checked"), "SUPERVISOR_TOKEN" in refused.stdout) == (True, 4, True)
    assert "another-token" not in refused.output
    for module in (chat, check):
        monkeypatch.setattr(module, "CONNECT_SECONDS", 0.2)
    monkeypatch.setenv("SUPERVISOR_PORT", str(free_port()))
    assert "Is `boss bridge` running" in boss("chat", said="x\n", code=2).stderr
    assert "Is `boss bridge` running" in boss("check", "bridge", code=1).stdout


def test_the_five_checks_pass(boss: Boss) -> None:
    """Connect, SMS, e-mail, ping and status, one line each; as JSON too."""
    lines = boss("check", "bridge").stdout.splitlines()
    assert [line.split()[:2] for line in lines[:-1]] == [["ok", name] for name in check.NAMES]
    assert lines[-1] == "5 ok"
    found = json.loads(boss("check", "bridge", "--json").stdout)
    assert (found["status"], [each["check"] for each in found["checks"]]) == ("ok", list(check.NAMES))


async def takes_only(talk: Talk) -> None:
    """No worker: all is acknowledged, nothing answered."""
    await talk.welcome()
    while True:
        request = await talk.read()
        if request["type"] == "ping":
            await talk.say("pong", in_reply_to=request["id"])
        else:
            await talk.acknowledge(request)


def test_without_a_worker_the_message_is_taken_and_that_is_said(boss: Boss, monkeypatch: pytest.MonkeyPatch) -> None:
    """Chat ends with 1; the check warns, and ends with 0."""
    with served(takes_only) as bridge:
        monkeypatch.setenv("SUPERVISOR_PORT", str(bridge.port))
        assert "taken, but not answered" in boss("chat", "--wait", "0.6", said="x\n", code=1).stderr
        assert boss("check", "bridge", "--wait", "0.6").stdout.count("acknowledged, but not answered within 0.6 s") == 2


# On a terminal


class Terminal:
    """`boss chat` with a terminal of its own, its controlling one, so that Ctrl-C is what it is for a person."""

    def __init__(self, port: int) -> None:
        self._master, slave = pty.openpty()
        self.process = subprocess.Popen(
            CHAT,
            stdin=slave, stdout=slave, stderr=slave, start_new_session=True, preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
            env=clean_environment(SUPERVISOR_PORT=str(port)),
        )  # fmt: skip
        os.close(slave)
        self._seen = ""

    def type(self, text: str) -> None:
        """Keys."""
        os.write(self._master, text.encode())

    def see(self, text: str) -> None:
        """Wait until this stands on the screen, after what was seen before."""
        end = time.monotonic() + 15
        while text not in self._seen:
            ready, _, _ = select.select([self._master], [], [], max(0.0, end - time.monotonic()))
            assert ready, f"waited for {text!r}, saw {self._seen!r}"
            self._seen += os.read(self._master, 4096).decode()
        self._seen = self._seen.partition(text)[2]

    def close(self) -> None:
        """Close the window."""
        self.process.kill()
        self.process.wait(5)
        os.close(self._master)


@contextmanager
def terminal(*acts: Act) -> Iterator[Terminal]:
    with served(*acts) as bridge:
        opened = Terminal(bridge.port)
        try:
            yield opened
        finally:
            opened.close()


async def hangs_up_after_one(talk: Talk) -> None:
    await talk.welcome()
    await talk.reply(await talk.read(), "good day\x1b[2J")
    await talk.close(1012)


def test_a_person_sees_replies_losses_and_the_prompt_again() -> None:
    """Prompt, reply without control characters, the loss and the return; Ctrl-D ends it with 0."""
    with terminal(hangs_up_after_one, answers) as screen:
        screen.see("> ")
        screen.type("hello\n")
        screen.see("good day�[2J")
        screen.see("connection lost; reconnecting")
        screen.see("connected again")
        screen.see("> ")
        screen.type("again\n")
        screen.see("...")
        screen.see("re: again")
        screen.see("> ")
        screen.type("\x04")
        assert screen.process.wait(5) == 0


def test_ctrl_c_ends_a_conversation_cleanly() -> None:
    """While an answer is waited for: status 0, no traceback, at once."""
    with terminal(takes_only) as screen:
        screen.see("> ")
        screen.type("hello\n")
        screen.see("...")
        screen.type("\x03")
        assert screen.process.wait(5) == 0


def test_an_interrupted_pipe_is_no_success() -> None:
    """SIGINT without a terminal, while a line is waited for: 130, as of any program, and nothing else is printed."""
    with served(answers) as bridge:
        environment = clean_environment(SUPERVISOR_PORT=str(bridge.port))
        with subprocess.Popen(
            CHAT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, text=True
        ) as process:
            try:
                assert process.stdin is not None
                assert process.stdout is not None
                assert process.stderr is not None
                process.stdin.write("hello\n")
                process.stdin.flush()
                assert process.stdout.readline() == "re: hello\n"
                process.send_signal(signal.SIGINT)
                assert process.wait(5) == 130
                assert process.stderr.read().strip() == "..."
            finally:
                process.kill()
