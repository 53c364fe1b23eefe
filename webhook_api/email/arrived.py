"""A mail as it came to one of our addresses, judged by who is known when it is stored.

On disk it waits in this form where nobody was known to have its author's address. Its files are stored before it is: only where somebody is
known to have it, and never on disk.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Final

from shared.errors import BadInput
from shared.model import codec
from shared.model.addresses import Channel, EmailAddress
from shared.model.events import EmailReceived
from shared.model.files import File
from shared.model.marks import MAX_SOURCE, Mark
from shared.model.sms_admission import Ignored
from shared.runtime import Runtime
from webhook_api.email import admission, forwarding, recipients
from webhook_api.email.admission import AdmittedMail
from webhook_api.email.forwarding import ForwardedMail
from webhook_api.email.headers import Headers
from webhook_api.email.parsing import InboundMail
from webhook_api.intake.intake import Intake
from webhook_api.intake.judging import is_unknown
from webhook_api.intake.records import IgnoredMessage, JudgedMessage, ReceivedMessage

_MAIL: Final = (
    "sender", "sender_fault", "envelope_from", "subject", "body", "marks", "message_id", "in_reply_to", "references", "thread_index",
    "attachments", "hidden", "dkim", "spf", "digest", "unread", "enveloped",
)  # fmt: skip
_OWN: Final = ("recipient", "files", "signed", "received_at")


@dataclass(frozen=True, slots=True)
class ArrivedMail:
    """A mail for one recipient, without its files' contents, and the time at which it came, in epoch seconds.

    `files` are its files as the mailbox has them for the message and user `kept`, and where they are kept for none, by their names alone.
    """

    channel: ClassVar[Channel] = "email"
    mail: InboundMail = field(repr=False)
    recipient: EmailAddress
    signed: bool
    received_at: float
    files: tuple[File, ...] = field(repr=False)
    kept: tuple[str, str] | None = None

    @classmethod
    def of(cls, intake: Intake, mail: InboundMail, recipient: EmailAddress, *, signed: bool, at: float) -> ArrivedMail:
        """A mail whose files are kept now, where it is a user's: it is asked first whether somebody has been added."""
        names = zip(mail.attachments, mail.contents, strict=bool(mail.contents))  # what was cut has names alone
        unkept = tuple(File("", name, content.content_type, fault="slow") for name, content in names)
        found = cls(replace(mail, contents=()), recipient, signed, at, unkept)
        judged = found.judged(intake.runtime)
        if is_unknown(judged) and mail.contents:
            intake.learn()
            judged = found.judged(intake.runtime)
        if isinstance(judged, IgnoredMessage) or not mail.contents:
            return found
        event = judged.event
        forwarded = bool(event.forwarding)
        files = intake.keep_files(event.id, event.user, mail.attachments, mail.contents, forwarded=forwarded)
        return replace(found, files=files, kept=(event.id, event.user))

    @classmethod
    def read(cls, fields: Mapping[str, Any]) -> ArrivedMail:
        """Read its `fields`. Raises BadInput."""
        headers = Headers(_lines(fields.get("headers")), whole=fields.get("whole") is True)
        mail = InboundMail(headers=headers, recipients=(), contents=(), **codec.typed_fields(InboundMail, _MAIL, fields))
        return cls(mail=mail, **codec.typed_fields(cls, _OWN, fields))

    def fields(self) -> dict[str, object]:
        """For a record in JSON."""
        headers = self.mail.headers
        return {
            **codec.plain_fields(self.mail, _MAIL),
            **codec.plain_fields(self, _OWN),
            "headers": [list(line) for line in headers.items],
            "whole": headers.whole,
        }

    def judged(self, runtime: Runtime) -> JudgedMessage:
        """What it is by who is known now."""
        mail, recipient = self.mail, self.recipient
        users, exact = runtime.users, runtime.settings.exact_mail_domains
        verdict = forwarding.judged(mail, recipient, users, exact) or admission.email(mail, recipient, users, exact)
        if isinstance(verdict, Ignored):
            message_id, sender = mail_id(mail, recipient.value, verdict.reason), str(mail.sender or "")
            return IgnoredMessage(
                message_id, "email", verdict.reason, sender, recipient.value, header=mail.message_id, unknown=verdict.unknown
            )  # fmt: skip
        return ReceivedMessage(self._forwarded(verdict) if isinstance(verdict, ForwardedMail) else self._admitted(verdict))

    def _admitted(self, found: AdmittedMail) -> EmailReceived:
        mail, message_id = self.mail, mail_id(self.mail, found.boss.value)
        return EmailReceived(
            id=message_id,
            # The reply goes to the author who was proven. Reply-To is not honoured: anybody may write any address there,
            # and so have our reply, which quotes the question, sent to a third person.
            from_=found.sender,
            to=found.boss,
            subject=mail.subject,
            body=mail.body,
            user=found.user.id,
            message_id=mail.message_id,
            in_reply_to=mail.in_reply_to,
            references=mail.references,
            thread_index=mail.thread_index,
            attachments=mail.attachments,
            marks=mail.marks,
            addressed=recipients.addressed(mail.headers, self.recipient),
            others=recipients.others(mail.headers, self.recipient, found.sender),
            files=self._files_of(message_id, found.user.id),
            hidden=mail.hidden,
            signed=self.signed,
            received_at=self.received_at,
        )

    def _forwarded(self, found: ForwardedMail) -> EmailReceived:
        """Somebody else's mail, of which a person is told: the answer goes to them, whatever the mail says, and all of it is marked."""
        mail, via = self.mail, found.forwarding.address.value
        message_id = mail_id(mail, via)
        return EmailReceived(
            id=message_id,
            from_=found.own,
            to=found.boss,
            subject=mail.subject,
            body=mail.body,
            user=found.user.id,
            message_id=mail.message_id,
            in_reply_to=mail.in_reply_to,
            references=mail.references,
            attachments=mail.attachments,
            marks=(Mark("forwarded", 0, len(mail.body), found.author[:MAX_SOURCE]),),
            others=recipients.others(mail.headers, self.recipient, mail.sender or self.recipient),
            files=self._files_of(message_id, found.user.id),
            hidden=mail.hidden,
            signed=self.signed,
            received_at=self.received_at,
            via=via,
            author=found.author,
            proof=found.proof,
            tag=found.forwarding.tag,
        )

    def _files_of(self, message: str, user: str) -> tuple[File, ...]:
        """The files of the message that the mail is judged to be; those that are kept for another are none of its person's."""
        if self.kept in (None, (message, user)):
            return self.files
        return tuple(File("", file.name, file.content_type, file.size, "slow") for file in self.files)


def mail_id(mail: InboundMail, recipient: str, ignored: str = "") -> str:
    """Our id of a mail for one recipient: the same in each of SendGrid's retries.

    A mail that is ignored has another id for each reason: a forged copy that comes first must not make the genuine mail look like its
    repetition, since the two differ only in what SendGrid says of the signature.
    """
    return "m-" + hashlib.sha256(f"email\x1f{mail.digest}\x1f{recipient}\x1f{ignored}".encode()).hexdigest()[:24]


def _lines(value: Any) -> tuple[tuple[str, str], ...]:
    if not isinstance(value, list):
        raise BadInput(code="bad_field")
    lines = [tuple(line) for line in value if isinstance(line, list) and all(isinstance(text, str) for text in line)]
    found = tuple((line[0], line[1]) for line in lines if len(line) == 2)  # noqa: PLR2004 - a name and a value
    if len(found) < len(value):
        raise BadInput(code="bad_field")
    return found
