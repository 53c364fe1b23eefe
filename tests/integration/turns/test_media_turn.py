"""A text with pictures from its webhook to the question that the model is asked; whatever becomes of a picture, the text is answered."""

from __future__ import annotations

import base64
import hashlib
import json
import resource
import socket
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from shared.mailbox import calls
from shared.model.events import Received
from shared.model.users import LOCAL_USER, Users
from supervisor_worker.media.image_header import MAX_BYTES
from tests.payloads import form_body, sms_fields
from tests.payloads.pictures import bomb, gif, jpeg, png, webp
from tests.support.turn_environment import TurnEnvironment
from tests.support.webhook_client import Web, only_message


def arrives(environment: TurnEnvironment, web: Web, *files: bytes, kind: str = "image/png", body: str = "Look") -> Received:
    """A text with these files: kept by the sandbox, and its webhook, as Twilio would post it, taken in."""
    before = {record["id"] for record in web.stored()}
    media = [{"content_base64": base64.b64encode(data).decode(), "content_type": kind} for data in files]
    environment.sandbox.send_sms(body, media=media, copies=1)
    posted = environment.sandbox.journal("webhook.sms")[-1]["request"]["params"]
    assert web.sms(body=form_body(posted)).status_code == 200
    (new,) = [record["id"] for record in web.stored() if record["id"] not in before]
    message = web.runtime.mailbox.message(new)
    assert message is not None
    assert message.event is not None
    return message.event


def answered(environment: TurnEnvironment, event: Received) -> list[dict[str, Any]]:
    """Run the turn; the questions that the model was asked, oldest first."""
    environment.once(event)
    assert environment.state(event) == "answered", environment.story()
    assert environment.sandbox.count("twilio.create") == 1
    return environment.questions()


def shown(question: dict[str, Any]) -> list[str]:
    """The digests of the pictures of a question."""
    content = question["messages"][-1]["content"]
    return [block["source"]["sha256"] for block in content if block["type"] == "image"] if isinstance(content, list) else []


def said(question: dict[str, Any]) -> str:
    content = question["messages"][-1]["content"]
    return str(content if isinstance(content, str) else content[-1]["text"])


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def test_pictures_are_shown_to_the_model_and_remembered_in_words(environment: TurnEnvironment, web: Web) -> None:
    """Each behind its mark and before the text; the type is what the bytes say; the record holds ids, and no address."""
    files = [jpeg(640, 480), gif(20, 20), webp(300, 200)]
    event = arrives(environment, web, *files)
    (question,) = answered(environment, event)
    blocks = question["messages"][-1]["content"]
    assert [block["type"] for block in blocks] == ["text", "image"] * 3 + ["text"]
    assert [block["text"] for block in blocks if block["type"] == "text"][:3] == ["⟦picture 1⟧", "⟦picture 2⟧", "⟦picture 3⟧"]
    assert shown(question) == [digest(data) for data in files]
    assert [block["source"]["media_type"] for block in blocks if block["type"] == "image"] == ["image/jpeg", "image/gif", "image/webp"]
    assert said(question) == "Look\n\n⟦picture 1⟧\n⟦picture 2⟧\n⟦picture 3⟧"
    (stored,) = environment.ledger("reply_stored")
    assert stored.fields["pictures"] == "3"
    record = only_message(web).event
    assert record is not None
    assert "http" not in str(record)

    environment.once(environment.text("And now?"))
    again = environment.questions()[-1]["messages"]
    assert again[0]["content"] == "Look\n\n⟦3 pictures⟧"
    assert [type(line["content"]) for line in again] == [str, str, str]


def test_a_model_on_a_plain_host_is_told_of_a_picture_and_not_shown_it(environment: TurnEnvironment, web: Web) -> None:
    """It would refuse it; where the operator says that it sees pictures, it is shown them."""
    environment.environment |= {"BOSS_MODEL": "qwen3:32b"}
    environment.sandbox.faults(anthropic={"plain_host": True})
    (question,) = answered(environment, arrives(environment, web, jpeg(640, 480)))
    assert (shown(question), environment.sandbox.count("anthropic.messages", accepted=False)) == ([], 0)
    assert said(question) == "Look\n\n\u27e61 picture that could not be opened\u27e7"
    environment.environment |= {"MODEL_PICTURES": "on"}
    environment.sandbox.faults(anthropic={"plain_host": False})
    environment.once(arrives(environment, web, jpeg(640, 480)))
    assert len(shown(environment.questions()[-1])) == 1


def test_the_login_goes_to_the_media_resource_and_each_picture_is_fetched_once(environment: TurnEnvironment, web: Web) -> None:
    """By way of Twilio's redirect."""
    answered(environment, arrives(environment, web, png(10, 10), gif(10, 10)))
    asked = environment.sandbox.journal("twilio.media")
    assert [(entry["status"], entry["request"]["authorization"]) for entry in asked] == [(307, True)] * 2
    assert environment.sandbox.count("twilio.media_file", accepted=None) == 2


NOT_SHOWN = {
    "a page that says it is a picture": b"<html><script>alert(1)</script></html>",
    "a drawing with a script": b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>",
    "an archive": b"PK\x03\x04" + bytes(1_000),
    "19,000 by 19,000 pixels in 44 kB": bomb(),
    "more than the model takes": png(10, 10).ljust(MAX_BYTES + 1, b"\0"),
}


@pytest.mark.parametrize("name", NOT_SHOWN)
def test_what_is_no_picture_for_the_model_is_said_to_be_missing(environment: TurnEnvironment, web: Web, name: str) -> None:
    """The one beside it is shown; memory stays as it was."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    (question,) = answered(environment, arrives(environment, web, NOT_SHOWN[name], png(10, 10)))
    assert shown(question) == [digest(png(10, 10))]
    assert said(question) == "Look\n\n⟦picture 1⟧\n⟦1 picture that could not be opened⟧"
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000


def test_what_can_neither_be_shown_nor_read_is_not_fetched(environment: TurnEnvironment, web: Web) -> None:
    """A video, the slide show of the message itself: named, and that is all."""
    (question,) = answered(environment, arrives(environment, web, b"x", b"y", kind="video/mp4"))
    assert said(question) == "Look\n\n⟦2 attachments you cannot open: a video, a video⟧"
    assert environment.sandbox.count("twilio.media", accepted=None) == 0


FAULTS: dict[str, dict[str, Any]] = {
    "an outage of the media resource": {"fail": [{"fault": "503", "on": "media", "times": None}]},
    "an outage of where the files are": {"fail": [{"fault": "500", "on": "media_file", "times": None}]},
    "a broken connection": {"fail": [{"fault": "reset_before", "on": "media_file", "times": None}]},
    "silence": {"fail": [{"fault": "hang", "on": "media", "times": None}]},
    "half a file": {"fail": [{"fault": "reset_midway", "on": "media_file", "times": None}]},
    "a refusal": {"fail": [{"fault": "401", "on": "media", "times": None}]},
    "a redirect to a file": {"media_location": "file:///proc/self/environ"},
    "a redirect to the cloud's own address": {"media_location": "http://169.254.169.254/latest/meta-data/"},
    "a redirect that leads to itself": {"media_answer": "loop"},
    "a body without an end": {"media_answer": "endless"},
    "a body that unpacks to 50 MB": {"media_answer": "packed"},
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_picture_that_is_not_to_be_had_fails_no_turn(environment: TurnEnvironment, web: Web, name: str) -> None:
    """The model knows that there was one; the log knows why it is missing, by ids and a word."""
    event = arrives(environment, web, png(10, 10))
    environment.environment["MEDIA_TIMEOUT_SECONDS"] = 0.5
    environment.sandbox.faults(twilio=FAULTS[name])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with capture_logs() as logs:
        (question,) = answered(environment, event)
    assert said(question) == "Look\n\n⟦1 picture that could not be opened⟧"
    (line,) = [line for line in logs if line["action"] == "media_failed"]
    assert set(line) == {"event", "action", "log_level", "message", "media", "reason"}
    assert line["message"] == event.id
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000
    assert not environment.ledger("backoff")


def test_a_picture_that_is_there_a_moment_later_is_shown_in_its_place(environment: TurnEnvironment, web: Web) -> None:
    """Twilio's webhook may be ahead of its media: the first answer is 404."""
    files = [png(10, 10), png(20, 20)]
    event = arrives(environment, web, *files)
    environment.environment["MEDIA_TIMEOUT_SECONDS"] = 5
    environment.sandbox.faults(twilio={"fail": [{"fault": "404", "on": "media"}]})
    assert shown(answered(environment, event)[0]) == [digest(data) for data in files]
    assert environment.sandbox.count("twilio.media", accepted=None) == 3


MEDIA_LATE = json.loads((Path(__file__).parents[2] / "payloads" / "media_late.json").read_text())["cases"]
QUICKER = 10
"""The waits follow MEDIA_TIMEOUT_SECONDS: at a tenth of it everything is ten times as quick."""


@pytest.mark.parametrize("case", MEDIA_LATE, ids=lambda case: case["id"])
def test_media_that_comes_late_is_waited_for_and_media_that_never_comes_is_not(
    environment: TurnEnvironment, web: Web, case: dict[str, Any]
) -> None:
    """404 for 3 s, and the picture is in the question; 404 for ever, and the text is answered with the note."""
    late = min(case["not_there_seconds"] / QUICKER, 3600)
    environment.environment["MEDIA_TIMEOUT_SECONDS"] = 10 / QUICKER
    environment.sandbox.faults(twilio={"media_after_seconds": late})
    event = arrives(environment, web, png(10, 10))
    (question,) = answered(environment, event)
    asked = environment.sandbox.count("twilio.media", accepted=None)
    if late < 1:
        assert shown(question) == [digest(png(10, 10))]
        assert asked <= 3
    else:
        assert said(question) == "Look\n\n⟦1 picture that could not be opened⟧"
        assert asked == 3


def test_a_redirect_to_another_port_of_this_machine_reaches_nothing(environment: TurnEnvironment, web: Web) -> None:
    """A listener's queue stays empty."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        event = arrives(environment, web, png(10, 10))
        environment.sandbox.faults(twilio={"media_location": f"http://127.0.0.1:{listener.getsockname()[1]}/"})
        assert shown(answered(environment, event)[0]) == []
        with pytest.raises(BlockingIOError):
            listener.accept()


def test_a_picture_that_the_model_refuses_is_left_out_and_the_text_answered(environment: TurnEnvironment, web: Web) -> None:
    """What our reading of headers lets pass a decoder may still refuse; without pictures it is refused no more."""
    event = arrives(environment, web, png(10, 10))
    refusal = {"fault": "400", "match": '"type": "image"', "times": None}
    environment.sandbox.faults(anthropic={"fail": [refusal]})
    first, second = answered(environment, event)
    assert (len(shown(first)), len(shown(second))) == (1, 0)
    assert said(second) == "Look\n\n⟦1 picture that could not be opened⟧"
    (stored,) = environment.ledger("reply_stored")
    assert "pictures" not in stored.fields


def test_ten_files_of_a_turn_are_shown_however_many_texts_bring_them(environment: TurnEnvironment, web: Web) -> None:
    """The rest is said to be missing."""
    arrives(environment, web, *[png(10, number) for number in range(1, 8)], body="One")
    event = arrives(environment, web, *[png(20, number) for number in range(1, 8)], body="Two")
    (question,) = answered(environment, event)
    assert len(shown(question)) == 10
    marks = "\n".join(f"⟦picture {number}⟧" for number in range(1, 8))
    more = "\n".join(f"⟦picture {number}⟧" for number in range(8, 11))
    assert said(question) == f"One\n\n{marks}\n\nTwo\n\n{more}\n⟦4 pictures that could not be opened⟧"


def test_ten_megabytes_of_a_turn_are_read_and_the_next_file_may_still_fit(environment: TurnEnvironment, web: Web) -> None:
    """Three of 3.9 MB are too much; a small one behind them is not."""
    large = [png(10, number).ljust(MAX_BYTES, b"\0") for number in (1, 2, 3)]
    (question,) = answered(environment, arrives(environment, web, *large, png(9, 9)))
    assert shown(question) == [digest(large[0]), digest(large[1]), digest(png(9, 9))]


def test_pictures_that_hang_take_half_a_lease_at_most(environment: TurnEnvironment, web: Web) -> None:
    """Four that would take a second and a half each; the lease of four seconds is never lost."""
    environment.environment |= {"LEASE_SECONDS": 4, "MEDIA_TIMEOUT_SECONDS": 1.5, "SEND_TIMEOUT_SECONDS": 2}
    event = arrives(environment, web, *[png(10, number) for number in range(1, 5)])
    environment.sandbox.faults(twilio={"fail": [{"fault": "hang", "on": "media", "times": None}]})
    with capture_logs() as logs:
        (question,) = answered(environment, event)
    assert said(question) == "Look\n\n⟦4 pictures that could not be opened⟧"
    assert [line["reason"] for line in logs if line["action"] == "media_failed"] == ["timeout", "no_time", "no_time", "no_time"]


def test_a_form_of_five_hundred_files_is_refused_and_one_of_many_is_a_text_like_any_other(environment: TurnEnvironment, web: Web) -> None:
    """Ten ids are kept, ninety-nine are counted, and none of these files exists."""
    sid = "MM" + "7" * 32
    base = f"https://api.twilio.com/2010-04-01/Accounts/{environment.settings.twilio_account_sid}/Messages/{sid}/Media/ME"

    def posted(count: int) -> int:
        fields = {f"MediaUrl{number}": f"{base}{number:032x}" if number < 20 else "https://x.example/" for number in range(count)}
        form = form_body(sms_fields(MessageSid=sid, SmsMessageSid=sid, NumMedia=str(count), **fields))
        return web.sms(body=form).status_code

    assert posted(500) == 400
    assert web.stored() == []
    assert posted(99) == 200
    event = only_message(web).event
    assert event is not None
    environment.environment["MEDIA_TIMEOUT_SECONDS"] = 1
    (question,) = answered(environment, event)
    assert said(question) == "Hello\n\n⟦10 pictures that could not be opened⟧\n⟦89 attachments you cannot open⟧"
    assert environment.sandbox.count("twilio.media", accepted=None) <= 30


def copied(environment: TurnEnvironment) -> dict[str, Any]:
    """The mail of a copy, as SendGrid was asked to send it."""
    environment.drive(lambda: environment.sandbox.count("sendgrid.send") == 1)
    (sent,) = environment.sandbox.journal("sendgrid.send", accepted=True)
    mail: dict[str, Any] = sent["request"]
    return mail


@pytest.mark.parametrize("earlier", [False, True])
def test_a_copy_by_mail_takes_the_pictures_along(environment: TurnEnvironment, web: Web, earlier: bool) -> None:
    """Those of the text that asks for it, or of the one that the copied answer is to; they are kept until the mail is sent."""
    environment.users = Users([LOCAL_USER])
    picture = png(30, 20)
    call = {"calls": [{"name": "send_copy", "input": {} if earlier else {"text": "Your picture."}}]}
    if earlier:
        environment.sandbox.script({"text": "A cat."})
        environment.once(arrives(environment, web, picture, body="What is this?"))
    environment.sandbox.script(call, {"text": ""})
    event = environment.text("Send that to my mail") if earlier else arrives(environment, web, picture, body="Send this to my mail")
    environment.once(event)
    mail = copied(environment)
    assert mail["text"].strip().endswith("A cat." if earlier else "Your picture.")
    (file,) = mail["mail"]["attachments"]
    assert base64.b64decode(file["content"]) == picture
    assert (file["filename"], file["type"], file["disposition"]) == ("attachment 1.png", "image/png", "attachment")
    environment.mailbox.run(calls.erase_begin(environment.identities.user("user")))
    assert environment.redis.keys("boss:file:*") == []


def test_a_copy_whose_picture_is_gone_says_so(environment: TurnEnvironment, web: Web) -> None:
    """And is sent all the same."""
    environment.users = Users([LOCAL_USER])
    environment.sandbox.script({"calls": [{"name": "send_copy", "input": {"text": "Your picture."}}]}, {"text": ""})
    event = arrives(environment, web, b"no picture at all", kind="video/mp4", body="Send this to my mail")
    environment.once(event)
    mail = copied(environment)
    assert "Files that could not be sent along: 1." in mail["text"]
    assert "attachments" not in mail["mail"]
