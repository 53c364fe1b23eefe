"""The delivery of a reply against the real scripts: every verdict on a permit, and what may never follow from it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any, cast

import pytest

from shared.config.loading import load_settings
from shared.errors import CredentialsRefused, LeaseLost, LimitReached, OutcomeUnknown, ProviderError, ProviderRefused, ProviderUnavailable
from shared.mailbox import calls, keys
from shared.mailbox.records import Attempt, MessageState, ReplyState
from shared.model import users_file
from shared.model.events import Response
from shared.model.users import Users
from supervisor_worker.channels.port import ListedMessage
from supervisor_worker.providers.http_pool import PermitExpired
from supervisor_worker.providers.retry_budget import RetryBudget
from supervisor_worker.turns import delivery
from supervisor_worker.turns.context import TurnContext
from supervisor_worker.turns.delivery import Delivery
from supervisor_worker.turns.delivery_result import DeliveryResult
from supervisor_worker.turns.lease import Lease
from tests.support.fake_mailbox import COMMAND, IDENTITIES, LEASE_MS, PAIR, START_MS, Conversation, ServerClock

SENT = DeliveryResult("closed")
"""A request was accepted, and its recording finished the turn; nothing else waits."""


class Channel:
    """Sends what the test wants sent. `meanwhile` happens while the provider is asked."""

    def __init__(
        self, *results: str | Exception, found: list[ListedMessage] | Exception | None = None, meanwhile: Callable[[], None] = lambda: None
    ) -> None:
        self.results = list(results)
        self.found = found
        self.meanwhile = meanwhile
        self.away: Exception | None = None
        self.sent = 0
        self.listed = 0

    async def send(self, command: Response, reply_id: str, attempt_id: str, pair: str) -> str:
        """The next result."""
        del command, reply_id, attempt_id, pair
        self.sent += 1
        self.meanwhile()
        result = self.results.pop(0)
        if isinstance(result, Exception):
            raise result
        return result

    async def find(self, command: Response, attempt: Attempt) -> list[ListedMessage] | None:
        """What the list shows."""
        del command, attempt
        self.listed += 1
        self.meanwhile()
        if isinstance(self.found, Exception):
            raise self.found
        return self.found

    async def ready(self, command: Response) -> None:
        """Takes requests, unless it is away."""
        del command
        if self.away is not None:
            raise self.away

    async def newest(self) -> list[ListedMessage] | None:
        """Nothing newer than what is looked for."""
        return None if self.found is None else []

    async def aclose(self) -> None:
        """Nothing is open."""


def listed(*names: str) -> list[ListedMessage]:
    """Messages of the time of the tests' first attempts."""
    return [ListedMessage(name, START_MS) for name in names]


def stored(clock: ServerClock) -> Conversation:
    """The reply is stored, and the lease is ours."""
    talk = Conversation(clock)
    talk.accept()
    talk.claim("k-1")
    talk.store_reply()
    return talk


def left_pending(clock: ServerClock, *, ago_ms: int, looked_ago_ms: int = 0) -> Conversation:
    """A first attempt got no answer so long ago; the lease was given up, and is ours again. A first look-up may not have shown it."""
    talk = stored(clock)
    talk.attempt("a-1")
    talk.back_off()
    clock.advance(ago_ms - looked_ago_ms)
    if looked_ago_ms:
        talk.looked_up("a-1", again_ms=10_000)
        clock.advance(looked_ago_ms)
    talk.claim("k-2")
    return talk


def left_absent(clock: ServerClock, *attempts: str) -> Conversation:
    """Attempts that no look-up found."""
    talk = stored(clock)
    for attempt in attempts:
        talk.attempt(attempt)
        talk.looked_up(attempt, again_ms=0)
    return talk


def left_refused(clock: ServerClock) -> Conversation:
    """A first attempt was refused: the next one is a retry."""
    talk = stored(clock)
    talk.attempt("a-1")
    talk.refused("a-1")
    return talk


def deliver(
    talk: Conversation, channel: Channel, *, expired: bool = False, tried: bool = False, unknown: str = "send",
    theirs: Callable[[], bool] = lambda: True, people: Any = None,
    **prepare: Callable[[TurnContext], None],
) -> DeliveryResult:  # fmt: skip
    """One delivery by the holder of the lease."""

    async def scenario() -> DeliveryResult:
        settings = load_settings(sandbox="on", unknown_outcome=unknown)
        nothing = cast("Any", None)
        context = TurnContext(
            settings, users_file.load_users(None), IDENTITIES, talk.mailbox, nothing, {"sms": channel}, asyncio.Event(), nothing,
            people=people,
        )  # fmt: skip
        for step in prepare.values():
            step(context)
        lease = Lease(talk.mailbox, talk.id, talk.token, talk.claimed, LEASE_MS)
        return await Delivery(context, lease, talk.reply_id, COMMAND, expired=lambda: expired, theirs=theirs, tried=tried).deliver()

    return asyncio.run(scenario())


def test_an_accepted_request_is_recorded_with_the_providers_id(clock: ServerClock) -> None:
    """And nothing else is asked."""
    talk, channel = stored(clock), Channel("SM1")
    assert deliver(talk, channel) == SENT
    assert talk.mailbox.names() == ["sending", "outcome"]
    (attempt,) = talk.attempts
    assert (talk.reply.state, attempt.outcome, attempt.provider_id) == (ReplyState.SENT, "accepted", "SM1")
    assert talk.message().state == MessageState.ANSWERED


def sent_already(talk: Conversation) -> None:
    """A report said that an earlier attempt was taken."""
    talk.attempt("a-1")
    talk.reported("a-1")


def opted_out(talk: Conversation) -> None:
    """The user said STOP after one more message."""
    talk.accept("m-2")
    talk.run(calls.opt_out(PAIR, out=True))


def paused(talk: Conversation) -> None:
    """An operator paused all sending."""
    talk.run(calls.pause("test"))


@pytest.mark.parametrize(
    ("happened", "ended"),
    [
        (sent_already, DeliveryResult("sent")),
        (Conversation.lose_lease, DeliveryResult("permit_lost")),
        (opted_out, DeliveryResult("closed", more=True)),
        (paused, DeliveryResult("closed", more=False)),
    ],
)
def test_without_a_permit_nothing_is_sent(clock: ServerClock, happened: Callable[[Conversation], None], ended: DeliveryResult) -> None:
    """Sent already, lost, opted out, paused: a paused conversation is not woken either."""
    talk, channel = stored(clock), Channel()
    happened(talk)
    assert deliver(talk, channel) == ended
    assert channel.sent == 0


def test_nothing_is_sent_for_an_attempt_that_no_replica_has(clock: ServerClock) -> None:
    """A new master would not know of it, and send a second copy: the attempt is recorded as not made, and Redis's outage waited out."""
    talk, channel = stored(clock), Channel()
    talk.mailbox.replicated = False
    with pytest.raises(ProviderUnavailable) as caught:
        deliver(talk, channel)
    assert (caught.value.provider, caught.value.code, channel.sent) == ("redis", "not_replicated", 0)
    assert [(attempt.outcome, attempt.code) for attempt in talk.attempts] == [("refused", "not_replicated")]


def test_a_short_lease_is_renewed_once(clock: ServerClock) -> None:
    """Then asked again; a lease that is lost ends it, and one that stays short waits."""
    talk, channel = stored(clock), Channel("SM1")
    clock.advance(LEASE_MS - 15_000)
    assert deliver(talk, channel) == SENT
    assert talk.mailbox.names() == ["sending", "renew", "sending", "outcome"]

    lost = stored(clock)
    clock.advance(LEASE_MS - 15_000)
    lost.mailbox.before["renew"] = lambda _: lost.lose_lease()
    assert deliver(lost, Channel()) == DeliveryResult("lease_lost")

    still = stored(clock)
    clock.advance(LEASE_MS - 15_000)
    still.mailbox.after["renew"] = lambda _: clock.advance(LEASE_MS - 15_000)  # the process stands still once more
    assert deliver(still, Channel()) == DeliveryResult("wait", reason="lease_too_short")
    assert still.mailbox.names() == ["sending", "renew", "sending"]


def test_nothing_is_looked_up_before_its_time(clock: ServerClock) -> None:
    """Not before the attempt's time, the send timeout and the margin: 20 s at the defaults."""
    talk, channel = left_pending(clock, ago_ms=15_000), Channel(found=[])
    ended = deliver(talk, channel)
    assert (ended.outcome, 4_000 < ended.wait_ms <= 5_000) == ("wait", True)
    assert (channel.listed, channel.sent) == (0, 0)


def test_an_unknown_outcome_is_left_unresolved_and_waits_for_its_look_up(clock: ServerClock) -> None:
    """Only why there was no answer is recorded, and no second request is made."""
    for failure in (OutcomeUnknown("twilio", "no_answer"), TimeoutError(), ValueError("a fault of ours")):
        talk, channel = stored(clock), Channel(failure)
        ended = deliver(talk, channel)
        assert (ended.outcome, 19_000 < ended.wait_ms <= 20_000) == ("wait", True)
        assert channel.sent == 1
        assert [asked["result"] for asked in talk.mailbox.calls_of("outcome")] == ["unknown"]
        assert [attempt.outcome for attempt in talk.attempts] == [""]


def owned_by_another(talk: Conversation, provider_id: str) -> None:
    """A reply of another conversation has this id of the provider's."""
    other = Conversation(talk.clock, talk.mailbox, "c-2")
    other.accept("m-other")
    other.claim("k-9")
    other.store_reply()
    other.attempt()
    other.accepted(provider_id=provider_id)


def test_what_the_list_shows_is_accepted_unless_it_is_another_replys(clock: ServerClock) -> None:
    """The oldest id that nobody else owns."""
    talk = left_pending(clock, ago_ms=30_000)
    owned_by_another(talk, "SM1")
    attempt_at = ListedMessage("SM2", talk.attempts[0].at)
    assert deliver(talk, Channel(found=[*listed("SM1"), attempt_at, *listed("SM3")])) == SENT
    (attempt,) = talk.attempts
    assert (attempt.id, attempt.outcome, attempt.provider_id) == ("a-1", "accepted", "SM2")

    absent = left_pending(clock, ago_ms=40_000, looked_ago_ms=10_000)
    owned_by_another(absent, "SM1")
    channel = Channel("SM9", found=[ListedMessage("SM1", absent.attempts[0].at)])
    assert deliver(absent, channel) == SENT
    assert absent.mailbox.names() == ["sending", "not_found", "sending", "outcome"]
    assert [(attempt.outcome, attempt.provider_id) for attempt in absent.attempts] == [("absent", ""), ("accepted", "SM9")]


def test_after_a_look_up_nothing_is_sent_again_when_it_is_too_late(clock: ServerClock) -> None:
    """An outage of an hour: resolved, and parked by the turn."""
    talk, channel = left_pending(clock, ago_ms=40_000, looked_ago_ms=10_000), Channel(found=[])
    assert deliver(talk, channel, expired=True) == DeliveryResult("absent")
    assert channel.sent == 0


def test_a_list_without_an_answer_resolves_nothing(clock: ServerClock) -> None:
    """The error goes to the turn, and no outcome is recorded."""
    talk = left_pending(clock, ago_ms=40_000, looked_ago_ms=10_000)
    before = talk.attempts
    with pytest.raises(ProviderUnavailable):
        deliver(talk, Channel(found=ProviderUnavailable("twilio", "503")))
    assert talk.attempts == before


def test_a_list_is_asked_twice_before_its_silence_counts(clock: ServerClock) -> None:
    """The lease is given up in between; the second look does not come before its time, whoever takes it."""
    first, channel = left_pending(clock, ago_ms=30_000), Channel(found=[])
    assert deliver(first, channel) == DeliveryResult("wait", wait_ms=10_000, reason="looked_once")
    assert (channel.listed, channel.sent) == (1, 0)
    assert [(attempt.outcome, attempt.looked) for attempt in first.attempts] == [("", clock.ms)]
    (asked,) = first.mailbox.calls_of("not_found")
    assert 0 <= asked["asked"] - clock.ms < 5_000

    early, channel = left_pending(clock, ago_ms=40_000, looked_ago_ms=9_000), Channel(found=[])
    ended = deliver(early, channel)
    assert (ended.reason, 0 < ended.wait_ms <= 1_000) == ("looked_once", True)
    assert channel.listed == 0

    second = left_pending(clock, ago_ms=40_000, looked_ago_ms=10_000)
    assert deliver(second, Channel("SM1", found=[])) == SENT
    assert [attempt.outcome for attempt in second.attempts] == ["absent", "accepted"]


def test_what_a_report_settled_during_the_look_is_not_sent_again(clock: ServerClock) -> None:
    """Resolved is resolved, whatever the list said."""
    talk = left_pending(clock, ago_ms=40_000, looked_ago_ms=10_000)
    channel = Channel(found=[], meanwhile=talk.reported)
    assert deliver(talk, channel) == DeliveryResult("sent")
    assert talk.mailbox.names() == ["sending", "not_found", "sending"]
    assert channel.sent == 0


def test_what_is_too_old_to_be_answered_is_for_the_turn_to_park(clock: ServerClock) -> None:
    """Nothing leaves."""
    talk, channel = stored(clock), Channel("SM1")
    talk.back_off()
    clock.advance(24 * 3_600_000 + 1)
    talk.claim("k-2")
    assert deliver(talk, channel) == DeliveryResult("too_old")
    assert channel.sent == 0


@pytest.mark.parametrize(("setting", "attempts"), [("send", ("a-1", "a-2")), ("park", ("a-1",))])
def test_a_reply_that_may_have_arrived_too_often_is_for_the_turn_to_park(clock: ServerClock, setting: str, attempts: tuple[str]) -> None:
    """Nothing leaves: a second copy is the last one, and where the operator wants that parked there is none."""
    talk, channel = left_absent(clock, *attempts), Channel("SM1")
    assert deliver(talk, channel, unknown=setting) == DeliveryResult("unknown")
    assert channel.sent == 0


@pytest.mark.parametrize(("setting", "repeats"), [("send", 1), ("park", 0)])
def test_how_often_an_unknown_outcome_is_sent_again_is_a_setting(setting: str, repeats: int) -> None:
    """Once, by either channel; never where the operator wants it parked."""
    settings = load_settings(sandbox="on", unknown_outcome=setting)
    nothing = cast("Any", None)
    context = TurnContext(settings, users_file.load_users(None), IDENTITIES, nothing, nothing, {}, asyncio.Event(), nothing)
    assert context.send_limits.repeats == repeats


def test_why_there_was_no_answer_is_recorded(clock: ServerClock) -> None:
    """An answered 5xx is told from silence, whatever the provider's own number for it."""
    codes = []
    for failure in (OutcomeUnknown("twilio", "20500", status=500), OutcomeUnknown("twilio", "unreadable_answer"), TimeoutError()):
        talk = stored(clock)
        deliver(talk, Channel(failure))
        codes.append(talk.attempts[0].code)
    assert codes == ["http_500", "unreadable_answer", "TimeoutError"]


def test_a_wait_that_is_asked_for_with_a_5xx_is_granted_up_to_the_cap(clock: ServerClock) -> None:
    """The look-up can wait for it; a hostile value costs five minutes."""
    for asked, granted in ((90.0, 90_000), (1e300, 300_000), (1.0, 20_000)):
        ended = deliver(stored(clock), Channel(OutcomeUnknown("twilio", "20503", status=503, retry_after=asked)))
        assert (ended.outcome, granted - 1000 < ended.wait_ms <= granted) == ("wait", True)


def spend(context: TurnContext) -> None:
    """Use up the budget for texts."""
    while context.budgets["sms"].take():
        pass


def test_a_retry_needs_room_in_the_budget_and_a_first_request_does_not(clock: ServerClock) -> None:
    """Without room nobody is asked, neither for a permit nor for the message."""
    assert deliver(stored(clock), Channel("SM1"), spend=spend) == SENT
    talk, retry = left_refused(clock), Channel("SM1")
    assert deliver(talk, retry, tried=True, spend=spend) == DeliveryResult("no_budget")
    assert (retry.sent, talk.mailbox.names()) == (0, [])
    assert deliver(left_refused(clock), Channel("SM1"), tried=True) == SENT


@pytest.mark.parametrize(
    ("error", "recovered"),
    [
        (ProviderUnavailable("twilio", "20429"), False),
        (LimitReached("twilio", "63038"), False),
        (ProviderRefused("twilio", "21617"), True),
        (CredentialsRefused("twilio", "20003"), True),
        (PermitExpired(), True),
    ],
    ids=lambda value: type(value).__name__,
)
def test_only_a_failure_of_the_provider_counts_in_its_retry_budget(clock: ServerClock, error: ProviderError, recovered: bool) -> None:
    """A rejection is an answer, and a permit is not the provider's business."""
    contexts: list[TurnContext] = []
    with pytest.raises(type(error)):
        deliver(stored(clock), Channel(error), begin=lambda context: context.budgets["sms"].succeeded(retry=False), keep=contexts.append)
    assert contexts[0].budgets["sms"].recovered is recovered


@pytest.mark.parametrize("away", [ProviderUnavailable("twilio", "20429"), OutcomeUnknown("twilio", "http_503"), TimeoutError()], ids=repr)
def test_what_may_be_a_second_copy_is_not_sent_to_a_provider_that_is_still_away(clock: ServerClock, away: Exception) -> None:
    """It is the last copy: the provider is checked first, and its failure is an outage whatever kind it is."""
    talk, channel = left_absent(clock, "a-1"), Channel("SM1")
    channel.away = away
    with pytest.raises(ProviderUnavailable):
        deliver(talk, channel, tried=True)
    assert (channel.sent, talk.mailbox.names()) == (0, [])
    channel.away = None
    assert deliver(talk, channel, tried=True) == SENT


def test_without_room_in_the_budget_what_may_have_been_taken_is_looked_up_all_the_same(clock: ServerClock) -> None:
    """Found, it needs no retry."""
    talk, channel = left_pending(clock, ago_ms=30_000), Channel(found=listed("SM1"))
    assert deliver(talk, channel, tried=True, spend=spend) == SENT
    assert (channel.sent, channel.listed) == (0, 1)


def test_without_room_in_the_budget_an_outage_ends_all_the_same(clock: ServerClock) -> None:
    """At its time the turn parks."""
    assert deliver(left_refused(clock), Channel("SM1"), tried=True, expired=True, spend=spend) == DeliveryResult("absent")


def short(talk: Conversation) -> None:
    """The lease is too short for a request, and stays so."""
    stand_still = partial(talk.clock.advance, LEASE_MS - 15_000)
    stand_still()
    talk.mailbox.after["renew"] = lambda _: stand_still()


@pytest.mark.parametrize("happened", [Conversation.lose_lease, sent_already, short, paused])
def test_a_permit_that_is_not_given_costs_no_token(clock: ServerClock, happened: Callable[[Conversation], None]) -> None:
    """Only requests do."""
    spent: list[TurnContext] = []
    talk, channel = stored(clock), Channel()
    happened(talk)
    deliver(talk, channel, tried=True, keep=spent.append)
    assert "sending" in talk.mailbox.names()
    budget = spent[-1].budgets["sms"]
    assert [budget.take() for _ in range(11)] == [True] * 10 + [False]


def test_mail_waits_for_its_event_in_steps(clock: ServerClock) -> None:
    """Without a list: not absent before EMAIL_EVENT_WAIT_SECONDS, and looked at again every 10 s."""
    early = left_pending(clock, ago_ms=60_000)
    assert deliver(early, Channel(found=None)) == DeliveryResult("wait", wait_ms=10_000, reason="event_awaited")
    assert [attempt.outcome for attempt in early.attempts] == [""]
    late = left_pending(clock, ago_ms=120_001)
    assert deliver(late, Channel("", found=None)) == SENT
    assert [attempt.outcome for attempt in late.attempts] == ["absent", "accepted"]


def test_a_refusal_that_decides_nothing_tells_the_user_nothing(clock: ServerClock) -> None:
    """An earlier attempt may have been taken after all."""
    for talk, decided in ((stored(clock), True), (left_absent(clock, "a-1"), False)):
        with pytest.raises(ProviderRefused) as caught:
            deliver(talk, Channel(ProviderRefused("twilio", "21617")))
        assert caught.value.tell_user is decided
        assert talk.attempts[-1].outcome == "refused"


def test_a_refusal_of_a_reply_that_was_taken_before_ends_well(clock: ServerClock) -> None:
    """One accepted attempt makes the reply sent for good."""
    talk = left_absent(clock, "a-1")
    channel = Channel(ProviderRefused("twilio", "21617"), meanwhile=talk.reported)
    assert deliver(talk, channel) == DeliveryResult("sent")
    assert (talk.reply.state, channel.sent) == (ReplyState.DELIVERED, 1)


def test_a_permit_that_came_late_is_not_used(clock: ServerClock, monkeypatch: pytest.MonkeyPatch) -> None:
    """The attempt's time runs from the first asking; a request after that could outlive what others count on."""
    talk, channel, seconds = stored(clock), Channel("SM1"), [0.0]
    monkeypatch.setattr(delivery, "elapsed", lambda: seconds[-1])
    monkeypatch.setattr(RetryBudget, "failed", lambda _: pytest.fail("no provider failed"))
    talk.mailbox.after["sending"] = lambda _: seconds.append(seconds[-1] + 4.0)  # as long as a permit counts
    with pytest.raises(ProviderUnavailable):
        deliver(talk, channel)
    assert channel.sent == 0
    assert [attempt.outcome for attempt in talk.attempts] == ["refused"]


def test_a_process_that_ends_begins_no_request(clock: ServerClock) -> None:
    """Not even the asking for a permit."""
    talk = stored(clock)
    ended = deliver(talk, Channel("SM1"), stop=lambda context: context.stopping.set())
    assert ended == DeliveryResult("wait", reason="shutdown")
    assert talk.mailbox.names() == []


def test_work_ends_with_the_lease(clock: ServerClock) -> None:
    """A lost lease cancels what runs under it; renewing begins by itself."""
    talk = stored(clock)
    talk.mailbox.after["renew"] = lambda _: talk.lose_lease()  # the first renewal is in time, the second is not

    async def scenario() -> None:
        cancelled = asyncio.Event()

        async def work() -> None:
            try:
                await asyncio.sleep(5)
            finally:
                cancelled.set()

        async with Lease(talk.mailbox, talk.id, talk.token, talk.claimed, 40) as lease:
            with pytest.raises(LeaseLost):
                await asyncio.wait_for(lease.hold(work()), 2)
        assert cancelled.is_set()

    asyncio.run(scenario())
    assert talk.mailbox.names() == ["renew", "renew"]


class People:
    """A registry that has another version by now, which the process does not know yet. Its users file is not new."""

    file_is_new = False

    def __init__(self, talk: Conversation, *, versions: int = 1) -> None:
        self._talk, self._versions = talk, versions
        self.asked = 0
        self.users: Users | None = None
        talk.mailbox.blocking.redis.hset(keys.REGISTRY_STATE, "version", 1)

    def know(self, context: TurnContext) -> None:
        """What the process knows is what it learns here."""
        self.users = context.users

    def refresh(self) -> None:
        """Learn; meanwhile there may be yet another version."""
        assert self.users is not None
        self.asked += 1
        self.users.replace(self.users.all, self.asked)
        if self.asked < self._versions:
            self._talk.mailbox.blocking.redis.hset(keys.REGISTRY_STATE, "version", self.asked + 1)


def test_a_permit_is_asked_for_again_by_who_is_known_now(clock: ServerClock) -> None:
    """As often as people are added meanwhile; the address is still its person's."""
    talk = stored(clock)
    channel, people = Channel("SM1"), People(talk, versions=3)
    assert deliver(talk, channel, people=people, know=people.know) == SENT
    assert talk.mailbox.names() == ["sending"] * 4 + ["outcome"]
    assert [call["users"] for call in talk.mailbox.calls_of("sending")] == [0, 1, 2, 3]
    assert (channel.sent, people.asked) == (1, 3)


def test_people_who_change_all_the_time_are_waited_for(clock: ServerClock) -> None:
    """The turn is taken up again later; nothing left."""
    talk = stored(clock)
    channel, people = Channel("SM1"), People(talk, versions=1_000)
    ended = deliver(talk, channel, people=people, know=people.know)
    assert (ended.outcome, ended.reason, channel.sent) == ("wait", "too_many_rounds", 0)


def test_an_address_that_is_not_its_person_s_is_asked_no_permit_for(clock: ServerClock) -> None:
    """Neither at first nor once it is known."""
    talk, channel = stored(clock), Channel("SM1")
    assert deliver(talk, channel, theirs=lambda: False) == DeliveryResult("removed")
    people = People(talk)
    assert deliver(talk, channel, people=people, know=people.know, theirs=lambda: people.asked == 0) == DeliveryResult("removed")
    assert (talk.mailbox.names(), channel.sent) == (["sending"], 0)


def test_an_address_that_was_given_to_its_person_a_moment_ago_is_theirs(clock: ServerClock) -> None:
    """The process learns it from the registry before it gives the reply up."""
    talk, channel = stored(clock), Channel("SM1")
    people = People(talk)
    assert deliver(talk, channel, people=people, know=people.know, theirs=lambda: people.asked > 0) == SENT
    assert ([call["users"] for call in talk.mailbox.calls_of("sending")], channel.sent) == ([1], 1)


@pytest.mark.parametrize("theirs", [True, False])
def test_a_permit_that_got_too_old_is_renewed_by_who_is_known_now(
    clock: ServerClock, monkeypatch: pytest.MonkeyPatch, theirs: bool
) -> None:
    """The process stood still behind its permit, and people were changed meanwhile."""
    talk = stored(clock)
    channel, people = Channel("SM1"), People(talk)
    talk.mailbox.blocking.redis.delete(keys.REGISTRY_STATE)
    seconds = [0.0]

    def stood_still(_: Any) -> None:
        if len(talk.mailbox.calls_of("sending")) == 1:
            seconds.append(4.0)
            talk.mailbox.blocking.redis.hset(keys.REGISTRY_STATE, "version", 1)

    monkeypatch.setattr(delivery, "elapsed", lambda: seconds[-1])
    talk.mailbox.after["sending"] = stood_still
    if theirs:
        assert deliver(talk, channel, people=people, know=people.know) == SENT
    else:
        with pytest.raises(PermitExpired):
            deliver(talk, channel, people=people, know=people.know, theirs=lambda: people.asked == 0)
    assert ([call["users"] for call in talk.mailbox.calls_of("sending")], channel.sent) == ([0, 0, 1] if theirs else [0, 0], int(theirs))
