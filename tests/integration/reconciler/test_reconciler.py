"""What no webhook brought: found in Twilio's list, judged and taken as by the webhook, once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

import pytest
from redis import Redis
from structlog.testing import capture_logs
from twilio.http.http_client import TwilioHttpClient
from twilio.rest import Client

from shared import submit
from shared.config.loading import load_settings
from shared.config.settings import Settings
from shared.errors import ProviderError, ProviderRefused, ProviderUnavailable
from shared.mailbox import AsyncMailbox, keys
from shared.mailbox.ledger import Line, latest
from shared.model import sms_admission
from shared.model.sms_admission import InboundSms, sms_id
from shared.model.users import LOCAL_USER, User
from shared.operations.registry import RegistryEditor
from shared.registry import PeopleDirectory
from shared.runtime import Runtime, open_runtime
from shared.storage.clients import for_loop
from supervisor_worker.channels.twilio import message_list
from supervisor_worker.channels.twilio.message_list import ListedSms, SmsList, TwilioMessageList
from supervisor_worker.reconciler import Reconciler
from supervisor_worker.reconciler.reconciliation import MessageLists, Reconciliation
from supervisor_worker.reconciler.result import Bounds, ReconcileResult
from supervisor_worker.reconciler.schedule import log_result
from tests.support.sandbox import SandboxProcess

T = TypeVar("T")
ACCOUNT = "AC" + "0" * 32
USER, BOSS, STRANGER = "+15551234567", "+15559876543", "+15557654321"
AT_ONCE = Bounds(window=3600, young=-5, pause=0, total=20)
"""Nothing is too young: Twilio's times are whole seconds, of another clock."""


@dataclass
class House:
    """An open runtime whose numbers had their first look an hour ago, and short ways to look again."""

    runtime: Runtime
    redis: Redis
    url: str

    def run(self, scenario: Callable[[AsyncMailbox], Coroutine[Any, Any, T]]) -> T:
        """Run it on a loop of its own."""

        async def within() -> T:
            redis = for_loop(self.url)
            try:
                return await scenario(AsyncMailbox(redis))
            finally:
                await redis.aclose()

        return asyncio.run(within())

    def look(self, bounds: Bounds = AT_ONCE, lists: MessageLists | None = None) -> ReconcileResult:
        """One look."""
        return self.run(lambda mailbox: look(self.runtime, mailbox, bounds, lists))

    def webhook(self, body: str, sid: str) -> str:
        """The same text as its webhook brings it; what became of it."""
        text = InboundSms(sid, ACCOUNT, USER, BOSS, body)
        verdict = sms_admission.sms(text, self.runtime.users, self.runtime.settings.keywords)
        assert isinstance(verdict, sms_admission.AdmittedSms)
        event = sms_admission.received(sms_id(ACCOUNT, sid), text, verdict, at=0.0)
        return submit.accept(self.runtime, event, kind="text", keyword=verdict.keyword).outcome

    def lines(self, *types: str) -> list[Line]:
        """The ledger's lines of these types."""
        return [line for line in latest(self.redis, 1000) if line.type in types]

    def inbox(self) -> list[str]:
        """What waits in the user's one conversation, as texts."""
        names = [name.decode() for key in self.redis.keys("boss:inbox:*") for name in cast("Any", self.redis.lrange(key, 0, -1))]
        events = [message.event for name in names if (message := self.runtime.mailbox.message(name))]
        return [cast("Any", event).message for event in events]


async def look(runtime: Runtime, mailbox: AsyncMailbox, bounds: Bounds = AT_ONCE, lists: MessageLists | None = None) -> ReconcileResult:
    twilio = TwilioMessageList(runtime.settings, pause=bounds.pause)
    try:
        return await Reconciliation(runtime, mailbox, lists or twilio, bounds).run()
    finally:
        await twilio.aclose()


@pytest.fixture
def environment(redis_url: str, sandbox: SandboxProcess) -> dict[str, Any]:
    """Settings; a test may change them before it asks for the house."""
    return {"redis_url": redis_url, "sandbox": "on", "sandbox_port": sandbox.port, "send_timeout_seconds": 1.0, "sms_settle_seconds": 0.0}


@pytest.fixture
def house(environment: dict[str, Any], redis: Redis, redis_url: str) -> Iterator[House]:
    """Its web process is away: the sandbox's webhooks are refused by an empty port."""
    runtime = open_runtime(load_settings(_env_file=None, **environment), "worker")
    known_for_an_hour(runtime)
    yield House(runtime, redis, redis_url)
    runtime.close()


def known_for_an_hour(runtime: Runtime) -> None:
    for number in runtime.users.bosses("sms"):
        runtime.redis.hset(keys.RECONCILE_SINCE, runtime.identities.sender(number), int(time.time()) - 3600)


def missed(sandbox: SandboxProcess, body: str, sid: str = "", **fields: Any) -> str:
    """A text that Twilio has and whose webhook nobody took."""
    answer = sandbox.send_sms(body, **({"message_sid": sid} if sid else {}), **fields)
    assert answer["status"] is None, "somebody took the webhook"
    return str(answer["message_sid"])


# -- what is taken, against the sandbox's Twilio ---------------------------------------------------------------------


def test_what_no_webhook_brought_is_taken_once_and_in_order(house: House, sandbox: SandboxProcess) -> None:
    """Oldest first, by the id that the webhook makes: one that comes late is a duplicate, and so is another look."""
    sids = [missed(sandbox, f"text {number}") for number in range(5)]
    found = house.look()
    assert (found.accepted, found.ignored, found.marked, found.unread, found.failure) == (5, 0, 0, 0, "")
    assert house.inbox() == [f"text {number}" for number in range(5)]
    assert [line.fields["msg"] for line in house.lines("sms_received")] == [sms_id(ACCOUNT, sid) for sid in sids]
    assert {line.fields["via"] for line in house.lines("sms_received")} == {"reconciler"}
    assert [house.webhook("text 0", sid) for sid in sids] == ["duplicate"] * 5
    assert house.look().accepted == 0
    assert [line.fields["accepted"] for line in house.lines("reconciled")] == ["5"]


def test_a_webhook_that_came_first_leaves_nothing_to_take(house: House, sandbox: SandboxProcess) -> None:
    """A quiet hour costs one request for a number, and says nothing."""
    sid = missed(sandbox, "hello")
    assert house.webhook("hello", sid) == "accepted"
    found = house.look()
    assert (found.numbers, found.listed, found.accepted) == (1, 1, 0)
    assert sandbox.count("twilio.list", accepted=None) == 1
    assert house.lines("reconciled") == []


def test_a_webhook_at_the_same_moment_and_two_looks_at_once_take_it_once(house: House, sandbox: SandboxProcess) -> None:
    """Whoever is first: the script knows the id."""
    sids = [missed(sandbox, f"text {number}") for number in range(10)]

    async def at_once(mailbox: AsyncMailbox) -> list[ReconcileResult]:
        webhooks = [asyncio.to_thread(house.webhook, "x", sid) for sid in sids]
        found, other, *_ = await asyncio.gather(look(house.runtime, mailbox), look(house.runtime, mailbox), *webhooks)
        return [cast("ReconcileResult", found), cast("ReconcileResult", other)]

    house.run(at_once)
    assert len(house.inbox()) == 10
    assert len(house.lines("sms_received")) == 10


def test_what_is_found_is_judged_as_a_webhook_is(house: House, sandbox: SandboxProcess) -> None:
    """Strangers, opt-out words, short codes, empty texts: each with its reason, none of them answered."""
    for sender, body in ((STRANGER, "let me in"), ("72345", "win"), (BOSS, "me"), (USER, " "), (USER, "STOP"), (USER, "after it")):
        missed(sandbox, body, from_=sender)
    found = house.look()
    assert (found.accepted, found.ignored) == (0, 6)
    reasons = [line.fields["reason"] for line in house.lines("ignored")]
    assert reasons == ["stranger", "bad_sender", "own_address", "empty", "opt_out", "opted_out"]
    assert {line.fields["via"] for line in house.lines("ignored")} == {"reconciler"}
    assert house.inbox() == []
    assert house.look().ignored == 0


def test_a_picture_s_count_is_read_and_a_text_is_cleaned_as_by_the_webhook(house: House, sandbox: SandboxProcess) -> None:
    """The event is the webhook's, but for its media's addresses, which the list does not hold."""
    sid = missed(sandbox, "  look\u200b here ", media=[{"url": "https://example.com/a.jpg"}])
    house.look()
    message = house.runtime.mailbox.message(sms_id(ACCOUNT, sid))
    assert message is not None
    event = cast("Any", message.event)
    assert (event.message, event.media_count, event.provider_id, event.signed, event.user) == ("look here", 1, sid, True, "user")
    assert abs(event.received_at - time.time()) < 60


def test_a_long_list_is_read_page_by_page(house: House, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    """What arrives between two pages shifts nothing out of sight."""
    monkeypatch.setattr(message_list, "PAGE", 2)
    for number in range(5):
        missed(sandbox, f"text {number}")
    assert house.look().accepted == 5
    assert house.inbox() == [f"text {number}" for number in range(5)]
    assert [entry["request"]["params"]["PageSize"] for entry in sandbox.journal("twilio.list")][:3] == ["2"] * 3


def test_a_list_without_an_end_is_cut_and_said_to_be(house: House, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    """So many pages and no more."""
    monkeypatch.setattr(message_list, "PAGE", 1)
    monkeypatch.setattr(message_list, "MAX_PAGES", 2)
    for number in range(3):
        missed(sandbox, f"text {number}")
    found = house.look()
    assert (found.accepted, found.unread, sandbox.count("twilio.list", accepted=None)) == (2, 1, 3)
    assert house.inbox() == ["text 1", "text 2"]


def test_only_what_was_made_since_is_taken_from_the_list(house: House, sandbox: SandboxProcess) -> None:
    """Twilio's filter knows whole days for certain, and what went out is asked for without it."""
    missed(sandbox, "hello")
    send_from_elsewhere(house)

    async def listed(_: AsyncMailbox) -> list[int]:
        twilio = TwilioMessageList(house.runtime.settings, pause=0)
        now = time.time()
        try:
            return [len((await ask(BOSS, since)).messages) for ask in (twilio.received, twilio.sent) for since in (now - 30, now + 30)]
        finally:
            await twilio.aclose()

    assert house.run(listed) == [1, 0, 1, 0]


def send_from_elsewhere(house: House) -> None:
    """A text of another program's, from our number to the user."""
    settings = house.runtime.settings
    client = Client(settings.twilio_account_sid, settings.twilio_auth_token.get_secret_value(), http_client=Elsewhere(settings))
    client.messages.create(to=USER, from_=BOSS, body="an answer")


class Elsewhere(TwilioHttpClient):
    """Twilio's own transport, to the sandbox."""

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self._base = settings.provider_urls["twilio"]

    def request(self, method: str, url: str, *args: Any, **kwargs: Any) -> Any:
        """The same, elsewhere."""
        return super().request(method, url.replace("https://api.twilio.com", self._base), *args, **kwargs)


def test_a_text_of_another_program_s_to_its_sender_marks_the_reply(house: House, sandbox: SandboxProcess) -> None:
    """With Twilio's own list: who sent it cannot be told from a reply that we forgot."""
    missed(sandbox, "hello")
    send_from_elsewhere(house)
    assert house.look().marked == 1


FAULTS: dict[str, tuple[list[Any], str]] = {
    "429": ([{"fault": "429", "on": "list", "retry_after": 7}], "twilio_20429"),
    "503": ([{"fault": "503", "on": "list"}], "twilio_20503"),
    "broken JSON": ([{"fault": "broken_json", "on": "list"}], "twilio_unreadable_list"),
    "reset": ([{"fault": "reset_before", "on": "list", "times": 2}], "twilio_no_answer"),
    "silence": ([{"fault": "hang", "on": "list"}], "twilio_no_answer"),
    "no list": ([{"fault": "404", "code": 20009, "on": "list"}], "twilio_20009"),
    "another document": ([{"fault": "503", "on": "list", "body": "[]", "code": 20503}], "twilio_http_503"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_list_that_fails_loses_nothing_and_is_asked_again_at_the_next_interval(house: House, sandbox: SandboxProcess, name: str) -> None:
    """Its word is kept for the doctor, and one ledger line tells of it."""
    faults, failure = FAULTS[name]
    missed(sandbox, "hello")
    sandbox.faults(twilio={"fail": faults})
    found = house.look()
    assert (found.failure, found.accepted, found.unread) == (failure, 0, 1)
    assert found.retry_after == (7 if name == "429" else 0)
    assert house.look().accepted == 1
    assert [line.fields["reason"] for line in house.lines("reconcile_failed")] == [failure]


def test_what_went_out_is_not_known_as_long_as_its_list_fails_and_the_text_waits(house: House, sandbox: SandboxProcess) -> None:
    """No answer is not "nothing was sent"."""
    missed(sandbox, "hello")
    sandbox.faults(twilio={"fail": [{"fault": "503", "on": "list", "match": '"from": "' + BOSS}]})
    found = house.look()
    assert (found.accepted, found.unread, house.inbox()) == (0, 1, [])
    assert house.look().accepted == 1


def test_refused_credentials_raise_an_alarm_once_and_pause_nothing(house: House, sandbox: SandboxProcess) -> None:
    """Another key may do the sending; and what is wrong with this one is said until it is mended."""
    sandbox.faults(twilio={"fail": [{"fault": "401", "on": "list", "times": 2}]})
    with capture_logs() as logs:
        for _ in range(3):
            log_result(house.look())
    assert [(line["log_level"], line["action"]) for line in logs] == [("critical", "alarm"), ("info", "reconcile_recovered")]
    assert house.runtime.mailbox.paused() == ""


def test_a_full_mailbox_takes_no_more_and_the_rest_comes_later(
    environment: dict[str, Any], request: pytest.FixtureRequest, sandbox: SandboxProcess
) -> None:
    """Whatever comes after it stays behind it, so that the order holds."""
    environment["max_open_messages"] = 1
    house = cast("House", request.getfixturevalue("house"))
    for body in ("one", "two", "STOP"):
        missed(sandbox, body)
    found = house.look()
    assert (found.accepted, found.ignored, found.failure, house.inbox()) == (1, 0, "mailbox_full", ["one"])
    house.redis.delete("boss:open")
    found = house.look()
    assert (found.accepted, found.ignored, house.inbox()) == (1, 1, ["one", "two"])


# -- what needs Twilio's clock in the hand ---------------------------------------------------------------------------


@dataclass
class Book:
    """Twilio's list as a test writes it: (seconds ago, from, to, text)."""

    messages: list[tuple[float, str, str, str]]
    now: float = field(default_factory=time.time)
    asked: list[tuple[str, str]] = field(default_factory=list)
    error: ProviderError | None = None
    complete: bool = True

    async def received(self, number: str, since: float) -> SmsList:
        """What came in."""
        self.asked.append(("received", number))
        if self.error is not None:
            raise self.error
        return self._listing(since, lambda sender, recipient: recipient == number and sender not in (BOSS, OTHER))

    async def sent(self, number: str, since: float) -> SmsList:
        """What went out."""
        self.asked.append(("sent", number))
        return self._listing(since, lambda sender, _recipient: sender == number)

    def _listing(self, since: float, wanted: Callable[[str, str], bool]) -> SmsList:
        found = [
            ListedSms(float(int(self.now - ago)), InboundSms(f"SM{place}", ACCOUNT, sender, recipient, text))
            for place, (ago, sender, recipient, text) in enumerate(self.messages)
            if wanted(sender, recipient)
        ]
        return SmsList(tuple(sorted((each for each in found if each.created >= since), key=lambda each: each.created)), self.complete)


OTHER = "+15559876544"
DEFAULT = Bounds(window=3600, pause=0)


def test_what_is_younger_than_a_minute_is_left_to_its_webhook_and_what_is_older_than_the_window_to_nobody(house: House) -> None:
    """Twilio's own second try takes 15 s."""
    house.redis.hset(keys.RECONCILE_SINCE, house.runtime.identities.sender(next(iter(house.runtime.users.bosses("sms")))), 0)
    book = Book([(3700, USER, BOSS, "too old"), (3500, USER, BOSS, "old"), (70, USER, BOSS, "ripe"), (50, USER, BOSS, "young")])
    assert house.look(DEFAULT, book).accepted == 2
    assert house.inbox() == ["old", "ripe"]


def test_what_reached_a_number_before_its_first_look_is_somebody_else_s(house: House) -> None:
    """A number that was another's, or an empty Redis: nobody knows what was answered then. The first look asks for nothing."""
    house.redis.delete(keys.RECONCILE_SINCE)
    book = Book([(600, USER, BOSS, "to the one before us")])
    assert (house.look(DEFAULT, book).accepted, book.asked) == (0, [])
    book.messages.append((-300, USER, BOSS, "to us"))
    assert house.look(Bounds(window=3600, young=-600, pause=0), book).accepted == 1
    assert house.inbox() == ["to us"]


@pytest.mark.parametrize(
    ("texts", "reasons", "taken"),
    [
        (["STOP", "START"], ["overtaken", "opt_in"], []),
        (["START", "STOP"], ["overtaken", "opt_out"], []),
        (["STOP", "yes"], ["overtaken"], ["yes"]),
        (["yes", "STOP", "hm"], ["opt_out", "opted_out"], ["yes"]),
        (["STOP", "hm"], ["opt_out", "opted_out"], []),
    ],
)
def test_an_opt_out_word_counts_only_if_its_sender_wrote_none_later(
    house: House, texts: list[str], reasons: list[str], taken: list[str]
) -> None:
    """A STOP that is found late does not undo the START that came since, nor a START the STOP."""
    house.look(DEFAULT, Book([(600 - place, USER, BOSS, text) for place, text in enumerate(texts)]))
    assert [line.fields["reason"] for line in house.lines("ignored")] == reasons
    assert house.inbox() == taken


def test_a_stop_that_its_webhook_brought_is_not_undone_by_a_start_found_before_it(house: House) -> None:
    """Nor by a YES; also when the later word is too young to be taken."""
    assert house.webhook("STOP", "SM2") == "ignored"
    house.look(DEFAULT, Book([(700, USER, BOSS, "yes"), (600, USER, BOSS, "START"), (500, USER, BOSS, "STOP")]))
    house.look(DEFAULT, Book([*[(400, USER, STRANGER, "")] * 3, (300, USER, BOSS, "START"), (30, USER, BOSS, "STOP")]))
    assert [line.fields["reason"] for line in house.lines("ignored")] == ["opt_out", "opted_out", "overtaken", "overtaken"]
    assert [line.type for line in house.lines("opted_out", "opted_in")] == ["opted_out"]


SENT: dict[str, tuple[tuple[float, str, str, str], bool]] = {
    "to its sender, after it": ((500, BOSS, USER, "an answer"), True),
    "to its sender, in the same second": ((600, BOSS, USER, "an answer"), True),
    "to its sender, before it": ((700, BOSS, USER, "an answer"), False),
    "to somebody else": ((500, BOSS, STRANGER, "an answer"), False),
    "by another number": ((500, OTHER, USER, "an answer"), False),
}


@pytest.mark.parametrize("name", SENT)
def test_a_text_that_may_have_been_answered_before_a_failover_is_marked(house: House, name: str) -> None:
    """Something went out to its sender after it that the mailbox knows nothing of: the reply may be the second one."""
    sent, marked = SENT[name]
    found = house.look(DEFAULT, Book([(600, USER, BOSS, "hello"), sent]))
    assert (found.accepted, found.marked) == (1, int(marked))
    message = house.runtime.mailbox.message(sms_id(ACCOUNT, "SM0"))
    assert message is not None
    assert message.maybe_duplicate is marked


def test_a_reply_that_the_mailbox_knows_marks_nothing(house: House) -> None:
    """It belongs to another text."""
    house.redis.set("boss:provider:SM1", "r-1")
    assert house.look(DEFAULT, Book([(600, USER, BOSS, "hello"), (500, BOSS, USER, "to another")])).marked == 0


def test_a_list_of_what_went_out_that_does_not_reach_back_excludes_nothing(house: House) -> None:
    """What is not seen may be the answer."""
    assert house.look(DEFAULT, Book([(600, USER, BOSS, "hello")], complete=False)).marked == 1


@pytest.fixture
def two_numbers(house: House) -> House:
    """A second Boss number, with a user of its own."""
    second = User(username="other", phone=cast("Any", LOCAL_USER.phone), boss_phone=type(cast("Any", LOCAL_USER.boss_phone))(OTHER))
    people = PeopleDirectory(house.runtime.settings, house.redis)
    people.users.replace([LOCAL_USER, second])
    runtime = Runtime(
        house.runtime.settings, people, house.redis, house.runtime.mailbox, house.runtime.dispatcher,
        house.runtime.identify,
    )  # fmt: skip
    known_for_an_hour(runtime)
    return House(runtime, house.redis, house.url)


def test_a_run_that_had_no_time_for_all_numbers_is_gone_on_with_by_the_next(two_numbers: House) -> None:
    """However many there are, none is passed over for ever."""

    class Slow(Book):
        async def received(self, number: str, since: float) -> SmsList:
            listing = await Book.received(self, number, since)
            await asyncio.sleep(0.06)
            return listing

    book = Slow([(600, USER, BOSS, "to one"), (500, USER, OTHER, "to another")])
    short = Bounds(window=3600, pause=0, total=0.05)
    first = two_numbers.look(short, book)
    assert (first.numbers, first.unread) == (1, 1 + (first.accepted == 0))
    two_numbers.look(short, book)
    assert sorted(number for _, number in book.asked) == [BOSS, OTHER]
    assert two_numbers.look(DEFAULT, book).accepted == 2


def test_who_was_added_since_the_process_looked_is_no_stranger(house: House) -> None:
    """Nor is anybody recorded as one: the registry's version is compared where the text is stored."""
    entry = {"phone": STRANGER, "boss_phone": BOSS}
    RegistryEditor(house.runtime.settings, house.redis).add("ada", entry)
    assert house.runtime.users.named("ada") is None
    found = house.look(DEFAULT, Book([(600, STRANGER, BOSS, "Hello, it is Ada"), (500, "+15550000009", BOSS, "a stranger")]))
    assert (found.accepted, found.ignored, house.inbox()) == (1, 1, ["Hello, it is Ada"])
    assert [line.fields["reason"] for line in house.lines("ignored")] == ["stranger"]


@pytest.mark.parametrize(("error", "asked"), [(ProviderUnavailable("twilio", "x"), 1), (ProviderRefused("twilio", "x"), 2)])
def test_an_outage_ends_the_run_and_a_refusal_concerns_its_number_alone(two_numbers: House, error: ProviderError, asked: int) -> None:
    """One number that Twilio does not like keeps none of the others from being looked at."""
    book = Book([], error=error)
    found = two_numbers.look(DEFAULT, book)
    assert (len(book.asked), found.unread, found.failure) == (asked, 2, "twilio_x")


def test_a_text_that_redis_refuses_for_its_own_sake_keeps_no_other_back(house: House) -> None:
    """Its fault is named; the next one is taken."""
    house.redis.set(f"boss:inbox:{conversation(house)}", "of the wrong kind")
    book = Book([(600, USER, BOSS, "poison"), (500, USER, BOSS, "STOP")])
    with capture_logs() as logs:
        found = house.look(DEFAULT, book)
    assert (found.accepted, found.ignored, found.failure) == (0, 1, "storage_fault")
    assert [line["action"] for line in logs] == ["reconcile_fault"]
    assert "poison" not in repr(logs)


def conversation(house: House) -> str:
    text = InboundSms("SM", ACCOUNT, USER, BOSS, "x")
    verdict = sms_admission.sms(text, house.runtime.users, house.runtime.settings.keywords)
    assert isinstance(verdict, sms_admission.AdmittedSms)
    return house.runtime.identities.conversation(sms_admission.received("m", text, verdict, at=0).key())


# -- whose turn it is ------------------------------------------------------------------------------------------------


@asynccontextmanager
async def reconcilers(house: House, count: int, **changes: Any) -> Any:
    """Several processes' parts, and the event that ends them."""
    settings = house.runtime.settings.model_copy(update={"reconcile_minutes": 5.0, **changes})
    runtime = Runtime(settings, house.runtime.people, house.redis, house.runtime.mailbox, house.runtime.dispatcher, house.runtime.identify)
    redis = for_loop(house.url)
    stopping = asyncio.Event()
    try:
        yield [Reconciler(runtime, AsyncMailbox(redis), stopping, lambda: False) for _ in range(count)], stopping
    finally:
        await redis.aclose()


def test_one_process_of_all_looks_in_an_interval(house: House, sandbox: SandboxProcess) -> None:
    """Whoever takes the turn; the others wait for its end, also when its holder dies."""

    async def at_once(_: AsyncMailbox) -> list[float]:
        async with reconcilers(house, 5) as (parts, _stopping):
            return [*await asyncio.gather(*(part.step() for part in parts)), await parts[0].step()]

    waits = house.run(at_once)
    assert sandbox.count("twilio.list", accepted=None) == 1
    assert all(290 < wait <= 300 for wait in waits), waits
    house.redis.delete(keys.RECONCILE_TURN)
    house.run(at_once)
    assert sandbox.count("twilio.list", accepted=None) == 2


def test_twilio_is_given_the_time_that_it_asks_for_and_not_for_ever(house: House, sandbox: SandboxProcess) -> None:
    """Retry-After puts the next look off, for an hour at most."""

    async def step(_: AsyncMailbox) -> float:
        async with reconcilers(house, 1) as ((part,), _stopping):
            return float(await part.step())

    for asked, least, most in ((10, 290, 300), (900, 890, 900), (1_000_000, 3590, 3600)):
        house.redis.delete(keys.RECONCILE_TURN)
        sandbox.faults(twilio={"fail": [{"fault": "429", "on": "list", "retry_after": asked}]})
        assert least < house.run(step) <= most


def test_told_to_end_it_ends_in_the_midst_of_a_request(house: House, sandbox: SandboxProcess) -> None:
    """It does not wait for Twilio."""
    sandbox.faults(twilio={"latency_seconds": 30})

    async def ended(_: AsyncMailbox) -> None:
        async with reconcilers(house, 1, reconcile_minutes=0.01, send_timeout_seconds=60.0) as ((part,), stopping):
            running = asyncio.create_task(part.run())
            await asyncio.to_thread(sandbox.wait, "twilio.list", 1, 10)
            stopping.set()
            await asyncio.wait_for(running, 5)

    house.run(ended)


def test_it_looks_again_and_again_also_after_an_outage_of_redis(house: House, sandbox: SandboxProcess) -> None:
    """A trouble is logged once, and the next look finds what waits."""

    async def twice(mailbox: AsyncMailbox) -> None:
        async with reconcilers(house, 1, reconcile_minutes=0.01) as ((part,), stopping):
            house.redis.set("boss:reconcile", "of the wrong kind")
            running = asyncio.create_task(part.run())
            await asyncio.to_thread(sandbox.wait, "twilio.list", 2, 10)
            await mailbox.redis.delete("boss:reconcile")
            sandbox.send_sms("hello")
            for _ in range(500):
                if await mailbox.redis.zcard("boss:open"):
                    break
                await asyncio.sleep(0.01)
            stopping.set()
            await running

    with capture_logs() as logs:
        house.run(twice)
    assert house.inbox() == ["hello"]
    assert [line["action"] for line in logs if line["log_level"] == "error"] == ["reconciler_failed"]


@pytest.mark.parametrize("changes", [{"reconcile_minutes": 0.0}, {"twilio_account_sid": ""}])
def test_without_an_interval_or_an_account_nothing_is_asked(house: House, sandbox: SandboxProcess, changes: dict[str, Any]) -> None:
    """It stands aside at once."""

    async def run(_: AsyncMailbox) -> None:
        async with reconcilers(house, 1, **changes) as ((part,), _stopping):
            await asyncio.wait_for(part.run(), 5)

    house.run(run)
    assert sandbox.count("twilio.list", accepted=None) == 0
    assert not house.redis.exists(keys.RECONCILE_TURN)


def test_a_worker_that_rests_leaves_the_list_to_others(house: House, sandbox: SandboxProcess) -> None:
    """A standby that retires begins nothing."""

    async def step(mailbox: AsyncMailbox) -> None:
        await Reconciler(house.runtime, mailbox, asyncio.Event(), lambda: True).step()

    house.run(step)
    assert sandbox.count("twilio.list", accepted=None) == 0
