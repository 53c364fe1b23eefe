"""The Python client and the real bridge, which is killed, ended and started again under it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Final

import pytest

from shared import ledger
from shared.bridge.client import State, SupervisorClient
from shared.bridge.errors import BridgeError
from shared.bridge.session import Times
from shared.settings import EXAMPLE_TOKEN
from tests.support.bridge import BridgeProcess
from tests.support.whole import BOSS_PHONE, Person, Whole

SOON: Final = Times(first_wait=0.1, longest_wait=0.2)


@pytest.fixture(scope="module")
def whole() -> Iterator[Whole]:
    """Server, sandbox and a worker."""
    with Whole(web=False) as running:
        running.fork()
        yield running


@pytest.fixture(scope="module")
def bridge(whole: Whole) -> BridgeProcess:
    return whole.bridge()


def test_a_killed_bridge_costs_no_message_and_no_event(whole: Whole, bridge: BridgeProcess) -> None:
    """Each caller of three gets its own reply, each text was one message, and the ledger's reader saw every line of it once."""
    people = [whole.person() for _ in range(3)]
    start = ledger.last_seq(whole.redis)
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
        end = (await asyncio.to_thread(ledger.latest, whole.redis, 1))[0].seq
        async with asyncio.timeout(10):
            while end not in seen:  # noqa: ASYNC110 - what another task fills
                await asyncio.sleep(0.01)
        await client.disconnect()
        await listening

    whole.sandbox.knobs(anthropic={"latency_seconds": 1.5})
    asyncio.run(scene())
    whole.sandbox.knobs(anthropic={"latency_seconds": 0})
    lines = [line for line in ledger.latest(whole.redis, 1000) if ledger.position(line.seq) > ledger.position(start)]
    assert seen == [line.seq for line in lines][: len(seen)]
    assert sum(line.type == "answered" for line in lines) == len(people)
    assert len({line.fields["msg"] for line in lines if line.fields.get("msg")}) == len(people)


async def ask(client: SupervisorClient, person: Person, told: asyncio.Semaphore) -> str:
    def acknowledged(_frame: object) -> None:
        told.release()

    reply = await client.send_sms_event(person.phone, BOSS_PHONE, person.says("hello"), "u", timeout=30, on_acknowledged=acknowledged)
    return str(reply["message"])


def test_a_bridge_that_ends_and_comes_back_is_found_again(whole: Whole, bridge: BridgeProcess) -> None:
    """After SIGTERM the client waits for the next one; a request made in between is answered by that."""
    person = whole.person()
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


def test_what_the_bridge_refuses_has_its_code(whole: Whole, bridge: BridgeProcess) -> None:
    """A stranger, a Boss that is none, an empty text, an id with other words, and a `since` that is none."""
    person, other = whole.person(), whole.person()

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
