"""Checks that a signed form of Twilio's has only one reading.

Twilio signs the URL, then each name and its value, sorted by name, without a separator. Whoever has one signed form can split the same
line differently (`MessageSid=SM...f0` and `NumMedia=0` into `MessageSid=SM...` and `f0NumMedia=0`), and the sender of a text can put whole
fields into its Body. So a signature alone does not say which reading was Twilio's.

The rules here accept at most one reading of a line:

- a name consists of letters, then digits, and occurs once;
- an id consists of two capitals and 32 hexadecimal digits;
- the names that Twilio is known to use occur in the line exactly where the form has them as names, and elsewhere only in the Body, which
  its sender writes;
- a Body that looks like the fields behind it is rejected, because nobody could tell it from them;
- names that Twilio may add are accepted, except those that contain a known one, and except directly behind the Body, where a new name
  cannot be told from the end of a text.

A text that is rejected wrongly is not lost: the reconciler finds it in Twilio's list.
"""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from shared.errors import BadInput
from webhook_api.security.signatures import Form

_NAME: Final = re.compile(r"[A-Za-z]+[0-9]*")
_NUMBERED: Final = re.compile(r"Media(?:Url|ContentType)[0-9]{1,2}")
_ID: Final = re.compile(r"[A-Z]{2}[0-9a-f]{32}")
_IDS: Final = frozenset({"AccountSid", "MessageSid", "SmsMessageSid", "SmsSid"})
_VALUES: Final = {
    "From": re.compile(r"\+?[0-9]{1,20}|[a-z]{2,12}:\S{1,200}|[^+]{0,11}"),  # a number, another network's address, or a sender's name
    "MessagingServiceSid": re.compile(rf"(?:{_ID.pattern})?"),
    "NumMedia": re.compile(r"[0-9]{1,6}"),
    "NumSegments": re.compile(r"[0-9]{1,6}"),
    **{f"MediaUrl{number}": re.compile(r"http\S*[^\s/]") for number in range(10)},  # not the 0 of MediaUrl10, nor cut before Messages/
    "ErrorCode": re.compile(r"[0-9]{0,6}"),
    "MessageStatus": re.compile(r"[a-z_]{1,40}"),
    "SmsStatus": re.compile(r"[a-z_]{1,40}"),
    "OptOutType": re.compile(r"STOP|START|HELP", re.IGNORECASE),
}
"""Patterns of values that end where the next name begins: such a value can be neither shortened nor extended."""
_WORDS: Final = frozenset({"MessageStatus", "SmsStatus"})
"""Fields with lower-case values: a lower-case name behind one could be the end of its value."""
_COMPOUND: Final = (
    "AccountSid AddOns ApiVersion Body ButtonPayload ButtonText ChannelMetadata ErrorCode ErrorMessage ErrorUrl FrequentlyForwarded "
    "From FromCity FromCountry FromState FromZip MessageSid MessageStatus MessageType MessagingServiceSid NumMedia NumSegments "
    "OptOutType OriginalRepliedMessageSender OriginalRepliedMessageSid ProfileName RawDlrDoneDate ReferralBody ReferralCtwaClid "
    "ReferralHeadline ReferralMediaContentType ReferralMediaId ReferralMediaUrl ReferralNumMedia ReferralSourceId ReferralSourceType "
    "ReferralSourceUrl SmsMessageSid SmsSid SmsStatus ToCity ToCountry ToState ToZip WaId"
)
_KNOWN: Final = frozenset([*_COMPOUND.split(), "Address", "Forwarded", "Label", "Latitude", "Longitude", "To"])
_MARKS: Final = (*_COMPOUND.split(), "MediaContentType", "MediaUrl")
"""Texts that mark the beginning of a field. The other known names are words, or parts of many words; `To` counts only before a plus."""
_ANY_MARK: Final = re.compile("|".join(sorted([*_MARKS, r"To\+"], reverse=True)))
"""Longer names first: FromCity is not From."""
_FALLBACK: Final = frozenset({"ErrorCode", "ErrorUrl"})
"""What Twilio adds, both together, when it calls the fallback URL: the only names behind the Body in a text from a phone number."""
_LIKE_FIELDS: Final = re.compile(
    r"From(?:\+|[0-9]{5}|(?:whatsapp|rcs|messenger):)|MessageSid[A-Z]{2}[0-9a-f]{32}|ErrorCode[0-9]+ErrorUrlhttp"
)
_APART: Final = "\0"


@dataclass(frozen=True, slots=True)
class _Rules:
    """The rules for a form with certain names.

    `marks` are the known names that its line must show; None when one of its names has not the form of Twilio's, contains a known one
    without being it, or may be the end of the value before it. `behind_body` are the names between Body and From, in the order in which
    they are signed: there a name and the end of a text look alike.
    """

    marks: list[str] | None
    ids: tuple[str, ...]
    shapes: tuple[tuple[str, re.Pattern[str]], ...]
    behind_body: frozenset[str]


def check(form: Form, query: str) -> None:
    """Raise BadInput for a signed form that may not be the reading that Twilio signed: `ambiguous_form`, or `bad_sid` for an id.

    `query` is the called URL's query: a field may have been moved there.
    """
    fields = {name: values[0] for name, values in form.items() if len(values) == 1}
    names = tuple(sorted(fields))
    rules = _rules(names, fields.get("To", "").startswith("+"))
    if not all(_ID.fullmatch(fields[name]) for name in rules.ids):
        raise BadInput(code="bad_sid")
    if len(fields) < len(form) or not _one_reading(names, fields, rules) or (query and _ANY_MARK.search(query)):
        raise BadInput(code="ambiguous_form")


def _one_reading(names: tuple[str, ...], fields: dict[str, str], rules: _Rules) -> bool:
    """Whether the values match their patterns, and the line without the Body shows only the form's own names."""
    if rules.behind_body and rules.behind_body != _FALLBACK and fields["From"].startswith("+"):
        return False
    if not all(shape.fullmatch(fields[name]) for name, shape in rules.shapes) or _LIKE_FIELDS.search(fields.get("Body", "")):
        return False
    line = "".join([piece for name in names for piece in (name, _APART if name == "Body" else fields[name])])
    return _ANY_MARK.findall(line) == rules.marks


@lru_cache(maxsize=256)
def _rules(names: tuple[str, ...], to_a_number: bool) -> _Rules:
    """The rules for these sorted names; cached, because nearly all forms have the same ones."""
    unknown = {name for name in names if name not in _KNOWN and not _NUMBERED.fullmatch(name)}
    behind_body = frozenset(name for name in names if "Body" < name < "From" and {"Body", "From"} <= {*names})
    misshaped = not all(_NAME.fullmatch(name) for name in names) or any(name.startswith("To") or _ANY_MARK.search(name) for name in unknown)
    behind_word = any(first in _WORDS and second[0].islower() for first, second in itertools.pairwise(filter(None, names)))
    marks = _ANY_MARK.findall(_APART.join("To+" if name == "To" and to_a_number else name for name in names))
    return _Rules(
        marks=None if misshaped or behind_word else marks,
        ids=tuple(name for name in names if name in _IDS),
        shapes=tuple((name, _VALUES[name]) for name in names if name in _VALUES),
        behind_body=behind_body,
    )
