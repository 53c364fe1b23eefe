"""A yes by every way that it can take: from the spool, delivered again, and over the bridge, where the client hears what came of it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import pytest

from bridge.client.client import SupervisorClient
from shared.config.secret_rules import EXAMPLE_TOKEN
from shared.model.words import said
from tests.chaos.approved_calls import APPROVED, TOOL, Approved
from tests.chaos.tool_turns import OK, SERVER, Desk
from tests.support.bridge import BridgeProcess
from tests.support.installation import Installation, Person
from tests.support.users_file import BOSS_PHONE
from tests.support.wait import wait_for

CODE: Final = re.compile(r"YES (\d{4})")
DONE: Final = said("outside_done", "en", tool=TOOL, server=SERVER)
COPIES: Final = 5


@pytest.fixture(scope="module")
def desk() -> Iterator[Desk]:
    with Desk().serving() as serving:
        yield serving


@pytest.fixture(scope="module")
def installation(desk: Desk, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    path = tmp_path_factory.mktemp("mcp") / "servers.toml"
    path.write_text(desk.toml)
    with Installation(BOSS_MCP_FILE=str(path)) as running:
        desk.accept(running.redis)
        running.fork()
        yield running


@pytest.fixture(scope="module")
def bridge(installation: Installation) -> BridgeProcess:
    return installation.bridge()


@pytest.fixture
def asked(installation: Installation) -> Approved:
    """Somebody whose wish needs a yes."""
    found = Approved(APPROVED[0], installation.person())
    installation.sandbox.script(*found.answers)
    return found


def code_for(installation: Installation, asked: Approved) -> str:
    """They have asked by text; the code of the question."""
    assert installation.text(asked.person, "go")["status"] == OK
    (question, *_) = installation.wait_for_replies(asked.person)
    code = CODE.search(question["request"]["body"])
    assert code
    installation.quiet()
    return code[1]


def told(installation: Installation, person: Person) -> list[str]:
    """What they were texted after the question."""
    return [entry["request"]["body"] for entry in installation.replies(person)][1:]


def check(installation: Installation, desk: Desk, asked: Approved) -> None:
    """The yes was taken once, the call made once, and both were said once."""
    installation.wait_for_replies(asked.person, 3)
    installation.quiet()
    first, *others = told(installation, asked.person)
    assert first == said("approval_yes", "en")
    assert [text.startswith(DONE) for text in others] == [True]
    assert desk.made[asked.text] == 1


def test_a_yes_that_comes_while_redis_is_away_waits_on_disk_and_counts(installation: Installation, desk: Desk, asked: Approved) -> None:
    """It goes the way of any text: kept, acknowledged to the provider, handed on."""
    code = code_for(installation, asked)
    installation.server.kill9()
    assert installation.sandbox.send_sms(f"YES {code}", from_=asked.person.phone, to=BOSS_PHONE)["status"] == OK
    installation.server.start()
    check(installation, desk, asked)


def test_a_yes_that_is_delivered_again_and_again_counts_once(installation: Installation, desk: Desk, asked: Approved) -> None:
    """Five times at once, and once more when it has been carried out."""
    code, sid = code_for(installation, asked), "SM" + f"{int(asked.person.phone[1:]):032x}"

    def deliver(_number: int) -> int:
        answer = installation.sandbox.send_sms(f"YES {code}", from_=asked.person.phone, to=BOSS_PHONE, message_sid=sid)
        return int(answer["status"])

    with ThreadPoolExecutor(COPIES) as pool:
        assert list(pool.map(deliver, range(COPIES))) == [OK] * COPIES
    check(installation, desk, asked)
    assert deliver(0) == OK
    check(installation, desk, asked)


@pytest.mark.parametrize("leaves", [False, True])
def test_a_client_of_the_bridge_hears_what_came_of_its_yes(
    installation: Installation, bridge: BridgeProcess, desk: Desk, asked: Approved, *, leaves: bool
) -> None:
    """As the answer to the yes, also where it was away meanwhile and asks again under the same id. No phone gets any of it."""
    person = asked.person

    async def say(client: SupervisorClient, text: str, name: str) -> str:
        frame = await client.send_sms_event(person.phone, BOSS_PHONE, text, person.tag, id=name, timeout=20)
        return str(frame["message"])

    async def session() -> tuple[str, str]:
        client = SupervisorClient(bridge.url, EXAMPLE_TOKEN)
        await client.connect()
        question = await say(client, person.says("go"), f"go-{leaves}")
        code = CODE.search(question)
        assert code, question
        yes = asyncio.create_task(say(client, f"YES {code[1]}", f"yes-{leaves}"))
        if leaves:
            await asyncio.to_thread(wait_for, lambda: desk.made[asked.text], 15, "the call")
            await client.disconnect()
            await asyncio.gather(yes, return_exceptions=True)
            client = SupervisorClient(bridge.url, EXAMPLE_TOKEN)
            await client.connect()
            yes = asyncio.create_task(say(client, f"YES {code[1]}", f"yes-{leaves}"))
        heard = await yes
        await client.disconnect()
        return question, heard

    question, heard = asyncio.run(session())
    assert heard.startswith(DONE), heard
    assert person.words(question) + person.words(heard) == ["asked", "made"]
    installation.quiet()
    assert desk.made[asked.text] == 1
    sent: list[Any] = installation.replies(person)
    assert sent == []
