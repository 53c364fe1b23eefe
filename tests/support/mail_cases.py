"""The cases of `tests/cases/mail`: whole mails, posted as Inbound Parse does in each of its modes, and what the model is shown of them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from email import message_from_bytes
from email.header import decode_header, make_header
from email.message import Message
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final, cast

from flask import Request
from werkzeug.test import EnvironBuilder

from shared.model import codec
from shared.model.events import EmailReceived
from shared.model.files import File
from shared.model.users import LOCAL_USER, Users
from shared.runtime import Runtime
from supervisor_worker.assistant.file_notes import told
from supervisor_worker.channels.formats import FORMATS
from supervisor_worker.media.readers.child import read_as
from supervisor_worker.media.readers.extract import BoundedText
from supervisor_worker.media.readers.kinds import kind_of
from supervisor_worker.media.turn_files import TurnFile
from tests.payloads import MULTIPART, Fields, mail_fields, multipart_body
from webhook_api.email.arrived import ArrivedMail
from webhook_api.email.attachments import MailFile
from webhook_api.email.inbound_routes import receive_mail
from webhook_api.intake.intake import Intake
from webhook_api.intake.records import IgnoredMessage
from webhook_api.security.authentication import WebhookAuthenticator

CASES: Final = Path(__file__).parents[1] / "cases" / "mail"
NAMES: Final = sorted(path.stem for path in CASES.glob("*.eml"))
SEQUENCES: Final = sorted(path.name.removesuffix(".json") for path in CASES.glob("*.seq.json"))
"""Cases of several mails in a row."""
LOCAL_USERS: Final = Users([LOCAL_USER])


def case(name: str) -> dict[str, Any]:
    """What is known of a case, with its `modes` and what must come of it (`expect`)."""
    found: dict[str, Any] = json.loads((CASES / f"{name}.json").read_text(encoding="utf-8"))
    return found


def source(name: str) -> bytes:
    """The mail of a case."""
    return (CASES / f"{name}.eml").read_bytes()


def sequence(name: str, word: str, answer: str) -> list[Fields]:
    """The mails of a sequence in parsed mode; `word` makes their ids, `answer` is the id of the Boss's answer to the first."""
    forms = []
    for step in case(name)["steps"]:
        said = {key: value.replace("{t}", word).replace("{b1}", answer) for key, value in step.items()}
        head = f"From: Ada <user@example.com>\nTo: boss@example.com\nSubject: {said['subject']}\nMessage-ID: {said['message_id']}\n"
        for header, key in (("In-Reply-To", "in_reply_to"), ("References", "references")):
            head += f"{header}: {said[key]}\n" if key in said else ""
        forms.append(mail_fields(headers=head, subject=said["subject"], text=said["text"]))
    return forms


def posted(raw: bytes, mode: str) -> Fields:
    """The form that SendGrid makes of a mail in one of its modes, `parsed` or `raw`: names are decoded and without their quotes."""
    message = message_from_bytes(raw)
    shown = {name: str(make_header(decode_header(message[name] or ""))).replace('"', "") for name in ("from", "to", "subject")}
    if mode == "raw":
        return mail_fields(headers=None, text=None, charsets=None, email=raw, **shown)
    head, _, _ = raw.partition(b"\r\n\r\n" if b"\r\n\r\n" in raw else b"\n\n")
    form = mail_fields(headers=head.replace(b"\r\n", b"\n") + b"\n", text=None, charsets=None, **shown)
    charsets = dict.fromkeys(("to", "from", "subject"), "UTF-8")
    for number, part in enumerate(each for each in message.walk() if not each.is_multipart()):
        _add(form, charsets, number, part)
    return form | {"charsets": json.dumps(charsets)}


def _add(form: Fields, charsets: dict[str, str], number: int, part: Message) -> None:
    """A text as a field in the mail's own charset, the first of its kind alone; anything else as a file."""
    content = cast("bytes", part.get_payload(decode=True) or b"")
    kind = {"text/plain": "text", "text/html": "html"}.get(part.get_content_type(), "")
    if kind and kind not in form and not part.get_filename():
        form[kind] = content
        charsets[kind] = part.get_content_charset("utf-8")
    else:
        form[f"attachment{number}"] = (part.get_filename() or f"part{number}", content)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a posted mail: the event that would be accepted, or the reason why it is ignored."""

    event: EmailReceived | None = None
    ignored: str = ""
    files: tuple[TurnFile, ...] = ()

    @property
    def shown(self) -> str:
        """All that the model is shown of the mail, white space as one blank."""
        if self.event is None:
            return ""
        parts = [*FORMATS["email"].shown(self.event, {}), *told(self.event.id, self.files, {})]
        return " ".join("\n\n".join(part for part in parts if part).split())


def _read(name: str, posted_file: MailFile) -> TurnFile:
    content, text = b"".join(posted_file.chunks()), BoundedText()
    kind = kind_of(content, name, posted_file.content_type)
    _, fault = read_as(kind, content, "", text)
    return TurnFile(File("", name, posted_file.content_type, len(content)), kind, text.text, fault=fault)


@dataclass(slots=True)
class _Taken:
    """Takes what the webhook hands over, in place of an intake."""

    users: Users
    outcomes: list[Outcome] = field(default_factory=list)
    read: tuple[TurnFile, ...] = ()

    @property
    def runtime(self) -> SimpleNamespace:
        return SimpleNamespace(users=self.users, settings=SimpleNamespace(exact_mail_domains=()))

    def keep_files(
        self, message: str, username: str, names: Sequence[str], contents: Sequence[MailFile], *, forwarded: bool = False
    ) -> tuple[File, ...]:
        """Each is read at once, in this process."""
        del message, username, forwarded
        self.read = tuple(_read(name, content) for name, content in zip(names, contents, strict=True))
        return tuple(each.file for each in self.read)

    def learn(self) -> None:
        """Nobody is added here."""

    def take(self, message: ArrivedMail) -> str:
        """What a message is judged to be; the same as by another process that reads it from disk."""
        found = message.judged(cast("Runtime", self.runtime))
        assert found == ArrivedMail.read(json.loads(codec.dumps(message.fields()))).judged(cast("Runtime", self.runtime))
        if isinstance(found, IgnoredMessage):
            self.ignore(found)
            return found.id
        assert isinstance(found.event, EmailReceived)
        self.outcomes.append(Outcome(event=found.event, files=self.read))
        return found.event.id

    def ignore(self, message: IgnoredMessage) -> None:
        self.outcomes.append(Outcome(ignored=message.reason))


class _Signed:
    """An authenticator that takes every caller for SendGrid."""

    mail_key = None

    def begin_sendgrid(self, request: object, key: object) -> _Signed:
        del request, key
        return self

    def on_chunk(self, chunk: bytes) -> None:
        del chunk

    def finish(self) -> bool:
        return True


def receive(fields: Fields, users: Users = LOCAL_USERS) -> Outcome:
    """Post a form with one recipient to the route."""
    (outcome,) = receive_all(fields, users)
    return outcome


def receive_all(fields: Fields, users: Users = LOCAL_USERS) -> list[Outcome]:
    """Post a form to the route, without any server, storage or signature; an outcome for each recipient."""
    taken = _Taken(users)
    environ = EnvironBuilder("/email/inbound", method="POST", data=multipart_body(fields), content_type=MULTIPART).get_environ()
    receive_mail(cast("Intake", taken), cast("WebhookAuthenticator", _Signed()), Request(environ))
    return taken.outcomes
