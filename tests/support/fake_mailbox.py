"""The mailbox of unit tests: the real clients and the real scripts, over a Redis in this process, whose time the test moves.

Nothing here answers in a script's place. What only a network can do to a call (an error, a lost answer, an answer that comes late, another
process's call in between) happens at the client, where `FakeMailbox` says.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

import pytest
from fakeredis import FakeAsyncRedis, FakeRedis, FakeServer

from shared.mailbox import AsyncMailbox, Mailbox, calls
from shared.mailbox.call import Call
from shared.mailbox.calls import Claim, Sending, SendLimits
from shared.mailbox.records import Attempt, Kind, Message, Reply, Turn
from shared.model.addresses import Identities, PhoneNumber
from shared.model.events import SendSmsResponse, SmsReceived

T = TypeVar("T")
Hook = Callable[[Call[Any]], object]
"""What happens at a call. An awaitable that it returns is awaited."""

START_MS: Final = 1_700_000_000_000
BOSS: Final = PhoneNumber("+15559876543")
USER: Final = PhoneNumber("+15551234567")
"""Both are the local user's (`shared.model.users`)."""
IDENTITIES: Final = Identities(b"x")
PAIR: Final = IDENTITIES.pair(BOSS, USER)
COMMAND: Final = SendSmsResponse(to=USER, from_=BOSS, message="Hi", user="user")
LEASE_MS: Final = 60_000
RETENTION_MS: Final = 86_400_000
LIMITS: Final = SendLimits(15_000, 5_000, RETENTION_MS)
_READS_TIME: Final = ("fakeredis.commands_mixins.server_mixin.time", "fakeredis._socket._base.time")
"""Where fakeredis reads the time: for TIME, and for what expires."""


class ServerClock:
    """The time of every fakeredis server, in ms: it stands still until the test moves it."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.ms = START_MS
        for name in _READS_TIME:
            patch.setattr(name, self)

    def time(self) -> float:
        """The time in seconds, as the module `time` gives it."""
        return self.ms / 1000

    def advance(self, ms: int) -> None:
        """Let time pass; what expires meanwhile is gone."""
        self.ms += ms


class FakeMailbox(AsyncMailbox):
    """A mailbox of its own. `asked` holds the calls that were sent, `answered` those whose answers have arrived, in their order.

    `before` and `after` hold, by the name of a script, what happens before a call of it is sent, and before its answer arrives.
    `replicated`: whether a replica has what is written. `blocking` is the same mailbox for the test itself: nothing of that is recorded.
    """

    def __init__(self) -> None:
        server = FakeServer()
        super().__init__(FakeAsyncRedis(server=server, protocol=2), _Commands(self))
        self.blocking = Mailbox(FakeRedis(server=server, protocol=2))
        self.asked: list[Call[Any]] = []
        self.answered: list[Call[Any]] = []
        self.before: dict[str, Hook] = {}
        self.after: dict[str, Hook] = {}
        self.replicated = True
        self._lost: dict[str, Hook] = {}

    async def run(self, call: Call[T]) -> T:
        """Send the call, and record it."""
        self.asked.append(call)
        await _happens(self.before, call)
        if call.name in self._lost:
            await super().run(call)
            await _happens({call.name: self._lost.pop(call.name)}, call)
        result = await super().run(call)
        await _happens(self.after, call)
        self.answered.append(call)
        return result

    def lose_answer(self, script: str, meanwhile: Hook) -> None:
        """The next answer of `script` is lost: after `meanwhile` the call is sent once more, as redis-py does after a timeout."""
        self._lost[script] = meanwhile

    def names(self) -> list[str]:
        """The scripts that were asked."""
        return [call.name for call in self.asked]

    def calls_of(self, script: str) -> list[Mapping[str, Any]]:
        """The arguments of the calls of one script."""
        return [call.args for call in self.asked if call.name == script]


class _Commands:
    """Sends commands by the client of a FakeMailbox, and says that a replica has them as long as that one's test does."""

    def __init__(self, mailbox: FakeMailbox) -> None:
        self._mailbox = mailbox

    async def execute_command(self, *args: Any) -> Any:
        return await self._mailbox.redis.execute_command(*args)  # type: ignore[no-untyped-call]

    async def execute_confirmed(self, *args: Any) -> tuple[Any, bool]:
        return await self.execute_command(*args), self._mailbox.replicated


async def _happens(hooks: Mapping[str, Hook], call: Call[Any]) -> None:
    if (hook := hooks.get(call.name)) is not None and inspect.isawaitable(going_on := hook(call)):
        await going_on


class Conversation:
    """A conversation by text with the local user, and what others do in it: its webhook, its workers, its user, its provider.

    A claim with the token `k-1` makes the turn `t-1`, whose reply is `r-1`, unless it resumes one. `token` and `claimed` are of the last
    claim.
    """

    def __init__(self, clock: ServerClock, mailbox: FakeMailbox | None = None, name: str = "c-1") -> None:
        self.id = name
        self.clock = clock
        self.mailbox = mailbox or FakeMailbox()
        self.token = ""
        self.claimed = Claim("empty")

    @property
    def turn(self) -> Turn:
        """The turn of the last claim."""
        assert self.claimed.turn is not None
        return self.claimed.turn

    @property
    def reply_id(self) -> str:
        """The reply of that turn."""
        return self.turn.reply_id

    def run(self, call: Call[T]) -> T:
        """One call by somebody else than the code under test."""
        return self.mailbox.blocking.run(call)

    def accept(self, message: str = "m-1", kind: Kind = "text") -> None:
        """A message comes in."""
        event = SmsReceived(id=message, from_=USER, to=BOSS, user="user", message="Hello", provider_id=f"SM-{message}")
        call = calls.accept(event, kind=kind, conversation=self.id, sender=f"s-{self.id}", pair=PAIR)
        assert self.run(call).outcome == "accepted"

    def claim(self, token: str) -> Claim:
        """A worker takes the lease."""
        self.token = token
        self.claimed = self.run(calls.claim(self.id, token, token.replace("k-", "t-", 1), lease_ms=LEASE_MS, jitter=0))
        assert self.claimed.outcome == "taken"
        return self.claimed

    def lose_lease(self) -> None:
        """The lease ends, and another worker takes it."""
        self.clock.advance(LEASE_MS + 1)
        assert self.run(calls.claim(self.id, "k-other", "t-other", lease_ms=LEASE_MS, jitter=0)).outcome == "taken"

    def back_off(self) -> None:
        """The holder gives the lease up, and the conversation is due at once."""
        assert self.run(calls.backoff(self.id, self.token, 0, "test", counted=False)).outcome == "more"

    def store_reply(self) -> None:
        """The holder stores the turn's reply."""
        assert self.run(calls.store_reply(self.id, self.token, self.turn, COMMAND, limits=LIMITS)).outcome == "stored"

    def attempt(self, attempt: str = "a-1") -> Sending:
        """The holder gets a permit for a request, and the attempt is stored."""
        given = self.run(calls.sending(self.id, self.token, self.reply_id, attempt, limits=LIMITS))
        assert given.outcome == "ok"
        return given

    def accepted(self, attempt: str = "a-1", provider_id: str = "SM0") -> None:
        """The provider accepted an attempt, and that is recorded by one who does not hold the lease."""
        self.run(calls.outcome(self.reply_id, attempt, "accepted", provider_id=provider_id, retention_ms=RETENTION_MS))

    def refused(self, attempt: str = "a-1") -> None:
        """The provider refused an attempt."""
        self.run(calls.outcome(self.reply_id, attempt, "refused", code="21617", retention_ms=RETENTION_MS))

    def looked_up(self, attempt: str = "a-1", *, again_ms: int) -> None:
        """A look-up did not show an attempt; 0 for `again_ms` makes it absent."""
        self.run(calls.not_found(self.reply_id, attempt, asked_ms=self.clock.ms, again_ms=again_ms, retention_ms=RETENTION_MS))

    def reported(self, attempt: str = "a-1", provider_id: str = "SM0") -> None:
        """A delivery report comes: the message of an attempt was delivered."""
        self.run(calls.status(provider_id, "delivered", reply=self.reply_id, attempt=attempt, retention_ms=RETENTION_MS))

    @property
    def reply(self) -> Reply:
        """The reply's record."""
        found = self.mailbox.blocking.reply(self.reply_id)
        assert found is not None
        return found

    @property
    def attempts(self) -> tuple[Attempt, ...]:
        """The reply's attempts, oldest first."""
        return self.reply.attempts

    def message(self, name: str = "m-1") -> Message:
        """A message's record."""
        found = self.mailbox.blocking.message(name)
        assert found is not None
        return found
