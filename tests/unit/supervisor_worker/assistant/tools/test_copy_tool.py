"""The tool that sends copies: what the model may give, where a copy goes, and what both are told."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast
from zoneinfo import ZoneInfo

import pytest

from shared.model import codec
from shared.model.addresses import Channel, Identities
from shared.model.copies import NO_COPY, Copy
from shared.model.events import EmailReceived
from shared.model.users import LOCAL_USER, User
from supervisor_worker.assistant.copy_targets import CopyTarget
from supervisor_worker.assistant.tools.copies import COPY_TOOLS, MAX_TEXT
from supervisor_worker.assistant.tools.tool import BadArguments, ToolContext

EN, DE = (ToolContext(ZoneInfo("Europe/Berlin"), "sms", 0, language=language) for language in ("en", "de"))
(COPY,) = COPY_TOOLS
IDENTITIES = Identities(b"salt")


def target(user: User | None = LOCAL_USER, channel: Channel = "sms") -> CopyTarget:
    return CopyTarget(user, IDENTITIES, "t-1", channel, 7.0)


def test_the_model_gives_a_text_or_names_an_answer_and_no_address() -> None:
    """Everything else that it gives is left out."""
    assert COPY.prepare({}, EN) == {"text": "", "of": ""}
    assert COPY.prepare({"text": " a \u27e7", "answer_to": " m-1 ", "to": "eve@example.com"}, EN) == {"text": "a ]", "of": "m-1"}
    assert COPY.prepare({"text": 7, "answer_to": ["x"]}, EN) == {"text": "", "of": ""}
    assert set(COPY.schema["properties"]) == {"text", "answer_to"}
    with pytest.raises(BadArguments, match="8,001"):
        COPY.prepare({"text": "x" * (MAX_TEXT + 1)}, EN)


def test_a_copy_goes_to_the_persons_own_other_channel() -> None:
    """Its id follows from the turn and the call; whatever the arguments say of a place is written over."""
    added = target().added({"text": "x", "of": "", "to": {"channel": "sms"}}, "1:tu_1")
    to = added["to"]
    event = codec.decode(to["event"])
    assert isinstance(event, EmailReceived)
    assert (str(event.from_), str(event.to), event.subject) == ("user@example.com", "boss@example.com", "The copy that you asked for")
    assert (to["channel"], to["message"], to["pair"]) == ("email", event.id, IDENTITIES.pair(event.to, event.from_))
    assert target().added({}, "1:tu_1") == {"to": to}
    assert cast("Any", target().added({}, "1:tu_2")["to"])["message"] != to["message"]
    assert cast("Any", target(channel="email").added({}, "1:tu_1")["to"])["channel"] == "sms"


def test_who_has_one_channel_only_has_nowhere_to_send_a_copy() -> None:
    """Nor has who comes over the bridge alone, or has left the users file."""
    alone = replace(LOCAL_USER, email=None, boss_email=None)
    for user in (None, alone, replace(LOCAL_USER, bridge_only=True)):
        assert target(user).added({}, "1:tu_1") == {"to": None}


def test_what_became_of_it_is_told() -> None:
    """To the model in a sentence, to the person in a line of code's, in their language."""
    sent = {"ok": True, "channel": "email", "message": "m-1"}
    assert (COPY.told(sent, EN), COPY.receipt(sent, EN)) == ("The copy goes out by mail.", "Copy sent to your mail.")
    assert COPY.receipt({**sent, "channel": "sms"}, DE) == "Kopie an dein Telefon geschickt."
    for reason, channel, receipt in (
        ("no_channel", "", "Not sent: I know no other address of yours."),
        ("opted_out", "sms", "Not sent: you asked me to send you no texts."),
        ("too_many", "email", "Not sent: I send 20 copies in a day at most."),
        ("nothing", "email", "Not sent: there is no answer of mine to copy."),
    ):
        result = {"ok": False, "reason": reason, "channel": channel, "most": 20}
        assert COPY.told(result, EN).startswith("Not sent: ")
        assert COPY.receipt(result, EN) == receipt


def test_a_copy_that_cannot_be_read_says_nothing() -> None:
    """It is parked then, visibly."""
    assert Copy.parse('{"text":"a","reply":"","marked":true}') == Copy("a", "", True)
    for record in ("", "[]", "{}", "7"):
        assert Copy.parse(record) is NO_COPY
