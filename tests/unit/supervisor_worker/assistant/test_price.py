"""What a question may use at most: no less by the claim, which has not read it, than by the question itself."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.config.loading import load_settings
from shared.config.prices import shipped
from shared.mailbox.calls import Dearest, RememberedFact, RememberedFacts
from shared.mailbox.records import Beginning, Message, MessageState, Reply, ReplyState
from shared.model import codec
from shared.model.addresses import EmailAddress, PhoneNumber
from shared.model.events import EmailReceived, Received, SendSmsResponse, SmsReceived
from shared.model.extracts import Extracts, shared_out
from shared.model.files import File
from shared.model.media import MAX_MEDIA, Media
from shared.model.users import LOCAL_USER, User, Users
from supervisor_worker.assistant import price, prompt
from supervisor_worker.assistant.history import UNANSWERED, shown_history
from supervisor_worker.assistant.prompt_message import PromptMessage
from supervisor_worker.assistant.tools.catalog import definitions
from supervisor_worker.media.image_header import Picture
from supervisor_worker.media.turn_files import MAX_TURN_TEXT, Document, LoadedFiles, TurnFile
from tests.support.effort import rounds

NOW = 1_764_500_000_000
MOST_REMEMBERED = RememberedFacts(
    tuple(RememberedFact(f"f{number}", "\u0416" * 500, NOW, "email", marked=number % 2 == 0, pinned=True) for number in range(200)), 200
)
USER, BOSS = PhoneNumber("+15551234567"), PhoneNumber("+15559876543")
TEXTS = st.text(max_size=60) | st.sampled_from(["\u27e6" * 40, "\U0001f600" * 30, "x" * 20_000, "\u0416" * 17_000, ""])
NAMES = st.text(min_size=1, max_size=200) | st.sampled_from(["\u27e6" * 200, "\U0001f600" * 120, "a.pdf"])
HIDDEN = st.sampled_from([0, 100, 10_000_000])


@st.composite
def texts(draw: st.DrawFn) -> SmsReceived:
    count = draw(st.integers(0, MAX_MEDIA))
    media = tuple(Media(f"ME{number:032x}", draw(st.sampled_from(["image/png", "application/pdf"]))) for number in range(count))
    return SmsReceived(
        id=f"m-{draw(st.integers(0, 10**9)):024}", from_=USER, to=BOSS, message=draw(TEXTS), user="user", provider_id="SM" + "0" * 32,
        media_count=count + draw(st.integers(0, 3)), media=media, hidden=draw(HIDDEN),
    )  # fmt: skip


@st.composite
def mails(draw: st.DrawFn) -> EmailReceived:
    via = draw(st.sampled_from(["", "c@example.com", "c" * 64 + "@example.com"]))
    words = (
        {"via": via, "author": f"Tom <{'t' * 300}@x.example>", "proof": "p" * 400, "tag": "t", "others": ("o" * 400,) * 20} if via else {}
    )
    return EmailReceived(
        id="m-1", from_=EmailAddress("user@example.com"), to=EmailAddress("boss@example.com"), subject=draw(TEXTS), body=draw(TEXTS),
        user="user", message_id="<1@example.com>", attachments=tuple(draw(st.lists(TEXTS, max_size=12))), hidden=draw(HIDDEN),
        files=tuple(File(draw(st.sampled_from(["", "0" * 32])), name, "a/b", 3) for name in draw(st.lists(NAMES, max_size=30))),
        **cast("Any", words),
    )  # fmt: skip


def read_in(events: list[Received], texts: list[str]) -> LoadedFiles:
    """What was read in the files of mails, cut as the loader cuts it."""
    faults: list[Any] = ["", "damaged", "no_room", ""]
    found = {
        event.id: tuple(
            TurnFile(file, "PDF document", text, cut=True, fault=faults[place % 4], text_only=True)
            for place, (file, text) in enumerate(zip(event.files, shared_out(texts[: len(event.files)], MAX_TURN_TEXT), strict=False))
        )
        for event in events
    }
    return LoadedFiles(found)


def reckoned(dearest: Dearest, events: list[Received], texts_before: int) -> int:
    """As `claim.lua` does; that it does is held by the mailbox's rows."""
    records = [codec.encode(event) for event in events]
    size = min(texts_before, dearest.history) + sum(min(len(record), dearest.text) for record in records)
    size += sum(dearest.files for event in events if event.files)
    pictures = sum(len(json.loads(record).get("media", ())) for record in records)
    return dearest.fixed + -(-size // 2) + dearest.picture * min(pictures, dearest.pictures)


@settings(max_examples=rounds(40), deadline=None)
@given(
    st.lists(texts(), min_size=1, max_size=4) | st.lists(mails(), min_size=1, max_size=1), st.lists(texts() | mails(), max_size=20),
    st.integers(0, 9_000), st.text(max_size=400), st.lists(TEXTS, min_size=30, max_size=30),
)  # fmt: skip
def test_a_claim_reserves_no_less_than_its_question_may_use(
    events: list[Received], before: list[Received], tokens: int, name: str, read: list[str]
) -> None:
    """Whatever is written, in whichever script, with whatever files and names."""
    chosen = load_settings(_env_file=None, history_tokens=tokens)
    history: list[Message | Reply] = []
    for number, event in enumerate(before):
        reason = UNANSWERED if number % 3 == 0 else ""
        extracts = Extracts.of([(file.name, text) for file, text in zip(event.files, read, strict=False)])
        at = NOW - (len(before) - number) * 7_200_000  # each line with a stamp, and half of the answers lost
        history.append(
            Message(
                event.id, "c-1", "text", MessageState.ANSWERED, event=event, reason=reason, extracts=extracts, accepted_at=at - 3_600_000
            )
        )
        history.append(
            Reply(
                f"r-{number}",
                "c-1",
                f"t-{number}",
                SendSmsResponse(to=USER, from_=BOSS, message="ok " * number, user="u"),
                ReplyState.SENT,
                stored_at=at,
                lost_at=at + 1 if number % 2 else 0,
            )
        )
    records = [codec.encode(entry.event if isinstance(entry, Message) else entry.command) for entry in history]  # type: ignore[arg-type]
    records += [str(entry.extracts) for entry in history if isinstance(entry, Message) and entry.extracts]
    media = [(event.id, media.id) for event in events if isinstance(event, SmsReceived) for media in event.media if media.may_be_picture]
    pictures = {each: Picture("image/png", 2_000, 2_000, "") for each in media[:MAX_MEDIA]}
    user = User(username="user", name=name)
    channel: Any = "sms" if isinstance(events[0], SmsReceived) else "email"
    files = read_in(events, read)
    times = [NOW - 120_000 * (len(events) - number) for number, _ in enumerate(events)]
    built = prompt.build_prompt(
        channel, events, shown_history(history, Beginning(), tokens, UTC), pictures, files=files, user=user,
        now=datetime.fromtimestamp(NOW / 1000, UTC), times=times, remembered=MOST_REMEMBERED,
    )  # fmt: skip
    built = replace(built, tools=definitions())
    assert reckoned(price.dearest(chosen), events, sum(map(len, records))) >= price.most_of(built, chosen)


@pytest.mark.parametrize(
    ("tokens", "people", "share", "expected"),
    [
        (1_000_000, 1, 0.25, 0), (1_000_000, 2, 0.25, 500_000), (1_000_000, 3, 0.25, 333_333), (1_000_000, 4, 0.25, 250_000),
        (1_000_000, 9, 0.25, 250_000), (1_000_000, 9, 1, 0), (1_000_000, 2, 0.75, 750_000), (0, 9, 0.25, 0), (6_000, 9, 0.25, 0),
    ],
)  # fmt: skip
def test_a_share_is_at_least_an_equal_part(tokens: int, people: int, share: float, expected: int) -> None:
    """A person who is alone has all; 0 is no bound."""
    chosen = load_settings(_env_file=None, sandbox="off", daily_tokens=tokens, daily_turns=7, sender_daily_share=share)
    bounds = price.day_bounds(chosen, Users([LOCAL_USER] * people))
    assert (bounds.tokens, bounds.turns, bounds.sender) == (tokens, 7, expected)


@pytest.mark.parametrize(("tokens", "share", "expected"), [(1_000_000, 0.25, 250_000), (1_000_000, 1, 0), (0, 0.25, 0), (6_000, 0.25, 0)])
def test_all_that_comes_by_forwarding_addresses_has_one_share_however_few_users_there_are(tokens: int, share: float, expected: int) -> None:
    """What is left of the day is the users'."""
    chosen = load_settings(_env_file=None, sandbox="off", daily_tokens=tokens, sender_daily_share=share)
    assert {price.day_bounds(chosen, Users([LOCAL_USER] * people)).forwarded for people in (1, 2, 9)} == {expected}


def test_a_share_has_room_for_two_questions_at_least() -> None:
    """Else an installation with a small bound and many users would answer nobody."""
    chosen = load_settings(_env_file=None, sandbox="off", daily_tokens=50_000)
    assert price.day_bounds(chosen, Users([LOCAL_USER] * 9)).sender == 2 * price.dearest(chosen).fixed


def test_a_bound_smaller_than_one_question_is_said_so() -> None:
    """Whatever is asked."""

    def said(tokens: int) -> str:
        return price.too_small(load_settings(_env_file=None, sandbox="off", daily_tokens=tokens), shipped())

    assert said(5_000).startswith("DAILY_TOKENS is 5,000, but one question")
    assert said(20_000) == said(0) == ""


def test_a_document_counts_by_its_pages() -> None:
    """Text and picture of each."""
    chosen = load_settings(_env_file=None)
    message = PromptMessage("user", "x", documents=(Document(7, ""), Document(2, "")))
    bare = prompt.Prompt("", (PromptMessage("user", "x"),))
    assert price.most_of(prompt.Prompt("", (message,)), chosen) - price.most_of(bare, chosen) == 9 * price.PAGE_TOKENS
