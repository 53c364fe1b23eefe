"""The events of the system: a message that came in (`Received`), a message that goes out (`Response`), each in one form a channel.

The names and the first fields are those of the project that Bossline continues. Each class is frozen and carries its
wire name in `type`; `shared.model.codec` is the only module that turns them into JSON and back. `shared.model.channels` says which
classes belong to which channel; whoever handles any message reads what `Received` and `Response` promise, and asks for no class.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from typing import ClassVar, Literal

from shared.model.addresses import Address, Channel, ConversationKey, EmailAddress, PhoneNumber
from shared.model.automatic_texts import NOT_AUTOMATIC, Automatic, judged
from shared.model.files import File
from shared.model.marks import Mark
from shared.model.media import Media
from shared.model.sentences.languages import each_language
from shared.model.threads import NO_THREAD, Thread, ids_in, of_mail, of_reply
from shared.model.words import WORDS

Keyword = Literal["", "stop", "start", "yes"]
"""The word by which a user opts out or in, as Twilio reads it; "" for any other text."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Event(ABC):
    """A message, in or out: what is said, and the files with it."""

    type: ClassVar[str]
    channel: ClassVar[Channel]

    @property
    @abstractmethod
    def text(self) -> str:
        """What is said."""

    @property
    def own_text(self) -> str:
        """What its author says in it, without what others wrote; the whole text where nothing else is left."""
        return self.text

    @property
    def file_ids(self) -> tuple[str, ...]:
        """What the files that come along are told apart by."""
        return ()

    def fingerprint(self) -> str:
        """16 hex digits for the author's words, however they are cased and spaced, and the files; "" for a message with neither.

        Two robots that answer each other never stop (RFC 3834); one that hides that it is a robot still shows it by what it repeats. A file
        is known by its provider's id, so that five pictures with the same caption are five different messages.
        """
        said = "\x1f".join([" ".join(self.own_text.casefold().split()), *self.file_ids])
        return hashlib.sha256(said.encode("utf-8", "surrogatepass")).hexdigest()[:16] if said else ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Received(Event):
    """A message that reached a Boss. `id` is ours, made from the provider's; times are UTC epoch seconds.

    `from_` is who wrote it and whom the answer goes to, `to` the Boss. `user` is a username of the users file. `hidden` is how many
    characters were left out of what came because a person does not see them. `signed`: the provider proved that it comes from it. A
    `briefing` nobody wrote now: it is the question that the person has asked at its time.
    """

    id: str
    from_: Address
    to: Address
    user: str
    hidden: int = 0
    signed: bool = True
    received_at: float = 0.0
    briefing: bool = False

    @property
    def marks(self) -> tuple[Mark, ...]:
        """Which parts of `text` are not its sender's words; none where a channel does not tell."""
        return ()

    @property
    def files(self) -> tuple[File, ...]:
        """The files whose content waits in Redis; none where a channel has none of them."""
        return ()

    @property
    def media(self) -> tuple[Media, ...]:
        """The files that can be asked for at the provider; none where a channel has none of them."""
        return ()

    @property
    def media_owner(self) -> str:
        """The provider's id of the message that the files belong to."""
        return ""

    @property
    def file_count(self) -> int:
        """How many files came along, also those of which nothing else is known."""
        return max(len(self.files), len(self.file_ids))

    @property
    def is_wordless(self) -> bool:
        """Whether its author wrote nothing at all."""
        return not self.text.strip()

    def without_media(self, _ids: Collection[str], /) -> Received:
        """The same without some of the files that can be asked for at the provider: those are told of apart."""
        return self

    @property
    def automatic(self) -> Automatic:
        """What sent the message, where that was no person; what a channel cannot tell is a person's."""
        return NOT_AUTOMATIC

    @property
    def provider_name(self) -> str:
        """What its provider calls the message; "" where it has no name for it."""
        return ""

    @property
    def header_id(self) -> str:
        """The Message-ID of a mail, with its brackets; "" of anything else."""
        return ""

    @property
    def forwarding(self) -> str:
        """The forwarding address that it came by: then somebody else wrote it, and `from_` is only told of it. "" for a person's own."""
        return ""

    @property
    def thread(self) -> Thread:
        """What it is known by as a part of a conversation; nothing where the two ends are one for ever."""
        return NO_THREAD

    @abstractmethod
    def key(self) -> ConversationKey:
        """The conversation that it belongs to, or begins where its `thread` is known of none."""

    def content(self) -> tuple[object, ...]:
        """What a client that repeats a request has to repeat."""
        return self.type, self.from_, self.to, self.text


@dataclass(frozen=True, kw_only=True, slots=True)
class Response(Event):
    """A message to send. `to` and `from_` are set by code, never by the model."""

    to: Address
    from_: Address
    user: str

    @property
    def thread(self) -> Thread:
        """By what an answer to it may name it; nothing where the two ends are one conversation for ever."""
        return NO_THREAD

    @property
    def rest(self) -> str:
        """What it had to leave out; '' where a channel takes all."""
        return ""

    @property
    def markup(self) -> str:
        """The same as HTML, for programs that show it; '' where it is sent as plain text alone."""
        return ""

    @property
    def written(self) -> str:
        """What its author wrote of it: `text` without a line that we put below."""
        return self.text

    @abstractmethod
    def content(self) -> dict[str, str]:
        """What a client of the bridge is told of it: the field's name on the wire, and the text."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SmsReceived(Received):
    """A text that reached a Boss number; `provider_id` is Twilio's MessageSid.

    `media_count` is how many files came with it, `media` those that can be asked for; records of before have no `media`. What comes by
    another service than the phone's own is not admitted (`shared.model.sms_admission.service_of`).
    """

    type: ClassVar[str] = "sms_received"
    channel: ClassVar[Channel] = "sms"
    from_: PhoneNumber
    to: PhoneNumber
    message: str
    provider_id: str
    media_count: int = 0
    media: tuple[Media, ...] = ()

    @property
    def text(self) -> str:
        """What its author wrote."""
        return self.message

    @property
    def automatic(self) -> Automatic:
        """By the form of its words; a text with a file is a person's."""
        return NOT_AUTOMATIC if self.media_count else judged(self.message)

    @property
    def media_owner(self) -> str:
        """The MessageSid."""
        return self.provider_id

    @property
    def file_count(self) -> int:
        """As Twilio counted them."""
        return self.media_count

    def without_media(self, ids: Collection[str], /) -> SmsReceived:
        """Without these, which count no more."""
        media = tuple(each for each in self.media if each.id not in ids)
        return replace(self, media=media, media_count=self.media_count - (len(self.media) - len(media))) if ids else self

    @property
    def provider_name(self) -> str:
        """The MessageSid."""
        return self.provider_id

    @property
    def file_ids(self) -> tuple[str, ...]:
        """Twilio's ids of the files; the text's own where not all of them are known."""
        return (self.provider_id,) if self.media_count > len(self.media) else tuple(media.id for media in self.media)

    def key(self) -> ConversationKey:
        """The conversation: both numbers."""
        return ConversationKey("sms", self.to.value, self.from_.value)


@dataclass(frozen=True, kw_only=True, slots=True)
class EmailReceived(Received):
    """A mail that reached a Boss address. `message_id`, `in_reply_to` and `references` are RFC 5322 ids with brackets.

    `in_reply_to` may hold several, with blanks between them.
    `from_` is the authenticated author. `body` is the whole text that a person sees, `marks` which parts of it others wrote; `attachments`
    are the names, already made harmless, of files that came along, `files` those whose content was kept; `hidden` is of all three of
    subject, body and names. `addressed` is where the Boss stands among the recipients (`to`, `cc`, `bcc`), `others` who else was written
    to, as the mail shows them. `thread_index` is Outlook's, the 22 bytes of a thread in hexadecimal digits.

    Of a mail that came by a forwarding address, `via` is that address, `tag` its tag, `author` who wrote the mail, as its From says, with
    the address in brackets, and `proof` its envelope's sender and what SPF and DKIM say of both; `from_` is then the person whom the
    address belongs to, and whom the answer goes to.

    An older version reads the fields that it knows, and leaves the others out.
    """

    type: ClassVar[str] = "email_received"
    channel: ClassVar[Channel] = "email"
    from_: EmailAddress
    to: EmailAddress
    subject: str
    body: str
    message_id: str
    in_reply_to: str = ""
    references: tuple[str, ...] = ()
    attachments: tuple[str, ...] = ()
    marks: tuple[Mark, ...] = ()
    files: tuple[File, ...] = ()
    addressed: str = ""
    others: tuple[str, ...] = ()
    thread_index: str = ""
    via: str = ""
    author: str = ""
    proof: str = ""
    tag: str = ""

    @property
    def text(self) -> str:
        """The whole text; `marks` says what of it its author did not write."""
        return self.body

    @property
    def own_text(self) -> str:
        """What is not marked; of a mail that is passed on without a word, all of it."""
        own, position = [], 0
        for mark in sorted(self.marks, key=lambda mark: mark.start):
            own.append(self.body[position : max(position, mark.start)])
            position = max(position, mark.end)
        text = " ".join([*own, self.body[position:]]).strip()
        return text or self.body

    @property
    def is_wordless(self) -> bool:
        """Neither in its text nor in its subject."""
        return not (self.body.strip() or self.subject.strip())

    @property
    def header_id(self) -> str:
        """The Message-ID."""
        return self.message_id

    @property
    def forwarding(self) -> str:
        """The forwarding address that it came by."""
        return self.via

    @property
    def author_address(self) -> str:
        """The address of who wrote the mail."""
        return self.author.rpartition("<")[2].removesuffix(">") if self.via else self.from_.value

    @property
    def file_ids(self) -> tuple[str, ...]:
        """The names of the attachments."""
        return self.attachments

    @property
    def thread(self) -> Thread:
        """Its ids, Outlook's name of its thread, and its subject. Those that a stranger chose tie a mail to nothing of the person's."""
        return NO_THREAD if self.via else of_mail(self.message_id, self.in_reply_to, self.references, self.thread_index, self.subject)

    def key(self) -> ConversationKey:
        """The conversation that it begins: both addresses and the thread's root id. A mail by a forwarding address is one of its own."""
        if self.via:
            return ConversationKey("email", self.to.value, self.from_.value, f"forwarding {self.via} {self.id}")
        parent = next(iter(ids_in(self.in_reply_to)), self.in_reply_to)
        root = self.references[0] if self.references else parent or self.message_id
        return ConversationKey("email", self.to.value, self.from_.value, root)

    def content(self) -> tuple[object, ...]:
        """What a client that repeats a request has to repeat."""
        return self.type, self.from_, self.to, self.subject, self.body, self.message_id, self.in_reply_to, self.references


@dataclass(frozen=True, kw_only=True, slots=True)
class SendSmsResponse(Response):
    """A text to send: one request to the provider. `rest` is what it had to leave out, which "more" brings."""

    type: ClassVar[str] = "send_sms_response"
    channel: ClassVar[Channel] = "sms"
    to: PhoneNumber
    from_: PhoneNumber
    message: str
    rest: str = ""

    @property
    def text(self) -> str:
        """What is said."""
        return self.message

    @property
    def written(self) -> str:
        """Without the line that says how the rest is had, in whichever language it is."""
        hints = each_language(WORDS["more_hint"]).values() if self.rest else ()
        return next((self.message.removesuffix(hint) for hint in hints if self.message.endswith(hint)), self.message)

    def content(self) -> dict[str, str]:
        """As the protocol of the bridge names it."""
        return {"message": self.message}


@dataclass(frozen=True, kw_only=True, slots=True)
class SendEmailResponse(Response):
    """A mail to send. `message_id` is our own, made once, so that a second attempt carries the same.

    `body` is its plain text, `html` the same for programs that show it; '' in records of before. `from_name` is the Boss's name.
    `files` are sent along; their contents wait in Redis.
    """

    type: ClassVar[str] = "send_email_response"
    channel: ClassVar[Channel] = "email"
    to: EmailAddress
    from_: EmailAddress
    subject: str
    body: str
    message_id: str
    in_reply_to: str = ""
    references: tuple[str, ...] = field(default=())
    html: str = ""
    from_name: str = ""
    files: tuple[File, ...] = ()

    @property
    def markup(self) -> str:
        """The HTML part."""
        return self.html

    @property
    def text(self) -> str:
        """What is said."""
        return self.body

    @property
    def thread(self) -> Thread:
        """Its id and its subject."""
        return of_reply(self.message_id, self.subject)

    def content(self) -> dict[str, str]:
        """As the protocol of the bridge names it."""
        return {"subject": self.subject, "body": self.body}
