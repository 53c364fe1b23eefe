"""The states of one client's requests: queued, being stored, stored, answered (the drawing at the head of the handler)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any, cast

import pytest
from websockets.exceptions import ConnectionClosedOK

from bridge.protocol.frames import message_id
from bridge.protocol.server_session import MessageOutcome, SessionLimits
from bridge.server.handler import Bridge, ClientHandler
from bridge.server.submit import NotTried
from shared.errors import StorageUnavailable
from shared.mailbox.calls import Accepted
from shared.model.addresses import PhoneNumber
from shared.model.events import Received, SendSmsResponse
from shared.model.users import LOCAL_USER, Users

TEXT = {"type": "sms_received", "from": "+15551234567", "to": "+15559876543", "message": "Hello", "user": "ada"}
QUICK = 0.2
"""Seconds until the answer to a request without an id is due, where a test waits for it."""
LONG = 60.0
ACCEPTED = Accepted("accepted")
REPLY = MessageOutcome(SendSmsResponse(to=PhoneNumber("+15551234567"), from_=PhoneNumber("+15559876543"), message="Hi", user="ada"))


class World:
    """A handler with a client, a submitter, a follower and a handover queue that do what the test says."""

    def __init__(self, answer_seconds: float) -> None:
        self.loop = asyncio.get_running_loop()
        self.paused = False
        self.remote_host = "127.0.0.1"
        self.frames: asyncio.Queue[str | None] = asyncio.Queue()
        self.heard: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.stores: asyncio.Queue[asyncio.Future[Accepted]] = asyncio.Queue()
        self.submitted: list[str] = []
        self.handed_over: list[str] = []
        self.queued_handovers: list[str] = []
        self.state = "handed_over"
        self.outcome: MessageOutcome | None = None
        mine = cast("Any", self)
        bridge = Bridge(
            runtime=mine, limits=SessionLimits(answer_seconds=answer_seconds), limiter=mine, token=mine, submitter=mine,
            follower=mine, handovers=mine,
        )  # fmt: skip
        self.handler = ClientHandler(bridge, mine)
        self.users = Users([LOCAL_USER])
        self.settings = self
        self.bridge_auth_seconds = LONG

    # The client's connection

    async def recv(self) -> str:
        """The client's next frame."""
        frame = await self.frames.get()
        if frame is None:
            raise ConnectionClosedOK(None, None)
        return frame

    def send_nowait(self, text: str) -> None:
        """The client hears it."""
        self.heard.put_nowait(json.loads(text))

    # The token and the limiter: everybody may come in

    def delay(self, *_args: object) -> float:
        """No delay."""
        return 0.0

    def verify(self, *_args: object) -> bool:
        """Every token is right."""
        return True

    def add_authenticated(self, *_args: object) -> bool:
        """There is room."""
        return True

    # The submitter

    async def submit(self, make: Callable[[Users], Received], _asked_at: float) -> tuple[Received, Accepted]:
        """The test decides what comes of it."""
        event = make(self.users)
        self.submitted.append(event.id)
        store: asyncio.Future[Accepted] = self.loop.create_future()
        self.stores.put_nowait(store)
        return event, await store

    # The follower

    def add_listener(self, *_args: object) -> None:
        """The test itself tells the handler what has ended."""

    remove_listener = stored = add_listener

    async def outcomes(self, messages: list[str]) -> dict[str, MessageOutcome | None]:
        """The records say what the test says."""
        return dict.fromkeys(messages, self.outcome)

    # The handover queue

    async def hand_over(self, message: str) -> str:
        """The mailbox answers with the message's state."""
        self.handed_over.append(message)
        return self.state

    def add(self, message: str) -> None:
        """Later, that is."""
        self.queued_handovers.append(message)

    # What the test does

    async def say(self, **more: str) -> None:
        """The client sends a text."""
        await self.frames.put(json.dumps(TEXT | more))

    async def hear(self) -> dict[str, Any]:
        """The client's next frame from the bridge."""
        return await asyncio.wait_for(self.heard.get(), 5)

    async def store(self) -> asyncio.Future[Accepted]:
        """The store that began."""
        return await asyncio.wait_for(self.stores.get(), 5)


def play(scene: Callable[[World], Awaitable[None]], answer_seconds: float = LONG) -> None:
    """Play a scene with an authenticated client."""

    async def whole() -> None:
        world = World(answer_seconds)
        serving = asyncio.create_task(world.handler.run())
        await world.frames.put('{"type":"auth","token":"t"}')
        assert (await world.hear())["success"]
        await scene(world)
        await world.frames.put(None)
        await serving

    asyncio.run(whole())


def test_a_message_that_is_stored_after_its_time_is_handed_over() -> None:
    """Its client was told that it failed, so nobody may answer it."""

    async def scene(world: World) -> None:
        await world.say()
        store = await world.store()
        assert (await world.hear())["code"] == "storage_unavailable"
        store.set_result(ACCEPTED)
        await world.say(id="1")  # stored after the other: when its turn has come, the other is over
        await world.store()
        assert world.queued_handovers == world.submitted[:1]

    play(scene, QUICK)


def test_a_request_whose_time_is_over_while_it_is_queued_is_never_stored() -> None:
    """Only the one before it is under way."""

    async def scene(world: World) -> None:
        await world.say()
        await world.say()
        store = await world.store()
        assert [(await world.hear())["code"] for _ in range(2)] == ["storage_unavailable"] * 2
        store.set_result(ACCEPTED)
        await world.say(id="1")
        await world.store()
        assert world.submitted[1:] == [message_id("", "1", "")]

    play(scene, QUICK)


@pytest.mark.parametrize(
    ("error", "frame", "handed_over"),
    [(StorageUnavailable(), {}, True), (NotTried(), {}, False), (StorageUnavailable(), {"id": "1"}, False)],
)
def test_what_may_have_been_stored_is_handed_over(error: StorageUnavailable, frame: dict[str, str], *, handed_over: bool) -> None:
    """Only without an id: with one the client asks again. What was certainly not sent is only rejected."""

    async def scene(world: World) -> None:
        await world.say(**frame)
        (await world.store()).set_exception(error)
        assert (await world.hear())["code"] == "storage_unavailable"
        assert world.queued_handovers == (world.submitted if handed_over else [])

    play(scene)


def test_a_message_without_a_reply_is_handed_over_before_its_answer_is_due() -> None:
    """The acknowledgement says to an old client that it goes on by itself."""

    async def scene(world: World) -> None:
        await world.say()
        (await world.store()).set_result(ACCEPTED)
        assert (await world.hear())["type"] == "message_acknowledged"
        assert world.handed_over == world.submitted

    play(scene, QUICK)


def test_a_reply_that_is_there_is_sent_in_place_of_the_handover() -> None:
    """The mailbox has a reply, whose line is still on its way through the ledger."""

    async def scene(world: World) -> None:
        world.state, world.outcome = "replied", REPLY
        await world.say()
        (await world.store()).set_result(ACCEPTED)
        assert (await world.hear())["message"] == "Hi"

    play(scene, QUICK)


def test_a_message_of_a_client_that_has_left_stays_in_the_mailbox() -> None:
    """It is answered there and kept; nobody hands it over."""

    async def whole() -> None:
        world = World(QUICK)
        serving = asyncio.create_task(world.handler.run())
        await world.frames.put('{"type":"auth","token":"t"}')
        await world.hear()
        await world.say()
        (await world.store()).set_result(ACCEPTED)
        await world.frames.put(None)
        await serving
        due = world.loop.create_future()
        world.loop.call_later(QUICK, due.set_result, None)  # behind the timers of the request, which were set before
        await due
        assert (world.handed_over, world.queued_handovers) == ([], [])
        assert world.heard.empty()

    asyncio.run(whole())


def test_requests_are_stored_one_after_the_other_while_pings_are_answered() -> None:
    """The order in the mailbox is the client's, and the reader waits for nobody."""

    async def scene(world: World) -> None:
        await world.say(id="1")
        await world.say(id="2")
        first = await world.store()
        await world.frames.put('{"type":"ping"}')
        assert (await world.hear())["type"] == "pong"
        assert world.stores.empty()
        first.set_result(ACCEPTED)
        assert (await world.hear())["in_reply_to"] == "1"
        (await world.store()).set_result(ACCEPTED)
        assert (await world.hear())["in_reply_to"] == "2"

    play(scene)
