"""Addresses and keys, parsed once at the edge; behind it no bare address strings travel.

Ids that stand in ledger lines, job arguments and logs are keyed hashes of addresses: a plain hash of a phone number
can be turned back by trying all numbers, so every installation has its own salt (see `shared.runtime`).
"""

from __future__ import annotations

import hashlib
import hmac
import re
from contextlib import suppress
from dataclasses import dataclass
from email.headerregistry import AddressHeader
from email.policy import default as mail_policy
from functools import lru_cache

import phonenumbers

from shared.errors import BadInput
from shared.model.threads import NO_NAMES, Thread, ThreadNames

Channel = str
"""The name of a channel: a key of `shared.model.channels.CHANNELS`."""

_GUESSED = "invalid address"  # email's word for `a@b.de <c@d.de>`: it takes the first, others the second
MAX_ADDRESS = 320  # RFC 3696 erratum 1690: 64 + 1 + 255
MAX_LIST = 2000  # email's parser is quadratic: 20,000 double quotes take it 27 s, 2,000 a quarter of one
MAX_PHONE_TEXT = 40
REMEMBERED = 4096
"""How many of each (numbers, short headers, ids) a process remembers, of those that it met last: a few MB, however hostile."""
_PHONE_TEXT = re.compile(r"\+[0-9 ()./-]+")
_HOST = re.compile(r"(?:[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?\.)+[a-z0-9](?:[a-z0-9-]*[a-z0-9])?|localhost")
_LOCAL = re.compile(r'[^"<>()\[\],;:\\@\x00-\x20\x7f]+|"(?:[^"\\\x00-\x1f\x7f]|\\[\x20-\x7e])+"')
"""A dot-atom, taken widely, or a whole quoted string (RFC 5322, 3.4.1): what email's parser guesses of a broken one is nobody's."""
_BEHIND_NAME = re.compile(r"[^<>]*<(?P<address>[^<>\s]+)>")
_SEEN = re.compile(r"[^\s<>()\[\],;:\"@]{1,64}@[^\s<>()\[\],;:\"@]{1,255}")


@dataclass(frozen=True, slots=True)
class PhoneNumber:
    """A telephone number in E.164, such as ``+15551234567``."""

    value: str

    @classmethod
    def parse(cls, text: str) -> PhoneNumber:
        """Read an international number; a *possible* one suffices (the +1555 range is never assigned).

        Raises BadInput `bad_phone` for anything else: short codes, ``whatsapp:`` addresses, national forms, extensions.
        """
        return cls(_e164(text.strip()))

    def __str__(self) -> str:
        return self.value

    def __repr__(self) -> str:
        return f"PhoneNumber({self.masked()})"

    def masked(self) -> str:
        """For the operator's eyes: the country and the last two digits."""
        return f"{self.value[:2]}…{self.value[-2:]}"


@lru_cache(maxsize=REMEMBERED)
def _e164(text: str) -> str:
    """The number in E.164; remembered, because reading one takes longer than all else that is done with a text."""
    if len(text) > MAX_PHONE_TEXT or not _PHONE_TEXT.fullmatch(text):
        raise BadInput(code="bad_phone")
    try:
        number = phonenumbers.parse(text, None)
    except phonenumbers.NumberParseException:
        raise BadInput(code="bad_phone") from None
    if not phonenumbers.is_possible_number(number):
        raise BadInput(code="bad_phone")
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


@dataclass(frozen=True, slots=True)
class EmailAddress:
    """One mail address, lower-cased, its domain in IDNA form; ``a+b@`` stays itself."""

    value: str

    @classmethod
    def parse(cls, text: str) -> EmailAddress:
        """Read a header value that holds exactly one address, with or without a display name.

        Raises BadInput `bad_email` (none, or not an address) or `two_addresses` (RFC 5322 allows several in From; who
        wrote such a mail cannot be told).
        """
        found = parse_address_list(text)
        if len(found) > 1:
            raise BadInput(code="two_addresses")
        if not found:
            raise BadInput(code="bad_email")
        return found[0]

    @property
    def domain(self) -> str:
        """The part after the last ``@``."""
        return self.value.rpartition("@")[2]

    def __str__(self) -> str:
        return self.value

    def __repr__(self) -> str:
        return f"EmailAddress({self.masked()})"

    @property
    def untagged(self) -> EmailAddress:
        """The address without its tag, ``a@`` of ``a+b@`` (RFC 5233): mail systems deliver both to the same person."""
        local, _, domain = self.value.rpartition("@")
        name, _, tag = local.partition("+")
        return EmailAddress(f"{name}@{domain}") if name and tag and not local.startswith('"') else self

    def masked(self) -> str:
        """For the operator's eyes: one letter and the domain."""
        return f"{self.value[:1]}…@{self.domain}"


Address = PhoneNumber | EmailAddress


def masked(text: str) -> str:
    """Whatever a provider calls a sender or a recipient, for the operator's eyes: never more of it than `masked` of an address shows."""
    for kind in (PhoneNumber, EmailAddress):
        try:
            return kind.parse(text).masked()
        except BadInput:
            continue
    return f"{text[:1]}…" if text[:1].isalnum() else "…"


def address_behind_name(text: str) -> EmailAddress:
    """The address in brackets at the end of a text, when nothing else in the text is an address; raises BadInput `bad_email`.

    `Doe, Ada <a@example.com>`, `a@example.com <a@example.com>` and `Ada [Work] <a@example.com>` are no addresses by RFC 5322, whose
    names need quotes there, and are written all the same.
    """
    found = _BEHIND_NAME.fullmatch(text.strip())
    addresses = [*dict.fromkeys(seen_addresses(text))]
    if found is None or len(addresses) != 1 or seen_addresses(found["address"]) != addresses:
        raise BadInput(code="bad_email")
    return addresses[0]


def only_address(text: str) -> EmailAddress:
    """The one address of a text that is no address by RFC 5322, once or more often; raises BadInput `bad_email`.

    `Ada Lee a@example.com`, `Ada <a@example.com>;` and `Ada <3 <a@example.com>`: whoever reads them finds this address or none, as long
    as no other @ stands there.
    """
    addresses = [*dict.fromkeys(seen_addresses(text))]
    if len(addresses) != 1 or "@" in _SEEN.sub(" ", text):
        raise BadInput(code="bad_email")
    return addresses[0]


def seen_addresses(text: str) -> list[EmailAddress]:
    """Everything in a text that is an address, whatever stands around it; nothing of a text over 2,000 characters."""
    addresses = []
    for each in _SEEN.findall(text) if len(text) <= MAX_LIST else ():
        with suppress(BadInput):
            addresses.append(_canonical(each.strip(".'")))
    return addresses


def parse_address_list(text: str) -> list[EmailAddress]:
    """All addresses of a To, Cc or From header value; raises BadInput `bad_email` for one that cannot be sent to."""
    return list(_remembered_list(text) if len(text) <= MAX_ADDRESS else _address_list(text))


def _address_list(text: str) -> tuple[EmailAddress, ...]:
    if len(text) > MAX_LIST or any(character in text for character in "\r\n\0"):
        raise BadInput(code="bad_email")
    try:
        header = mail_policy.header_factory("To", text)
    except (IndexError, ValueError, AttributeError, TypeError, NameError, RecursionError):  # email's parser on hostile text
        raise BadInput(code="bad_email") from None
    if not isinstance(header, AddressHeader):
        raise BadInput(code="bad_email")
    if any(_GUESSED in str(defect) for defect in getattr(header, "defects", ())):  # not in the type stubs
        raise BadInput(code="bad_email")
    found = [address.addr_spec for address in header.addresses if address.addr_spec not in ("", "<>")]
    if "=?" in text and not all(spec in text for spec in found):  # an encoded word was decoded into an address
        raise BadInput(code="bad_email")
    return tuple(_canonical(spec) for spec in found)


_remembered_list = lru_cache(maxsize=REMEMBERED)(_address_list)
"""The same people write again and again, and reading their three headers takes half of a mail's time."""


def _canonical(addr_spec: str) -> EmailAddress:
    local, at, domain = addr_spec.rpartition("@")
    if not (local and at and domain) or len(addr_spec) > MAX_ADDRESS or any(c.isspace() for c in addr_spec):
        raise BadInput(code="bad_email")
    try:
        addr_spec.encode("utf-8")
        ascii_domain = domain.rstrip(".").encode("idna").decode("ascii").lower()
    except UnicodeError:
        raise BadInput(code="bad_email") from None
    if not _HOST.fullmatch(ascii_domain) or not _LOCAL.fullmatch(local):
        raise BadInput(code="bad_email")
    # Only ASCII is folded: the Kelvin sign's lower case is a k, and its mailbox somebody else's.
    return EmailAddress(f"{''.join(letter.lower() if letter.isascii() else letter for letter in local)}@{ascii_domain}")


@dataclass(frozen=True, slots=True)
class ConversationKey:
    """What makes a conversation, for ever: both ends, and for mail the id of the thread's first message."""

    channel: Channel
    boss: str
    user: str
    thread: str = ""

    def __repr__(self) -> str:
        return f"ConversationKey({self.channel})"


@dataclass(frozen=True, slots=True)
class Identities:
    """Turns addresses into the ids that may be seen, with the installation's salt (bytes)."""

    salt: bytes

    def conversation(self, key: ConversationKey) -> str:
        """The id of a conversation: ``c-`` and 24 hexadecimal digits."""
        return "c-" + self._digest(key.channel, key.boss, key.user, key.thread)

    def user(self, username: str) -> str:
        """The id of an entry of the users file, for the ledger."""
        return "u-" + self._digest("user", username)

    def idempotency(self, token: str, key: str) -> str:
        """The id of a caller's Idempotency-Key with its token."""
        return self._digest("idempotency", token, key)

    def body(self, text: str) -> str:
        """The digest of what a caller asked for."""
        return self._digest("body", text)

    def sender(self, address: Address) -> str:
        """The id under which a sender's rate is counted, over all the tags of a mail address."""
        return "s-" + self._digest("sender", _untagged(address))

    def forwarding(self, address: str, username: str) -> str:
        """The id under which the mails that come by a person's forwarding address are bounded."""
        return "f-" + self._digest("forwarding", address, username)

    def digest(self, address: str, username: str) -> str:
        """What the conversations of a forwarding address's digests are named after."""
        return self._digest("digest", address, username)

    def claimed(self, text: str) -> str:
        """The id of whatever a provider calls a sender: the same as `sender`'s for an address, one of its own for a short code, say."""
        for kind in (PhoneNumber, EmailAddress):
            with suppress(BadInput):
                return self.sender(kind.parse(text))
        return "s-" + self._digest("claimed", text.strip().lower())

    def shown(self, mask: str) -> str:
        """The id of a sender as operators see it, masked: several senders may have it."""
        return "w-" + self._digest("shown", mask)

    def message_id(self, header: str) -> str:
        """The id of a mail's Message-ID, with its brackets: some hold an address."""
        return "i-" + self._digest("message-id", header)

    def thread(self, thread: Thread) -> ThreadNames:
        """What a mail is known by, as it may be seen."""
        if not thread.ids:
            return NO_NAMES
        names = [self.message_id(name) for name in thread.ids]
        if thread.outlook:
            names.append("x-" + self._digest("thread-index", thread.outlook))
        topic = "j-" + self._digest("topic", thread.topic) if thread.topic else ""
        return ThreadNames(tuple(names), topic, thread.by_topic)

    def pair(self, boss: Address, user: Address) -> str:
        """The id of a Boss address and a user address, over all their tags, under which an opt-out is kept."""
        return "p-" + self._digest("pair", _untagged(boss), _untagged(user))

    def _digest(self, *parts: str) -> str:
        return _digest(self.salt, "\x1f".join(parts))


def _untagged(address: Address) -> str:
    return address.untagged.value if isinstance(address, EmailAddress) else address.value


@lru_cache(maxsize=4 * REMEMBERED)
def _digest(salt: bytes, text: str) -> str:
    state = _keyed(salt).copy()
    state.update(text.encode("utf-8", "surrogatepass"))
    return state.hexdigest()[:24]


@lru_cache(maxsize=4)
def _keyed(salt: bytes) -> hmac.HMAC:
    """The state after the salt; it is copied and never changed."""
    return hmac.new(salt, digestmod=hashlib.sha256)
