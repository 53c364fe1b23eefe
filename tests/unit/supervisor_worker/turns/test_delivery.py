"""The sending loop against a mailbox that says what the test wants: every verdict, and what may never follow from it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, cast

import pytest

from shared.config.loading import load_settings
from shared.errors import CredentialsRefused, LeaseLost, LimitReached, OutcomeUnknown, ProviderError, ProviderRefused, ProviderUnavailable
from shared.mailbox.call import Call
from shared.mailbox.calls import Claim, NotFound, Outcome, Sending
from shared.mailbox.records import Attempt, Reply, ReplyState
from shared.model import users
from shared.model.addresses import Identities, PhoneNumber
from shared.model.events import Response, SendSmsResponse
from supervisor_worker.channels.port import ListedMessage
from supervisor_worker.providers.http_pool import PermitExpired
from supervisor_worker.providers.retry_budget import RetryBudget
from supervisor_worker.turns.context import TurnContext
from supervisor_worker.turns.delivery import Delivery
from supervisor_worker.turns.delivery_result import DeliveryResult
from supervisor_worker.turns.lease import Lease

COMMAND = SendSmsResponse(to=PhoneNumber("+15551234567"), from_=PhoneNumber("+15559876543"), message="Hi", user="ada")
OK = Sending("ok", Attempt("a-new", 0))
STORED = Outcome(ReplyState.STORED, decided=True)


class Mailbox:
    """Answers each script from a list (the last one for ever) and remembers what was asked."""

    def __init__(self, **answers: list[Any]) -> None:
        self.answers: dict[str, list[Any]] = {"renew": [1], "outcome": [STORED], "not_found": [NotFound("absent")], **answers}
        self.asked: list[Call[Any]] = []
        self.elsewhere: dict[str, str] = {}
        self.record: Reply | None = None

    async def run(self, call: Call[Any]) -> Any:
        """The script's next answer."""
        self.asked.append(call)
        queue = self.answers[call.name]
        answer = queue.pop(0) if len(queue) > 1 else queue[0]
        if callable(answer):
            answer = await answer()
        return answer

    async def reply(self, reply_id: str) -> Reply | None:
        """The record."""
        del reply_id
        return self.record

    async def owners(self, provider_ids: list[str]) -> dict[str, str]:
        """Those of other replies."""
        return {name: owner for name, owner in self.elsewhere.items() if name in provider_ids}

    async def uncertain_replies(self, conversation: str) -> list[Reply]:
        """None."""
        del conversation
        return []

    async def replies(self, reply_ids: list[str]) -> list[Reply | None]:
        """None is kept."""
        return [None for _ in reply_ids]

    def scripts(self, name: str) -> list[Mapping[str, Any]]:
        """What was asked of one script."""
        return [asked.args for asked in self.asked if asked.name == name]


class Channel:
    """Sends what the test wants sent."""

    def __init__(self, *results: str | Exception, found: list[ListedMessage] | Exception | None = None) -> None:
        self.results = list(results)
        self.found = found
        self.away: Exception | None = None
        self.sent = 0
        self.listed = 0

    async def send(self, command: Response, reply_id: str, attempt_id: str, pair: str) -> str:
        """The next result."""
        del command, reply_id, attempt_id, pair
        self.sent += 1
        result = self.results.pop(0)
        if isinstance(result, Exception):
            raise result
        return result

    async def find(self, command: Response, attempt: Attempt) -> list[ListedMessage] | None:
        """What the list shows."""
        del command, attempt
        self.listed += 1
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
    """Messages of the time of the tests' attempts."""
    return [ListedMessage(name, 0) for name in names]


def deliver(
    mailbox: Mailbox, channel: Channel, *, now_ms: int = 10**9, expired: bool = False, tried: bool = False, unknown: str = "send",
    **prepare: Callable[[TurnContext], None],
) -> DeliveryResult:  # fmt: skip
    """One delivery; `now_ms` is the server's time, attempts of the tests are at 0 unless they say otherwise."""

    async def scenario() -> DeliveryResult:
        settings = load_settings(sandbox="on", unknown_outcome=unknown)
        typed = cast("Any", mailbox)
        nothing = cast("Any", None)
        context = TurnContext(
            settings, users.load_users(None), Identities(b"x"), typed, nothing, {"sms": channel}, asyncio.Event(), nothing
        )
        for step in prepare.values():
            step(context)
        lease = Lease(typed, "c-1", "k-1", Claim("taken", 0, now_ms), 60_000)
        return await Delivery(context, lease, "r-1", COMMAND, expired=lambda: expired, tried=tried).deliver()

    return asyncio.run(scenario())


def test_an_accepted_request_is_recorded_with_the_providers_id() -> None:
    """And nothing else is asked."""
    mailbox, channel = Mailbox(sending=[OK]), Channel("SM1")
    assert deliver(mailbox, channel) == DeliveryResult("sent")
    (asked,) = mailbox.scripts("outcome")
    assert (asked["reply"], asked["result"], asked["provider_id"]) == ("r-1", "accepted", "SM1")


@pytest.mark.parametrize(
    ("verdict", "ended"),
    [
        (Sending("sent"), DeliveryResult("sent")),
        (Sending("lost"), DeliveryResult("lost")),
        (Sending("opted_out", more=True), DeliveryResult("closed", more=True)),
        (Sending("paused", more=True), DeliveryResult("closed", more=False)),
    ],
)
def test_without_leave_nothing_is_sent(verdict: Sending, ended: DeliveryResult) -> None:
    """Sent already, lost, opted out, paused: a paused conversation is not woken either."""
    channel = Channel()
    assert deliver(Mailbox(sending=[verdict]), channel) == ended
    assert channel.sent == 0


def test_nothing_is_sent_for_an_attempt_that_no_replica_has() -> None:
    """A new master would not know of it, and send a second copy: the attempt is recorded as not made, and Redis's outage waited out."""
    mailbox, channel = Mailbox(sending=[Sending("alone", Attempt("a-new", 0))]), Channel()
    with pytest.raises(ProviderUnavailable) as caught:
        deliver(mailbox, channel)
    assert (caught.value.provider, caught.value.code, channel.sent) == ("redis", "not_replicated", 0)
    (asked,) = mailbox.scripts("outcome")
    assert (asked["result"], asked["code"]) == ("refused", "not_replicated")


def test_a_short_lease_is_renewed_once() -> None:
    """Then asked again; a lease that is lost ends it, and one that stays short waits."""
    mailbox, channel = Mailbox(sending=[Sending("short"), OK]), Channel("SM1")
    assert deliver(mailbox, channel) == DeliveryResult("sent")
    assert len(mailbox.scripts("renew")) == 1

    lost = Mailbox(sending=[Sending("short")], renew=[0])
    assert deliver(lost, Channel()) == DeliveryResult("lost")
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
    """Only why there was no answer is recorded, and no second request is made."""
    for failure in (OutcomeUnknown("twilio", "no_answer"), TimeoutError(), ValueError("a fault of ours")):
        mailbox = Mailbox(sending=[Sending("ok", Attempt("a-1", 10**9))])
        channel = Channel(failure)
        ended = deliver(mailbox, channel)
        assert ended.outcome == "wait"
        assert 19_000 < ended.wait_ms <= 20_000
        assert channel.sent == 1
        assert [asked["result"] for asked in mailbox.scripts("outcome")] == ["unknown"]


def test_what_the_list_shows_is_accepted_unless_it_is_another_replys() -> None:
    """The oldest id that nobody else owns."""
    look_up = Sending("look_up", Attempt("a-1", 0))
    mailbox = Mailbox(sending=[look_up, Sending("sent")])
    mailbox.elsewhere = {"SM1": "r-other"}
    assert deliver(mailbox, Channel(found=listed("SM1", "SM2", "SM3"))) == DeliveryResult("sent")
    asked = mailbox.scripts("outcome")[0]
    assert [asked[name] for name in ("reply", "id", "result", "provider_id")] == ["r-1", "a-1", "accepted", "SM2"]

    absent = Mailbox(sending=[look_up, OK])
    absent.elsewhere = {"SM1": "r-other"}
    channel = Channel("SM9", found=listed("SM1"))
    assert deliver(absent, channel) == DeliveryResult("sent")
    assert [asked.name for asked in absent.asked] == ["sending", "not_found", "sending", "outcome"]


def test_after_a_look_up_nothing_is_sent_again_when_it_is_too_late() -> None:
    """An outage of an hour: resolved, and parked by the turn."""
    mailbox, channel = Mailbox(sending=[Sending("look_up", Attempt("a-1", 0))]), Channel(found=[])
    assert deliver(mailbox, channel, expired=True) == DeliveryResult("absent")
    assert channel.sent == 0


def test_a_list_without_an_answer_resolves_nothing() -> None:
    """The error goes to the turn, and no outcome is recorded."""
    mailbox = Mailbox(sending=[Sending("look_up", Attempt("a-1", 0))])
    with pytest.raises(ProviderUnavailable):
        deliver(mailbox, Channel(found=ProviderUnavailable("twilio", "503")))
    assert not mailbox.scripts("outcome")


def test_a_list_is_asked_twice_before_its_silence_counts() -> None:
    """The lease is given up in between; the second look does not come before its time, whoever takes it."""
    first = Mailbox(sending=[Sending("look_up", Attempt("a-1", 0))], unseen=[NotFound("", 10_000)])
    channel = Channel(found=[])
    assert deliver(first, channel) == DeliveryResult("wait", wait_ms=10_000, reason="looked_once")
    assert (channel.listed, channel.sent) == (1, 0)
    (asked,) = first.scripts("not_found")
    assert (asked["reply"], asked["id"], asked["again"]) == ("r-1", "a-1", 10_000)
    assert 0 <= asked["asked"] - 10**9 < 5_000

    early = Mailbox(sending=[Sending("look_up", Attempt("a-1", 0, looked=10**9 - 9_000))])
    channel = Channel(found=[])
    ended = deliver(early, channel)
    assert (ended.reason, 0 < ended.wait_ms <= 1_000) == ("looked_once", True)
    assert channel.listed == 0

    second = Mailbox(sending=[Sending("look_up", Attempt("a-1", 0, looked=10**9 - 10_000)), OK])
    assert deliver(second, Channel("SM1", found=[])) == DeliveryResult("sent")


def test_what_a_report_settled_during_the_look_is_not_sent_again() -> None:
    """Resolved is resolved, whatever the list said."""
    mailbox = Mailbox(sending=[Sending("look_up", Attempt("a-1", 0)), Sending("sent")], unseen=[NotFound("accepted")])
    channel = Channel(found=[])
    assert deliver(mailbox, channel) == DeliveryResult("sent")
    assert channel.sent == 0


@pytest.mark.parametrize("verdict", ["too_old", "unknown"])
def test_what_may_not_be_sent_any_more_is_for_the_turn_to_park(verdict: Any) -> None:
    """Nothing leaves."""
    channel = Channel("SM1")
    assert deliver(Mailbox(sending=[Sending(verdict)]), channel) == DeliveryResult(verdict)
    assert channel.sent == 0


@pytest.mark.parametrize(("setting", "repeats"), [("send", 1), ("park", 0)])
def test_how_often_an_unknown_outcome_is_sent_again_is_a_setting(setting: str, repeats: int) -> None:
    """Once, by either channel; never where the operator wants it parked."""
    settings = load_settings(sandbox="on", unknown_outcome=setting)
    nothing = cast("Any", None)
    context = TurnContext(settings, users.load_users(None), Identities(b"x"), nothing, nothing, {}, asyncio.Event(), nothing)
    assert context.send_limits.repeats == repeats


def test_why_there_was_no_answer_is_recorded() -> None:
    """An answered 5xx is told from silence, whatever the provider's own number for it."""
    codes = []
    for failure in (OutcomeUnknown("twilio", "20500", status=500), OutcomeUnknown("twilio", "unreadable_answer"), TimeoutError()):
        mailbox = Mailbox(sending=[Sending("ok", Attempt("a-1", 10**9))])
        deliver(mailbox, Channel(failure))
        codes.append(mailbox.scripts("outcome")[0]["code"])
    assert codes == ["http_500", "unreadable_answer", "TimeoutError"]


def test_a_wait_that_is_asked_for_with_a_5xx_is_granted_up_to_the_cap() -> None:
    """The look-up can wait for it; a hostile value costs five minutes."""
    for asked, granted in ((90.0, 90_000), (1e300, 300_000), (1.0, 20_000)):
        mailbox = Mailbox(sending=[Sending("ok", Attempt("a-1", 10**9))])
        ended = deliver(mailbox, Channel(OutcomeUnknown("twilio", "20503", status=503, retry_after=asked)))
        assert (ended.outcome, granted - 1000 < ended.wait_ms <= granted) == ("wait", True)


def spend(context: TurnContext) -> None:
    """Use up the budget for texts."""
    while context.budgets["sms"].take():
        pass


def test_a_retry_needs_room_in_the_budget_and_a_first_request_does_not() -> None:
    """Without room nobody is asked, neither for leave nor for the message."""
    first = Channel("SM1")
    assert deliver(Mailbox(sending=[OK]), first, spend=spend) == DeliveryResult("sent")
    retry, mailbox = Channel("SM1"), Mailbox(sending=[OK])
    assert deliver(mailbox, retry, tried=True, spend=spend) == DeliveryResult("no_budget")
    assert (retry.sent, mailbox.asked) == (0, [])
    assert deliver(Mailbox(sending=[OK]), Channel("SM1"), tried=True) == DeliveryResult("sent")


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
def test_only_a_failure_of_the_provider_counts_in_its_retry_budget(error: ProviderError, recovered: bool) -> None:
    """A rejection is an answer, and a permit is not the provider's business."""
    contexts: list[TurnContext] = []
    with pytest.raises(type(error)):
        deliver(
            Mailbox(sending=[OK]), Channel(error), begin=lambda context: context.budgets["sms"].succeeded(retry=False), keep=contexts.append
        )
    assert contexts[0].budgets["sms"].recovered is recovered


@pytest.mark.parametrize("away", [ProviderUnavailable("twilio", "20429"), OutcomeUnknown("twilio", "http_503"), TimeoutError()], ids=repr)
def test_what_may_be_a_second_copy_is_not_sent_to_a_provider_that_is_still_away(away: Exception) -> None:
    """It is the last copy: the provider is probed first, and its failure is an outage whatever kind it is."""
    mailbox, channel = Mailbox(sending=[OK]), Channel("SM1")
    mailbox.record = Reply("r-1", "c-1", "t-1", COMMAND, ReplyState.SENDING, (Attempt("a-1", 0, "absent"),))
    channel.away = away
    with pytest.raises(ProviderUnavailable):
        deliver(mailbox, channel, tried=True)
    assert (channel.sent, mailbox.asked) == (0, [])
    channel.away = None
    assert deliver(mailbox, channel, tried=True) == DeliveryResult("sent")


def test_without_room_in_the_budget_what_may_have_been_taken_is_looked_up_all_the_same() -> None:
    """Found, it needs no retry."""
    mailbox, channel = Mailbox(), Channel(found=listed("SM1"))
    mailbox.record = Reply("r-1", "c-1", "t-1", COMMAND, ReplyState.SENDING, (Attempt("a-1", 0),))
    assert deliver(mailbox, channel, tried=True, spend=spend) == DeliveryResult("sent")
    assert (channel.sent, channel.listed) == (0, 1)


def test_without_room_in_the_budget_an_outage_ends_all_the_same() -> None:
    """At its time the turn parks."""
    assert deliver(Mailbox(sending=[OK]), Channel("SM1"), tried=True, expired=True, spend=spend) == DeliveryResult("absent")


def test_leave_that_is_not_given_costs_no_token() -> None:
    """Only requests do."""
    spent: list[TurnContext] = []
    for verdict in ("lost", "sent", "short", "paused"):
        deliver(Mailbox(sending=[Sending(cast("Any", verdict))]), Channel(), tried=True, keep=spent.append)
        budget = spent[-1].budgets["sms"]
        assert [budget.take() for _ in range(11)] == [True] * 10 + [False]


def test_mail_waits_for_its_event_in_steps() -> None:
    """Without a list: not absent before EMAIL_EVENT_WAIT_SECONDS, and looked at again every 10 s."""
    look_up = Sending("look_up", Attempt("a-1", 0))
    early = Mailbox(sending=[look_up])
    assert deliver(early, Channel(found=None), now_ms=60_000) == DeliveryResult("wait", wait_ms=10_000, reason="event_awaited")
    assert not early.scripts("not_found")
    late = Mailbox(sending=[look_up, OK])
    assert deliver(late, Channel("", found=None), now_ms=120_001) == DeliveryResult("sent")
    asked = late.scripts("not_found")[0]
    assert (asked["reply"], asked["id"], asked["again"]) == ("r-1", "a-1", 0)


def test_a_refusal_that_decides_nothing_tells_the_user_nothing() -> None:
    """An earlier attempt may have been taken after all."""
    for decided in (True, False):
        mailbox = Mailbox(sending=[OK], outcome=[Outcome(ReplyState.STORED, decided=decided)])
        with pytest.raises(ProviderRefused) as caught:
            deliver(mailbox, Channel(ProviderRefused("twilio", "21617")))
        assert caught.value.tell_user is decided
        assert mailbox.scripts("outcome")[0]["result"] == "refused"


def test_a_refusal_of_a_reply_that_was_taken_before_ends_well() -> None:
    """One accepted attempt makes the reply sent for good."""
    mailbox = Mailbox(sending=[OK], outcome=[Outcome(ReplyState.DELIVERED)])
    assert deliver(mailbox, Channel(ProviderRefused("twilio", "21617"))) == DeliveryResult("sent")


def test_leave_that_came_late_is_not_used() -> None:
    """The attempt's time runs from the first asking; a request after that could outlive what others count on."""

    async def slow() -> Sending:
        await asyncio.sleep(0.03)
        return OK

    mailbox, channel = Mailbox(sending=[slow]), Channel("SM1")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TurnContext, "margin_ms", property(lambda _: 10))
        patch.setattr(RetryBudget, "failed", lambda _: pytest.fail("no provider failed"))
        with pytest.raises(ProviderUnavailable):
            deliver(mailbox, channel)
    assert channel.sent == 0
    assert mailbox.scripts("outcome")[0]["result"] == "refused"


def test_a_process_that_ends_begins_no_request() -> None:
    """Not even the asking for leave."""
    mailbox = Mailbox(sending=[OK])
    ended = deliver(mailbox, Channel("SM1"), stop=lambda context: context.stopping.set())
    assert ended == DeliveryResult("wait", reason="shutdown")
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
