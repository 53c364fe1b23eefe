"""What a reason, by which a message is parked or ignored, or a reply's code means: a plain sentence, and the command that helps."""

from __future__ import annotations

from typing import Final, NamedTuple

from shared.model.channels import CHANNELS
from shared.model.delivery_errors import sentence


class Explanation(NamedTuple):
    """What a reason means, and the command that helps; '' where none does."""

    sentence: str
    command: str = ""


RETRY: Final = "boss messages retry ID"
DISCARD: Final = "boss messages discard ID"

PARKED: Final[dict[str, Explanation]] = {
    "outage": Explanation("A provider was away until the message was ANSWER_WITHIN_MINUTES old.", RETRY),
    "too_old": Explanation("It was older than ANSWER_AT_MOST_HOURS before it could be answered; its sender was told.", RETRY),
    "outcome_unknown": Explanation(
        "Nobody could tell whether its reply was accepted; it may have arrived, so it goes out no oftener than twice, and nobody was told. "
        "A retry asks the provider once more.",
        RETRY,
    ),
    "too_many_errors": Explanation("It failed five times; the log says where.", RETRY),
    "too_many_lost_leases": Explanation("Its worker died six times, perhaps of this very message.", RETRY),
    "pair_unknown": Explanation(
        "Its record does not say whom it is from, so nobody knows whether they said STOP; a retry reads it from its text.", RETRY
    ),
    "unreadable": Explanation("Its text is gone, or its record cannot be read.", DISCARD),
    "not_resumable": Explanation("It was begun with pictures or files that are gone since then, and nothing was changed by it.", RETRY),
    "too_long": Explanation("It could use more tokens than DAILY_TOKENS, or its sender's share of it, allows in a whole day.", RETRY),
}
"""By reason; a provider's own refusal is `twilio_21614` and the like."""

UNUSED: Final[dict[str, Explanation]] = {
    "twilio_channel_unused": Explanation("No user of the users file has a phone that texts reach any more, so no text is sent.", RETRY),
    "sendgrid_channel_unused": Explanation(
        "No user of the users file has an address that mails reach any more, so no mail is sent.", RETRY
    ),
}
"""What we refuse in a provider's place."""

IGNORED: Final[dict[str, Explanation]] = {
    "stranger": Explanation(
        "Its sender is no user of that Boss. Where they should be one, look for a mistyped number or address in the users file.",
        "boss messages strangers",
    ),
    "unknown_recipient": Explanation("It went to an address that no entry of the users file has as its Boss.", "boss messages strangers"),
    "bad_sender": Explanation(
        "Its sender is no phone number: a short code, or a name. Nobody can be answered there.",
        "boss messages strangers",
    ),
    "own_address": Explanation("It came from a Boss's own address, and would be answered for ever."),
    "empty": Explanation("It has no words, no subject and no file."),
    "help_keyword": Explanation("It is a word that Twilio answers itself (HELP_WORDS)."),
    "opt_out": Explanation("It is a word by which its user opts out of texts (OPT_OUT_WORDS). Twilio has confirmed it."),
    "opt_in": Explanation("It is a word by which its user opts in again. Twilio has confirmed it."),
    "opted_out": Explanation("Its user has opted out of this channel. Texts begin again with START.", "boss opt-in --user USERNAME"),
    "overtaken": Explanation("It is a STOP or START that was found late, and its sender has written another of these words since."),
    "rate_limited": Explanation(
        "Its sender, or its conversation, had started as many turns, or sent as many commands, as an hour has; the sender was told once."
    ),
    "day_limited": Explanation(
        "Its sender had started as many turns with that Boss as a day has (PAIR_TURNS_PER_DAY); the sender was told once."
    ),
    "address_removed": Explanation(
        "Its address is not its person's any more: nothing is sent there, and they were told on their other channel."
    ),
    "echo": Explanation(
        "What we said came back, or both sides repeated themselves, as robots do; it is kept and shown later. "
        "A person need only write something else, or wait ten minutes."
    ),
    "reaction": Explanation("Its phone sent it for a reaction to a text of this conversation. It is kept, and shown to the model later."),
    "auto_reply": Explanation("A phone or a carrier sent it by itself. It is kept, and shown to the model later."),
    "whatsapp": Explanation("It came by WhatsApp, where nobody is answered: the Boss has a phone number only."),
    "rcs": Explanation("It came by RCS, to or from an agent's address, where nobody is answered: the Boss has a phone number only."),
    "messenger": Explanation("It came by Messenger, where nobody is answered: the Boss has a phone number only."),
    "discarded": Explanation("An operator gave it up."),
    "erased": Explanation("What is kept of its person was erased after they had written it, and nothing of it is kept."),
    "cancelled": Explanation("It was to remind of what its user cancelled, or moved, or to ask what ended, before it was sent."),
    "expired": Explanation("A program had it written, and its time was over (expires_at) before it could be sent."),
    "key_reused": Explanation("A program gave it an Idempotency-Key that another message had taken before this one left the spool."),
    "token_limited": Explanation("Its token had had 20 messages written to that person within a day before this one left the spool."),
    "bad_from": Explanation("Its From names nobody whom it could be answered to."),
    "two_addresses": Explanation("Its From names several authors, or its headers and the form do not agree on one."),
    "bad_form": Explanation("Its form had a field twice, or more than its beginning and end: nothing in it is proof of who wrote it."),
    "bad_headers": Explanation("Its headers were cut, missing, or break RFC 5322: nothing in it is proof of who wrote it."),
    "unauthenticated": Explanation("Neither DKIM nor SPF proves that its From is its author: anybody may have written it."),
    "auto_submitted": Explanation("It says of itself that a program sent it (Auto-Submitted)."),
    "return_path": Explanation("It has no return path, as reports and automatic answers have none."),
    "list": Explanation("A mailing list or a newsletter sent it: it has a list's headers, and another sign of one."),
    "bulk": Explanation("It calls itself bulk, list or junk mail (Precedence), and has another sign of a program."),
    "auto_response": Explanation("It has a header of automatic answers, or their subject and another sign."),
    "forwarding_limited": Explanation(
        "It came by a forwarding address whose day was used up (FORWARDED_MAILS_PER_DAY); it is kept, and named in the digest of that day."
    ),
    "own_message": Explanation("A mail of ours came back: it has an id as ours have."),
    "report": Explanation("It is a delivery report."),
    "robot": Explanation("Its address is a program's, such as noreply or mailer-daemon."),
}
"""By reason; a message that is recorded and not answered."""

ANSWERED: Final[dict[str, Explanation]] = {
    "nothing_to_say": Explanation("The model left its answer empty, twice: there was nothing to say."),
    "month_spent": Explanation(
        "The month's dollars are used up (MONTHLY_DOLLARS, PERSON_MONTHLY_DOLLARS); its sender was told so that day."
    ),
}
"""By the reason of a message that was answered without a reply."""

NOT_DELIVERED: Final = frozenset({"undelivered", "failed", "refused_by_provider"})
_PROVIDERS: Final = frozenset(channel.provider for channel in CHANNELS.values())
_NAMES: Final = {"twilio": "Twilio", "sendgrid": "SendGrid", "claude": "Claude"}
_DENIED: Final = "{provider}, or something before it, answered 403 to this very message five times: perhaps a filter dislikes its words."
_BY_ALARM: Final = frozenset({"alarm", "paused"})


def explained(state: str, reason: str) -> Explanation:
    """What a message's last state (`parked`, `ignored`, `answered`) came of; empty for another one and for a reason that is not known."""
    if state == "answered":
        return ANSWERED.get(reason, Explanation(""))
    if state not in ("parked", "ignored"):
        return Explanation("")
    known = PARKED.get(reason) or UNUSED.get(reason)
    if state == "ignored":  # also a notice of ours that could not be sent, for a reason that parks a message
        known = IGNORED.get(reason) or (known and Explanation(known.sentence))
    return known or Explanation(said := _of_provider(reason), RETRY if said and state == "parked" else "")


def _of_provider(reason: str) -> str:
    provider, _, code = reason.partition("_")
    if code == "denied" and provider in _NAMES:
        return _DENIED.format(provider=_NAMES[provider])
    if provider in _PROVIDERS and code:
        return sentence(code)
    return f"Claude refused it ({code})." if provider == "claude" and code else ""


def why(kind: str, fields: dict[str, str]) -> str:
    """What a ledger line's code or reason means; '' where there is nothing to explain."""
    if kind in NOT_DELIVERED:
        return sentence(fields.get("code", ""))
    if kind in _BY_ALARM and fields.get("by", "alarm") != "alarm":  # an operator's own words
        return ""
    return explained("parked" if kind in _BY_ALARM else kind, fields.get("reason", "")).sentence
