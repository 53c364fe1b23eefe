"""Clients of a real bridge and a real worker: the examples of docs/examples as a reader runs them, and `bridge.client.client`.

The bridge is killed, ended and started again under them.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from bridge.client.client import State, SupervisorClient
from bridge.client.connection import Times
from bridge.client.errors import BridgeError
from shared.config.secret_rules import EXAMPLE_TOKEN
from shared.mailbox import ledger
from shared.model.users import LOCAL_USER
from tests.support.bridge import BridgeProcess
from tests.support.installation import Installation, Person
from tests.support.processes import KEPT, ROOT, clean_environment
from tests.support.users_file import BOSS_PHONE

EXAMPLES: Final = ROOT / "docs" / "examples"
NODE: Final = EXAMPLES / "node"
INSTALL: Final = ("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
NPM_SETTINGS: Final = re.compile(r"(?i)npm_config_.*|https?_proxy|no_proxy|node_extra_ca_certs")
"""What a tester's machine needs to reach its registry."""


SOON: Final = Times(first_wait=0.1, longest_wait=0.2)


@pytest.fixture(scope="module")
def installation() -> Iterator[Installation]:
    """Server, sandbox and one worker; the examples' user is one of the users."""
    with Installation(web=False) as running:
        with Path(running.settings["BOSS_USERS_FILE"]).open("a") as users:
            users.write(f'[[users]]\nusername = "user"\nphone = "{LOCAL_USER.phone}"\nboss_phone = "{LOCAL_USER.boss_phone}"\n')
        running.fork()
        yield running


@pytest.fixture(scope="module")
def bridge(installation: Installation) -> BridgeProcess:
    return installation.bridge()


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the Node example with its packages installed, exactly as its lock says."""
    missing = [program for program in ("node", "npm") if shutil.which(program) is None]
    if missing and "REQUIRE_NODE" not in os.environ:
        pytest.skip(f"{' and '.join(missing)} not installed")
    copy = tmp_path_factory.mktemp("node") / "example"
    copy.mkdir()
    for name in ("package.json", "package-lock.json", "bridge-client.mjs"):
        shutil.copy2(NODE / name, copy)
    own = {name: value for name, value in os.environ.items() if name in KEPT or NPM_SETTINGS.fullmatch(name)}
    subprocess.run(INSTALL, cwd=copy, env=own, check=True, timeout=50, stdin=subprocess.DEVNULL)
    return copy


def settings_of(bridge: BridgeProcess) -> dict[str, str]:
    return clean_environment(SUPERVISOR_URL=bridge.url, PYTHONPATH=str(ROOT))


def test_the_python_example_prints_the_reply(bridge: BridgeProcess, tmp_path: Path) -> None:
    """`python docs/examples/bridge_client.py TEXT`: the Boss's answer, and nothing else, on stdout."""
    command = [sys.executable, str(EXAMPLES / "bridge_client.py"), "Hello from Python"]
    found = subprocess.run(command, cwd=tmp_path, env=settings_of(bridge), capture_output=True, text=True, timeout=30, check=False)
    assert (found.returncode, "Hello from Python" in found.stdout) == (0, True), found.stderr


def test_the_node_example_prints_the_reply(bridge: BridgeProcess, example: Path) -> None:
    """Acknowledged first, then answered; it ends by itself."""
    command = ["node", "bridge-client.mjs", "Hello from Node"]
    found = subprocess.run(command, cwd=example, env=settings_of(bridge), capture_output=True, text=True, timeout=30, check=False)
    assert (found.returncode, found.stderr, "Hello from Node" in found.stdout) == (0, "acknowledged\n", True), found.stderr


def test_the_node_example_outlives_the_bridge(installation: Installation, bridge: BridgeProcess, example: Path) -> None:
    """The bridge is killed while the Boss thinks and comes back: the example finds it, and prints the one answer."""
    installation.sandbox.faults(anthropic={"latency_seconds": 2})
    command = ["node", "bridge-client.mjs", "Still there?"]
    with subprocess.Popen(command, cwd=example, env=settings_of(bridge), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as node:
        try:
            assert node.stderr is not None
            assert node.stderr.readline() == "acknowledged\n"
            bridge.kill9()
            bridge.start()
            said, _ = node.communicate(timeout=30)
        finally:
            node.kill()
    assert (node.returncode, "Still there?" in said) == (0, True)
    installation.sandbox.faults(anthropic={"latency_seconds": 0})


def test_the_node_example_gives_up_on_a_wrong_token(bridge: BridgeProcess, example: Path) -> None:
    """One attempt, one sentence, status 1."""
    environment = settings_of(bridge) | {"SUPERVISOR_TOKEN": "wrong"}
    found = subprocess.run(
        ["node", "bridge-client.mjs"], cwd=example, env=environment, capture_output=True, text=True, timeout=20, check=False
    )
    assert (found.returncode, found.stdout, found.stderr) == (1, "", "no answer: bridge_refused\n")


def test_the_lock_names_no_registry() -> None:
    """It is installed from whatever registry its reader uses, and holds the one version that package.json asks for."""
    text = (NODE / "package-lock.json").read_text(encoding="utf-8")
    assert "resolved" not in text
    assert "://" not in text
    wanted = json.loads((NODE / "package.json").read_text(encoding="utf-8"))["dependencies"]
    assert {name: json.loads(text)["packages"][f"node_modules/{name}"]["version"] for name in wanted} == wanted


# The Python client


def test_a_killed_bridge_costs_no_message_and_no_event(installation: Installation, bridge: BridgeProcess) -> None:
    """Each caller of three gets its own reply, each text was one message, and the ledger's reader saw every line of it once."""
    people = [installation.person() for _ in range(3)]
    start = ledger.last_seq(installation.redis)
    seen: list[str] = []

    async def listen(client: SupervisorClient) -> None:
        async for event in client.events(since=start):
            seen.append("resync" if event.resync else event.seq)  # noqa: PERF401 - looked at while it grows

    async def scene() -> None:
        client = SupervisorClient(bridge.url, EXAMPLE_TOKEN, times=SOON)
        told = asyncio.Semaphore(0)
        await client.connect()
        listening = asyncio.create_task(listen(client))
        asking = [asyncio.create_task(ask(client, person, told)) for person in people]
        for _ in people:
            await asyncio.wait_for(told.acquire(), 10)
        bridge.kill9()
        bridge.start()  # on this thread: the process lives as long as the thread that started it
        for person, reply in zip(people, await asyncio.gather(*asking), strict=True):
            assert person.says("hello") in reply
        end = (await asyncio.to_thread(ledger.latest, installation.redis, 1))[0].seq
        async with asyncio.timeout(10):
            while end not in seen:  # noqa: ASYNC110 - what another task fills
                await asyncio.sleep(0.01)
        await client.disconnect()
        await listening

    installation.sandbox.faults(anthropic={"latency_seconds": 1.5})
    asyncio.run(scene())
    installation.sandbox.faults(anthropic={"latency_seconds": 0})
    lines = [line for line in ledger.latest(installation.redis, 1000) if ledger.position(line.seq) > ledger.position(start)]
    assert seen == [line.seq for line in lines][: len(seen)]
    assert sum(line.type == "answered" for line in lines) == len(people)
    assert len({line.fields["msg"] for line in lines if line.fields.get("msg")}) == len(people)


async def ask(client: SupervisorClient, person: Person, told: asyncio.Semaphore) -> str:
    def acknowledged(_frame: object) -> None:
        told.release()

    reply = await client.send_sms_event(person.phone, BOSS_PHONE, person.says("hello"), "u", timeout=30, on_acknowledged=acknowledged)
    return str(reply["message"])


def test_a_bridge_that_ends_and_comes_back_is_found_again(installation: Installation, bridge: BridgeProcess) -> None:
    """After SIGTERM the client waits for the next one; a request made in between is answered by that."""
    person = installation.person()
    states: list[State] = []

    async def scene() -> None:
        client = SupervisorClient(bridge.url, EXAMPLE_TOKEN, times=SOON, on_state=states.append)
        await client.connect()
        assert await asyncio.to_thread(bridge.terminate) == 0
        asking = asyncio.create_task(ask(client, person, asyncio.Semaphore(0)))
        bridge.start()
        assert person.says("hello") in await asking
        assert await client.ping() < 5
        await client.disconnect()

    asyncio.run(scene())
    assert states == ["connected", "lost", "connected"]


def test_what_the_bridge_refuses_has_its_code(installation: Installation, bridge: BridgeProcess) -> None:
    """A stranger, a Boss that is none, an empty text, an id with other words, and a `since` that is none."""
    person, other = installation.person(), installation.person()

    async def code(client: SupervisorClient, sender: str, to: str, text: str, name: str | None = None) -> str:
        with pytest.raises(BridgeError) as caught:
            await client.send_sms_event(sender, to, text, "u", id=name)
        assert not caught.value.retryable
        return caught.value.code

    async def scene() -> None:
        client = SupervisorClient(bridge.url, EXAMPLE_TOKEN, times=SOON)
        await client.connect()
        assert await code(client, "+15550001111", BOSS_PHONE, "x") == "stranger"
        assert await code(client, person.phone, "+15550002222", "x") == "unknown_recipient"
        assert await code(client, person.phone, BOSS_PHONE, "  ") == "bad_field"
        first = await client.send_sms_event(person.phone, BOSS_PHONE, person.says("one"), "u", id="chosen")
        again = await client.send_sms_event(person.phone, BOSS_PHONE, person.says("one"), "u", id="chosen")
        assert first == again
        assert await code(client, other.phone, BOSS_PHONE, "two", "chosen") == "id_reused"
        with pytest.raises(BridgeError, match="bad_field"):
            await anext(client.events(since="nonsense"))
        await client.disconnect()

    asyncio.run(scene())
