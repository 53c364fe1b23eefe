"""The sending loop against a mailbox that says what the test wants: every verdict, and what may never follow from it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, cast

import pytest

from shared import settings as settings_module
from shared import users
from shared.addresses import Identities, PhoneNumber
from shared.errors import LeaseLost, OutcomeUnknown, ProviderRefused, ProviderUnavailable
from shared.events import Response, SendSmsResponse
from shared.mailbox.types import Attempt, Call, Claim, Outcome, Reply, ReplyState, Sending
from supervisor_worker.delivery import Delivered, Delivery
from supervisor_worker.lease import Lease
from supervisor_worker.supervisor import Supervisor

COMMAND = SendSmsResponse(to=PhoneNumber("+15551234567"), from_=PhoneNumber("+15559876543"), message="Hi", user="ada")
OK = Sending("ok", Attempt("a-new", 0))
STORED = Outcome(ReplyState.STORED, decided=True)


class Mailbox:
    """Answers each script from a list (the last one for ever) and remembers what was asked."""

    def __init__(self, **answers: list[Any]) -> None:
        self.answers: dict[str, list[Any]] = {"renew": [1], "outcome": [STORED], **answers}
        self.asked: list[tuple[Any, ...]] = []
        self.elsewhere: set[str] = set()
        self.record: Reply | None = None

    async def run(self, call: Call[Any]) -> Any:
        """The script's next answer."""
        self.asked.append((call.name, *call.args))
        queue = self.answers[call.name]
        answer = queue.pop(0) if len(queue) > 1 else queue[0]
        if callable(answer):
            answer = await answer()
        return answer

    async def reply(self, reply_id: str) -> Reply | None:
        """The record."""
        del reply_id
        return self.record

    async def known_elsewhere(self, provider_ids: list[str], reply_id: str) -> set[str]:
        """Those of other replies."""
        del reply_id
        return self.elsewhere & set(provider_ids)

    def scripts(self, name: str) -> list[tuple[Any, ...]]:
        """What was asked of one script."""
        return [asked for asked in self.asked if asked[0] == name]


class Channel:
    """Sends what the test wants sent."""

    def __init__(self, *results: str | Exception, found: list[str] | Exception | None = None) -> None:
        self.results = list(results)
        self.found = found
        self.sent = 0
        self.listed = 0

    async def send(self, command: Response, reply_id: str, attempt_id: str) -> str:
        """The next result."""
        del command, reply_id, attempt_id
        self.sent += 1
        result = self.results.pop(0)
        if isinstance(result, Exception):
            raise result
        return result

    async def find(self, command: Response, attempt: Attempt) -> list[str] | None:
        """What the list shows."""
        del command, attempt
        self.listed += 1
        if isinstance(self.found, Exception):
            raise self.found
        return self.found

    async def aclose(self) -> None:
        """Nothing is open."""


def deliver(
    mailbox: Mailbox, channel: Channel, *, now_ms: int = 10**9, expired: bool = False, **prepare: Callable[[Supervisor], None]
) -> Delivered:
    """One delivery; `now_ms` is the server's time, attempts of the tests are at 0 unless they say otherwise."""

    async def scenario() -> Delivered:
        settings = settings_module.load(sandbox="on")
        typed = cast("Any", mailbox)
        nothing = cast("Any", None)
        supervisor = Supervisor(settings, users.load(None), Identities(b"x"), typed, nothing, {"sms": channel}, asyncio.Event(), nothing)
        for step in prepare.values():
            step(supervisor)
        lease = Lease(typed, "c-1", "k-1", Claim("taken", 0, now_ms), 60_000)
        return await Delivery(supervisor, lease, "r-1", COMMAND, expired=lambda: expired).deliver()

    return asyncio.run(scenario())


def test_an_accepted_request_is_recorded_with_the_providers_id() -> None:
    """And nothing else is asked."""
    mailbox, channel = Mailbox(sending=[OK]), Channel("SM1")
    assert deliver(mailbox, channel) == Delivered("sent")
    ((_, reply, _, result, provider_id, *_),) = mailbox.scripts("outcome")
    assert (reply, result, provider_id) == ("r-1", "accepted", "SM1")


@pytest.mark.parametrize(
    ("verdict", "ended"),
    [
        (Sending("sent"), Delivered("sent")),
        (Sending("lost"), Delivered("lost")),
        (Sending("opted_out", more=True), Delivered("closed", more=True)),
        (Sending("paused", more=True), Delivered("closed", more=False)),
    ],
)
def test_without_leave_nothing_is_sent(verdict: Sending, ended: Delivered) -> None:
    """Sent already, lost, opted out, paused: a paused conversation is not woken either."""
    channel = Channel()
    assert deliver(Mailbox(sending=[verdict]), channel) == ended
    assert channel.sent == 0


def test_a_short_lease_is_renewed_once() -> None:
    """Then asked again; a lease that is lost ends it, and one that stays short waits."""
    mailbox, channel = Mailbox(sending=[Sending("short"), OK]), Channel("SM1")
    assert deliver(mailbox, channel) == Delivered("sent")
    assert len(mailbox.scripts("renew")) == 1

    lost = Mailbox(sending=[Sending("short")], renew=[0])
    assert deliver(lost, Channel()) == Delivered("lost")
    still = Mailbox(sending=[Sending("short")])
    assert deliver(still, Channel()).outcome == "wait"
    assert len(still.scripts("renew")) == 1


def test_nothing_is_looked_up_before_its_time() -> None:
    """Not before the attempt's time, the send timeout and the margin: 20 s at the defaults."""
    mailbox, channel = Mailbox(sending=[Sending("look_up", Attempt("a-1", 1_000))]), Channel(found=[])
    ended = deliver(mailbox, channel, now_ms=20_900)
    assert ended.outcome == "wait"
    assert 50 <= ended.wait_ms <= 100
    assert (channel.listed, channel.sent) == (0, 0)


def test_an_unknown_outcome_is_left_unresolved_and_waits_for_its_look_up() -> None:
    """No outcome is recorded and no second request is made."""
    for failure in (OutcomeUnknown("twilio", "no_answer"), TimeoutError(), ValueError("a fault of ours")):
        mailbox = Mailbox(sending=[Sending("ok", Attempt("a-1", 10**9))])
        channel = Channel(failure)
        ended = deliver(mailbox, channel)
        assert ended.outcome == "wait"
        assert 19_000 < ended.wait_ms <= 20_000
        assert channel.sent == 1
        assert not mailbox.scripts("outcome")


def test_what_the_list_shows_is_accepted_unless_it_is_another_replys() -> None:
    """The oldest id that nobody else owns."""
    look_up = Sending("look_up", Attempt("a-1", 0))
    mailbox = Mailbox(sending=[look_up, Sending("sent")])
    mailbox.elsewhere = {"SM1"}
    assert deliver(mailbox, Channel(found=["SM1", "SM2", "SM3"])) == Delivered("sent")
    assert mailbox.scripts("outcome")[0][1:5] == ("r-1", "a-1", "accepted", "SM2")

    absent = Mailbox(sending=[look_up, OK])
    absent.elsewhere = {"SM1"}
    channel = Channel("SM9", found=["SM1"])
    assert deliver(absent, channel) == Delivered("sent")
    assert [asked[3] for asked in absent.scripts("outcome")] == ["absent", "accepted"]


def test_after_a_look_up_nothing_is_sent_again_when_it_is_too_late() -> None:
    """An outage of an hour: resolved, and parked by the turn."""
    mailbox, channel = Mailbox(sending=[Sending("look_up", Attempt("a-1", 0))]), Channel(found=[])
    assert deliver(mailbox, channel, expired=True) == Delivered("absent")
    assert channel.sent == 0


def test_a_list_without_an_answer_resolves_nothing() -> None:
    """The error goes to the turn, and no outcome is recorded."""
    mailbox = Mailbox(sending=[Sending("look_up", Attempt("a-1", 0))])
    with pytest.raises(ProviderUnavailable):
        deliver(mailbox, Channel(found=ProviderUnavailable("twilio", "503")))
    assert not mailbox.scripts("outcome")


def test_mail_waits_for_its_event_in_steps() -> None:
    """Without a list: not absent before EMAIL_EVENT_WAIT_SECONDS, and looked at again every 10 s."""
    look_up = Sending("look_up", Attempt("a-1", 0))
    early = Mailbox(sending=[look_up])
    assert deliver(early, Channel(found=None), now_ms=60_000) == Delivered("wait", wait_ms=10_000, reason="event_awaited")
    assert not early.scripts("outcome")
    late = Mailbox(sending=[look_up, OK])
    assert deliver(late, Channel("", found=None), now_ms=120_001) == Delivered("sent")
    assert late.scripts("outcome")[0][3] == "absent"


def test_a_refusal_that_decides_nothing_tells_the_user_nothing() -> None:
    """An earlier attempt may have been taken after all."""
    for decided in (True, False):
        mailbox = Mailbox(sending=[OK], outcome=[Outcome(ReplyState.STORED, decided=decided)])
        with pytest.raises(ProviderRefused) as caught:
            deliver(mailbox, Channel(ProviderRefused("twilio", "21617")))
        assert bool(caught.value.sentence) is decided
        assert mailbox.scripts("outcome")[0][3] == "refused"


def test_a_refusal_of_a_reply_that_was_taken_before_ends_well() -> None:
    """One accepted attempt makes the reply sent for good."""
    mailbox = Mailbox(sending=[OK], outcome=[Outcome(ReplyState.DELIVERED)])
    assert deliver(mailbox, Channel(ProviderRefused("twilio", "21617"))) == Delivered("sent")


def test_leave_that_came_late_is_not_used() -> None:
    """The attempt's time runs from the first asking; a request after that could outlive what others count on."""

    async def slow() -> Sending:
        await asyncio.sleep(0.03)
        return OK

    mailbox, channel = Mailbox(sending=[slow]), Channel("SM1")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Supervisor, "margin_ms", property(lambda _: 10))
        with pytest.raises(ProviderUnavailable):
            deliver(mailbox, channel)
    assert channel.sent == 0
    assert mailbox.scripts("outcome")[0][3] == "refused"


def test_a_process_that_ends_begins_no_request() -> None:
    """Not even the asking for leave."""
    mailbox = Mailbox(sending=[OK])
    ended = deliver(mailbox, Channel("SM1"), stop=lambda supervisor: supervisor.stopping.set())
    assert ended == Delivered("wait", reason="shutdown")
    assert not mailbox.scripts("sending")


def test_work_ends_with_the_lease() -> None:
    """A lost lease cancels what runs under it; renewing begins by itself."""

    async def scenario() -> None:
        mailbox = cast("Any", Mailbox(renew=[1, 0]))
        cancelled = asyncio.Event()

        async def work() -> None:
            try:
                await asyncio.sleep(5)
            finally:
                cancelled.set()

        async with Lease(mailbox, "c-1", "k-1", Claim("taken", 0, 0), 40) as lease:
            with pytest.raises(LeaseLost):
                await asyncio.wait_for(lease.hold(work()), 2)
        assert cancelled.is_set()

    asyncio.run(scenario())
