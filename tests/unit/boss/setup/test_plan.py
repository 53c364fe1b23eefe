"""The plan of a set-up: a table of what stands and what is done about it, and what holds whatever stands there."""

from __future__ import annotations

import dataclasses
import itertools
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from boss.setup.apply import forwards
from boss.setup.plan import plan
from boss.setup.plan_sendgrid import EVENTS_KEY, INBOUND_KEY, SECRET, SEND_KEY, TOLD
from boss.setup.record import SetupRecord
from boss.setup.sendgrid import EVENT_FLAGS
from boss.setup.standing import (
    SetupStanding,
    StandingDomain,
    StandingEvents,
    StandingKey,
    StandingNumber,
    StandingParse,
    StandingPolicy,
    StandingSendGrid,
    StandingService,
    StandingTwilio,
)
from boss.setup.steps import Plan, SetEvents, SetNumber, SetParse
from boss.setup.undo import Undo
from boss.setup.wanted import OVERRIDES, SetupGoal
from tests.support.setup_world import Killed, SetupWorld

PUBLIC, FORMER = "https://boss.example.com", "https://tunnel.example.com"
A, B = "https://a.example.net/sms", "https://b.example.net/sms"
PHONE, OTHER_PHONE = "+15559876543", "+15559876544"
HOST = "mail.example.com"
OURS = PUBLIC + "/sms/inbound" + OVERRIDES
WANTED = SetupGoal(public_url=PUBLIC, name="Bossline x", former=frozenset({FORMER}), phones=(PHONE,), hosts=(HOST,), secret="s" * 32)
NUMBER = StandingNumber(sid="PN1", phone=PHONE)
SIGNING = StandingPolicy(id="p1", name="Bossline x", public_key="key")
FOUND = StandingDomain(id="7", domain=HOST, valid=True)


def keys_of(standing: SetupStanding, wanted: SetupGoal = WANTED) -> dict[str, str]:
    """The steps by their keys, with the hosts that must be typed."""
    return {step.key: " ".join(step.elsewhere) for step in plan(wanted, standing).steps}


def twilio(number: StandingNumber = NUMBER, *services: StandingService, **more: Any) -> SetupStanding:
    return SetupStanding(twilio=StandingTwilio(numbers=(number,), services=services, **more))


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (NUMBER, {f"number:{PHONE}": "", f"fallback:{PHONE}": ""}),
        (dataclasses.replace(NUMBER, url=OURS, fallback=OURS), {}),
        (dataclasses.replace(NUMBER, url=PUBLIC + "/sms/inbound", fallback=OURS), {f"number:{PHONE}": ""}),
        (dataclasses.replace(NUMBER, url=OURS, method="GET", fallback=OURS), {f"number:{PHONE}": ""}),
        (dataclasses.replace(NUMBER, url=FORMER + "/sms/inbound", fallback=OURS), {f"number:{PHONE}": ""}),
        (dataclasses.replace(NUMBER, url=A, fallback=B), {f"number:{PHONE}": "a.example.net", f"fallback:{PHONE}": "b.example.net"}),
        (dataclasses.replace(NUMBER, url="https://demo.twilio.com/welcome/sms/reply", fallback=OURS), {f"number:{PHONE}": ""}),
        (dataclasses.replace(NUMBER, url=OURS, fallback=OURS, application="AP1", application_url=A), {f"number:{PHONE}": "a.example.net"}),
        (dataclasses.replace(NUMBER, url=OURS, fallback=OURS, application="AP1"), {f"number:{PHONE}": "AP1"}),
        (
            dataclasses.replace(NUMBER, url=PUBLIC + ".example.net/sms/inbound", fallback=OURS),
            {f"number:{PHONE}": "boss.example.com.example.net"},
        ),
        (dataclasses.replace(NUMBER, url="https://boss.example.com@a.example.net/x", fallback=OURS), {f"number:{PHONE}": "a.example.net"}),
    ],
)
def test_a_number_is_pointed_here_and_anothers_webhook_only_after_its_host_was_typed(
    number: StandingNumber, expected: dict[str, str]
) -> None:
    """Ours are the address of now and those of before; a name that only looks like ours is another's."""
    assert keys_of(twilio(number)) == expected


def test_what_a_number_is_set_to() -> None:
    """The webhook with Twilio's overrides, no application, and the same address as its fallback. Nothing else is touched."""
    number = dataclasses.replace(NUMBER, url=A, fallback=B, application="AP1", application_url=A)
    first, second = plan(WANTED, twilio(number)).steps
    assert first.change == SetNumber("PN1", {"SmsUrl": OURS, "SmsMethod": "POST", "SmsApplicationSid": ""})
    assert first.stood == {"SmsUrl": A, "SmsMethod": "POST", "SmsApplicationSid": "AP1"}
    assert second.change == SetNumber("PN1", {"SmsFallbackUrl": OURS, "SmsFallbackMethod": "POST"})
    assert second.stood == {"SmsFallbackUrl": B, "SmsFallbackMethod": "POST"}


POINTED = dataclasses.replace(NUMBER, url=OURS, fallback=OURS)
SERVICE = StandingService(sid="MG1", name="family", phones=(PHONE,))


@pytest.mark.parametrize(
    ("service", "expected", "note"),
    [
        (SERVICE, {"service:MG1": ""}, "decides where its texts go"),
        (dataclasses.replace(SERVICE, url=A), {"service:MG1": "a.example.net"}, "decides where its texts go"),
        (dataclasses.replace(SERVICE, uses_number=True), {}, "leaves it to the number"),
        (dataclasses.replace(SERVICE, url=PUBLIC + "/sms/inbound"), {}, "to us"),
        (dataclasses.replace(SERVICE, phones=(PHONE, OTHER_PHONE)), {}, "1 that are not the Boss's"),
        (dataclasses.replace(SERVICE, phones=(OTHER_PHONE,)), {}, ""),
    ],
)
def test_a_messaging_service_is_explained_and_left_alone_where_it_has_others_numbers(
    service: StandingService, expected: dict[str, str], note: str
) -> None:
    """What it decides for our numbers alone is changed."""
    standing = twilio(POINTED, service)
    assert keys_of(standing) == expected
    assert any(note in each for each in plan(WANTED, standing).notes)


@pytest.mark.parametrize(
    ("number", "services", "brand", "words"),
    [
        (POINTED, (), "", "brand is not registered, and it is in no Messaging Service"),
        (POINTED, (SERVICE,), "APPROVED", "brand is approved, and its Messaging Service has no campaign"),
        (
            POINTED,
            (dataclasses.replace(SERVICE, campaign="IN_PROGRESS"),),
            "IN_REVIEW",
            "in review, and its Messaging Service has a campaign that is in progress",
        ),
        (POINTED, (dataclasses.replace(SERVICE, campaign="VERIFIED"),), "APPROVED", "is registered for A2P 10DLC"),
        (dataclasses.replace(POINTED, kind="tollfree"), (), "", "is toll-free and not registered"),
        (dataclasses.replace(POINTED, kind="tollfree", verification="IN_REVIEW"), (), "", "is toll-free and in review"),
        (dataclasses.replace(POINTED, kind="tollfree", verification="TWILIO_APPROVED"), (), "", "is a verified toll-free number"),
    ],
)
def test_what_the_carriers_know_is_said(number: StandingNumber, services: tuple[StandingService, ...], brand: str, words: str) -> None:
    """For numbers of +1; there is no way to register by a few questions, so it is only shown."""
    assert any(words in note for note in plan(WANTED, twilio(number, *services, brand=brand)).notes)


def test_numbers_that_cannot_be_used_are_named() -> None:
    """One that is not the account's, one that cannot text, and an account on trial; elsewhere than in +1 nothing is said of carriers."""
    wanted = dataclasses.replace(WANTED, phones=(PHONE, "+4915550000001"))
    foreign = StandingNumber(sid="PN2", phone="+4915550000001", can_text=False, url=OURS, fallback=OURS)
    notes = plan(wanted, SetupStanding(twilio=StandingTwilio(numbers=(foreign,), trial=True))).notes
    assert ["is not a number of this" in notes[0], "cannot send or receive" in notes[1], "is a trial" in notes[2]] == [True] * 3
    assert len(notes) == 3


def sendgrid(env: Mapping[str, str] | None = None, **more: Any) -> SetupStanding:
    return SetupStanding(sendgrid=StandingSendGrid(**more), env={SEND_KEY: "SG.k.x", **(env or {})})


WHOLE: dict[str, Any] = {
    "domains": (FOUND,),
    "policies": (SIGNING,),
    "parse": (StandingParse(host=HOST, url=PUBLIC + "/email/inbound", policy="p1"),),
    "events": (StandingEvents(id="e1", url=PUBLIC + "/email/events", name="Bossline x", events=TOLD, public_key="told"),),
    "keys": (StandingKey(id="k", name="Bossline x"),),
}
PROVEN = {INBOUND_KEY: "key", EVENTS_KEY: "told"}
PLAIN_EVENTS = StandingEvents(id="e9", url="https://a.example.net/events", events=frozenset({"open"}))


@pytest.mark.parametrize(
    ("env", "changed", "expected"),
    [
        (PROVEN, {}, {}),
        ({**PROVEN, INBOUND_KEY: "another"}, {}, {f"env:{INBOUND_KEY}": ""}),
        ({INBOUND_KEY: "key"}, {}, {f"env:{EVENTS_KEY}": ""}),
        (PROVEN, {"domains": ()}, {f"domain:{HOST}": ""}),
        (PROVEN, {"domains": (dataclasses.replace(FOUND, valid=False),)}, {f"records:{HOST}": ""}),
        (PROVEN, {"parse": ()}, {f"parse:{HOST}": ""}),
        (PROVEN, {"parse": (StandingParse(host=HOST, url=A, policy="p1"),)}, {f"parse:{HOST}": "a.example.net"}),
        (PROVEN, {"parse": (StandingParse(host=HOST, url=FORMER + "/email/inbound", policy="p1"),)}, {f"parse:{HOST}": ""}),
        (PROVEN, {"parse": (StandingParse(host=HOST, url=PUBLIC + "/email/inbound"),)}, {f"parse:{HOST}": ""}),
        (PROVEN, {"policies": ()}, {"policy": "", f"parse:{HOST}": ""}),
        ({**PROVEN, SECRET: "s"}, {"policies": None}, {f"parse:{HOST}": "", "events": ""}),
        (PROVEN, {"policies": None}, {f"env:{SECRET}": ""}),
        (PROVEN, {"events": ()}, {"events": ""}),
        (PROVEN, {"events": (PLAIN_EVENTS,), "max_events": 2}, {"events": ""}),
        (PROVEN, {"events": (PLAIN_EVENTS,), "max_events": 1}, {"events": "a.example.net"}),
        (PROVEN, {"events": (PLAIN_EVENTS, dataclasses.replace(PLAIN_EVENTS, id="e8", url=B)), "max_events": 2}, {}),
        (PROVEN, {"events": (dataclasses.replace(WHOLE["events"][0], enabled=False),)}, {"events": ""}),
        (PROVEN, {"events": (dataclasses.replace(WHOLE["events"][0], public_key=""),)}, {"signature": ""}),
        ({**PROVEN, SEND_KEY: ""}, {}, {"lost:k": "", "key": ""}),
        ({**PROVEN, SEND_KEY: "SG.other.x"}, {}, {"lost:k": "", "key": ""}),
        ({**PROVEN, SEND_KEY: "of a form of its own"}, {"keys": ()}, {}),
    ],
)
def test_what_is_missing_at_sendgrid_is_done(env: dict[str, str], changed: dict[str, Any], expected: dict[str, str]) -> None:
    """And nothing else; what is somebody else's has its host beside it."""
    assert keys_of(sendgrid(env, **{**WHOLE, **changed})) == expected


def test_a_key_with_full_access_does_not_stay() -> None:
    """Even if it was in `.env` before."""
    wanted = dataclasses.replace(WANTED, spent_key="SG.k.x")
    assert "key" in keys_of(sendgrid(PROVEN, **{**WHOLE, "keys": (StandingKey(id="k", name="all"),)}), wanted)
    assert "key" not in keys_of(sendgrid(PROVEN, **{**WHOLE, "keys": (StandingKey(id="k", name="all"),)}))


def test_the_secret_stays_in_the_address_while_there_is_one() -> None:
    """A web process that has not been started again yet knows no key, and lets mail in by the secret: none is lost in between."""
    steps = {step.key: step for step in plan(WANTED, sendgrid({**PROVEN, SECRET: "s 1"}, **WHOLE)).steps}
    change = steps[f"parse:{HOST}"].change
    assert isinstance(change, SetParse)
    assert (change.document["url"], change.document["security_policy"]) == (PUBLIC + "/email/inbound?token=s+1", "p1")
    events = steps["events"].change
    assert isinstance(events, SetEvents)
    assert events.document["url"] == PUBLIC + "/email/events?token=s+1"
    assert not any("s+1" in step.says for step in steps.values())


def test_the_order_is_this_machine_first_and_a_host_waits_for_its_domain_and_policy() -> None:
    """A key is known here before anything is signed with it."""
    wanted = dataclasses.replace(WANTED, env={"A_B": "1"}, person={"username": "ada"})
    standing = SetupStanding(twilio=StandingTwilio(numbers=(NUMBER,)), sendgrid=StandingSendGrid())
    steps = plan(wanted, standing).steps
    assert [step.key for step in steps] == [
        "env", "person", f"number:{PHONE}", f"fallback:{PHONE}", f"domain:{HOST}", "policy", f"parse:{HOST}", "events", "key",
    ]  # fmt: skip
    assert steps[6].after == f"domain:{HOST}"
    standing = SetupStanding(sendgrid=StandingSendGrid(domains=(StandingDomain(id="1", domain="example.com", valid=True),)))
    [parse] = [step for step in plan(wanted, standing).steps if step.key == f"parse:{HOST}"]
    assert parse.after == "policy"


# What holds whatever stands there

addresses = st.sampled_from(["", A, B, OURS, PUBLIC + "/sms/inbound", FORMER + "/sms/inbound" + OVERRIDES, "https://demo.twilio.com/x"])
numbers = st.builds(
    StandingNumber,
    sid=st.just("PN1"), phone=st.just(PHONE), url=addresses, fallback=addresses, method=st.sampled_from(["GET", "POST"]),
    application=st.sampled_from(["", "", "AP1"]), application_url=st.sampled_from(["", A]),
)  # fmt: skip
services = st.builds(
    StandingService,
    sid=st.just("MG1"), name=st.just("family"), phones=st.sampled_from([(PHONE,), (PHONE, OTHER_PHONE), (OTHER_PHONE,)]),
    uses_number=st.booleans(), url=st.sampled_from(["", A, PUBLIC + "/sms/inbound"]),
)  # fmt: skip
twilios = st.builds(
    lambda number, found: StandingTwilio(numbers=(number, StandingNumber(sid="PN2", phone=OTHER_PHONE, url=B)), services=tuple(found)),
    numbers,
    st.lists(services, max_size=1),
)
mail = st.sampled_from(["https://a.example.net/mail", PUBLIC + "/email/inbound", FORMER + "/email/inbound", "https://b.example.net/mail"])
event_urls = st.sampled_from(["https://a.example.net/events", PUBLIC + "/email/events", FORMER + "/email/events"])
events = st.builds(
    StandingEvents,
    id=st.sampled_from(["e1", "e2"]), url=event_urls, name=st.sampled_from(["", "theirs"]), enabled=st.booleans(),
    events=st.frozensets(st.sampled_from(EVENT_FLAGS)), public_key=st.sampled_from(["", "theirs"]),
)  # fmt: skip


@st.composite
def sendgrids(draw: st.DrawFn) -> StandingSendGrid:
    policies = draw(
        st.sampled_from([None, (), (StandingPolicy(id="q", name="theirs", public_key="q"),), (StandingPolicy(id="q", name="oauth"),)])
    )
    attached = st.sampled_from(["", *(each.id for each in policies or ())])
    parse = draw(
        st.lists(
            st.builds(StandingParse, host=st.sampled_from([HOST, "other.example.com"]), url=mail, policy=attached, send_raw=st.booleans()),
            max_size=2,
            unique_by=lambda each: each.host,
        )
    )
    domains = draw(
        st.lists(
            st.sampled_from(
                [FOUND, dataclasses.replace(FOUND, id="8", valid=False), StandingDomain(id="9", domain="example.com", valid=True)]
            ),
            max_size=2,
            unique_by=lambda each: each.id,
        )
    )
    found = draw(st.lists(events, max_size=2, unique_by=(lambda each: each.id, lambda each: each.url)))
    return StandingSendGrid(
        domains=tuple(domains), parse=tuple(parse), policies=policies, events=tuple(found),
        max_events=draw(st.integers(max(1, len(found)), 3)),
        keys=(StandingKey(id="z", name="theirs"),),
    )  # fmt: skip


envs = st.dictionaries(
    st.sampled_from([SECRET, SEND_KEY, INBOUND_KEY, EVENTS_KEY, "OTHER_NAME"]), st.sampled_from(["SG.z.theirs", "q", "theirs"])
)
hosts = st.frozensets(st.sampled_from(["a.example.net", "b.example.net", "AP1"]))
ALL = frozenset({"a.example.net", "b.example.net", "AP1"})
PERSON = {"username": "ada", "phone": "+15551234567", "boss_phone": PHONE, "email": "ada@example.com", "boss_email": f"boss@{HOST}"}
GOAL = dataclasses.replace(WANTED, env={"PUBLIC_URL": PUBLIC, "ENVIRONMENT": "production"}, person=PERSON)


def wanted_by(record: SetupRecord) -> Callable[[SetupStanding], Plan]:
    return forwards(dataclasses.replace(GOAL, name=record.name))


def undone_by(record: SetupRecord) -> Callable[[SetupStanding], Plan]:
    return Undo(dataclasses.replace(GOAL, name=record.name), record).plan


def picture(world: SetupWorld) -> dict[str, Any]:
    """What stands, with names in the place of ids and of keys that were made."""
    standing, name = world.standing(), world.record.name
    assert standing.twilio is not None
    assert standing.sendgrid is not None
    at = standing.sendgrid
    called = {each.id: "ours" if each.name == name else each.name for each in at.policies or ()}
    named = {each.public_key: called[each.id] for each in at.policies or ()} | {
        each.public_key: "told" for each in at.events if each.public_key
    }
    env = {key: named.get(value, "made" if value.startswith("SG.1") else value) for key, value in standing.env.items()}
    events = [
        dataclasses.replace(each, id="", name="ours" if each.name == name else each.name, public_key=str(bool(each.public_key)))
        for each in at.events
    ]
    return {
        "twilio": standing.twilio,
        "env": env,
        "users": standing.users_text,
        "domains": sorted((each.domain, each.valid) for each in at.domains),
        "parse": sorted((each.host, each.url, each.send_raw, called.get(each.policy, "")) for each in at.parse),
        "policies": sorted(called.values()),
        "events": sorted((each.url, each.name, each.enabled, sorted(each.events), each.public_key) for each in events),
        "keys": sorted("ours" if each.name == name else each.name for each in at.keys),
    }


@dataclasses.dataclass(frozen=True)
class Start:
    """What stands before a run."""

    twilio: StandingTwilio
    sendgrid: StandingSendGrid
    env: dict[str, str]

    def world(self, folder: Path, *, dns: bool = True) -> SetupWorld:  # noqa: D102 - what the class says
        return SetupWorld(folder, self.twilio, self.sendgrid, self.env, dns=dns)


@dataclasses.dataclass(frozen=True)
class Interruption:
    """What happens at the nth change at a provider."""

    at: int
    kind: str

    def into(self, world: SetupWorld) -> None:  # noqa: D102 - what the class says
        world.faults.at, world.faults.seen, world.faults.kind = self.at, 0, self.kind


starts = st.builds(Start, twilios, sendgrids(), envs)
interruptions = st.builds(Interruption, st.integers(1, 9), st.sampled_from(["kill before", "kill after", "before", "after"]))


@pytest.fixture(autouse=True)
def _quick_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """No disk is lost here: thousands of synced files would be what is measured."""
    monkeypatch.setattr(os, "fsync", lambda _: None)


@pytest.fixture
def folders(tmp_path: Path) -> Callable[[], Path]:
    """An empty folder for each example."""
    numbered = itertools.count()
    return lambda: tmp_path / str(next(numbered))


@given(start=starts, agreed=hosts, dns=st.booleans())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_it_ends_and_a_second_run_finds_nothing_to_do(
    folders: Callable[[], Path], start: Start, agreed: frozenset[str], *, dns: bool
) -> None:
    """But to look for DNS records again; and no address of another is replaced whose host was not typed."""
    world = start.world(folders(), dns=dns)
    world.run(wanted_by, agreed)
    first = picture(world)
    again = world.run(wanted_by, agreed)
    assert [step.key for step in again.done if not step.key.startswith("records:")] == []
    assert picture(world) == first
    for host in ALL - agreed:
        assert _addresses(start.twilio, start.sendgrid, host) <= _addresses(world.twilio.standing, world.sendgrid.standing, host)
    assert world.twilio.standing.number(OTHER_PHONE) == start.twilio.number(OTHER_PHONE)


def _addresses(at_twilio: StandingTwilio, at_sendgrid: StandingSendGrid, host: str) -> set[tuple[str, str]]:
    """What calls a host, each with where it stands."""
    found = {(f"{each.phone} url", each.url) for each in at_twilio.numbers}
    found |= {(f"{each.phone} fallback", each.fallback) for each in at_twilio.numbers}
    found |= {(f"{each.phone} application", each.application_url or each.application) for each in at_twilio.numbers if each.application}
    found |= {(each.sid, each.url) for each in at_twilio.services if not each.uses_number}
    found |= {(each.host, each.url) for each in at_sendgrid.parse} | {(each.id, each.url) for each in at_sendgrid.events}
    return {(place, url) for place, url in found if host in url}


@given(start=starts)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_with_every_host_typed_and_the_records_there_all_stands_as_it_should(folders: Callable[[], Path], start: Start) -> None:
    """Texts and mail come here, mail is proven, events are told and signed, and the key that sends is not one with more rights."""
    world = start.world(folders())
    assert world.run(wanted_by, ALL).left == {}
    _check_texts(world)
    _check_mail(world)
    _check_events(world, start)
    assert world.standing().env[SEND_KEY]
    assert world.standing().usernames == {"ada"}


def _check_texts(world: SetupWorld) -> None:
    number = world.twilio.standing.number(PHONE)
    assert number is not None
    assert (number.url, number.fallback, number.application, number.method) == (OURS, OURS, "", "POST")
    for service in world.twilio.standing.services:
        assert service.uses_number or PHONE not in service.phones or OTHER_PHONE in service.phones or GOAL.is_ours(service.url)


def _check_mail(world: SetupWorld) -> None:
    found, env = world.sendgrid.standing, world.standing().env
    setting = found.parse_of(HOST)
    assert setting is not None
    assert setting.url.startswith(PUBLIC + "/email/inbound")
    policy = found.policy(setting.policy)
    if found.policies is None:
        assert setting.url.endswith("?token=" + env[SECRET])
    else:
        assert policy is not None
        assert policy.public_key == env[INBOUND_KEY]


def _check_events(world: SetupWorld, start: Start) -> None:
    """Where the plan has room for ours, or for one alone."""
    before = start.sendgrid.events
    if len(before) == start.sendgrid.max_events > 1 and not any(GOAL.is_ours(each.url) for each in before):
        return
    told = next(each for each in world.sendgrid.standing.events if each.url.startswith(PUBLIC))
    assert (told.enabled, told.events >= TOLD, told.public_key) == (True, True, world.standing().env[EVENTS_KEY])


@given(start=starts, first=interruptions, second=interruptions)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_interrupted_anywhere_and_run_again_it_ends_the_same(
    folders: Callable[[], Path], start: Start, first: Interruption, second: Interruption
) -> None:
    """Killed before or after a change at a provider, twice, or left without an answer."""
    whole, broken = start.world(folders()), start.world(folders())
    whole.run(wanted_by, ALL)
    for interruption in (first, second):
        interruption.into(broken)
        with suppress(Killed):
            broken.run(wanted_by, ALL)
    broken.faults.at = 0
    assert broken.run(wanted_by, ALL).left == {}
    assert picture(broken) == picture(whole)


@given(start=starts, agreed=hosts, interruption=interruptions)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_undone_everything_stands_as_before(
    folders: Callable[[], Path], start: Start, agreed: frozenset[str], interruption: Interruption
) -> None:
    """Whatever was made is gone, whatever was replaced is back; also if the undoing was interrupted."""
    world = start.world(folders())
    before = picture(world)
    world.run(wanted_by, agreed)
    interruption.into(world)
    with suppress(Killed):
        world.run(undone_by)
    world.faults.at = 0
    assert world.run(undone_by).left == {}
    after = picture(world)
    for domain, valid in after.pop("domains"):  # that its records were seen is no change of ours
        assert {(domain, valid), (domain, False)} & set(before["domains"])
    del before["domains"]
    assert after == before
