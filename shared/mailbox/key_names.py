"""The names of all keys of the database, each written once: the scripts read them as `K.facts .. person`, Python by `shared.mailbox.keys`.

Renaming one is a migration, not a change of code. `tests/architecture` finds a name that is written out elsewhere. Of each key that is made
of an id it is said whose id that is, and of those that an erasure of a person leaves, why: by that all keys of a person are found.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

PREFIX: Final = "boss:"
Owner = Literal[
    "", "person", "user", "sender", "pair", "conversation", "message", "turn", "reply", "provider_id", "reminder", "approval", "file",
    "model_call", "idempotency", "index", "request", "process", "count", "day",
]  # fmt: skip
"""What the id in a key is of; "" for a key without one. `user` is an entry of the users file, `person` its person's permanent id,
`index` the name of an index (`calls/indexes.py`), `count` and `day` are nobody's."""


@dataclass(frozen=True, slots=True)
class KeyName:
    """The name of one key, or of a family of keys: `text` with the id of an `owner` behind it. `stays`: why an erasure leaves it."""

    text: str
    owner: Owner = ""
    stays: str = ""


NAMES: Final = {
    # The installation
    "schema": KeyName("schema"),
    "salt": KeyName("salt"),
    "ledger": KeyName("ledger", stays="ids and figures, its last 100,000 lines"),
    "counts": KeyName("counts"),
    "heard": KeyName("heard"),
    "registry": KeyName("registry", stays="an entry goes by `boss users remove`"),
    "registry_names": KeyName("registry:names", stays="the id of a renamed entry of the users file"),
    "registry_ids": KeyName("registry:ids", stays="an id is given to nobody else"),
    "registry_state": KeyName("registry:state"),
    "registry_copies": KeyName("registry:copies"),
    "registry_change": KeyName("registry:change:", "request"),
    "probe": KeyName("probe"),
    "barrier": KeyName("barrier"),
    "looked": KeyName("looked"),
    "wait": KeyName("wait"),
    "processes": KeyName("processes"),
    "held": KeyName("held:", "process"),
    "doubted": KeyName("doubted:", "process"),
    "alone": KeyName("alone"),
    "standby": KeyName("standby"),
    "reconcile": KeyName("reconcile"),
    "reconcile_turn": KeyName("reconcile:turn"),
    "reconcile_since": KeyName("reconcile:since"),
    "reconcile_next": KeyName("reconcile:next"),
    "mcp_accepted": KeyName("mcp:accepted"),
    "mcp_newest": KeyName("mcp:newest"),
    "mcp_logins": KeyName("mcp:logins"),
    "mcp_renewal": KeyName("mcp:renewal:", "process"),
    "denied": KeyName("denied:", "count"),
    "warned": KeyName("warned:", "count"),
    "refused": KeyName("refused:", "count"),
    "ignored": KeyName("ignored:", "count"),
    "strangers": KeyName("strangers"),
    # Agendas and lists of all
    "due": KeyName("due"),
    "priority_due": KeyName("priority_due"),
    "open": KeyName("open"),
    "parked": KeyName("parked"),
    "recent": KeyName("recent"),
    "conversations": KeyName("conversations"),
    "untold": KeyName("untold"),
    "unsettled": KeyName("unsettled"),
    "summaries": KeyName("summaries"),
    "retries": KeyName("retries"),
    "retry": KeyName("retry:", "request"),
    "indexes": KeyName("indexes"),
    "indexing": KeyName("indexing"),
    "index": KeyName("index:", "index"),
    "alarms": KeyName("alarms"),
    "alarms_read": KeyName("alarms_read"),
    "files": KeyName("files"),
    "numbers": KeyName("numbers"),
    # Records
    "msg": KeyName("msg:", "message"),
    "seen": KeyName("seen:", "message", stays="without it the next copy of a message that was answered would be a new one"),
    "turn": KeyName("turn:", "turn"),
    "steps": KeyName("steps:", "turn"),
    "reply": KeyName("reply:", "reply"),
    "provider": KeyName("provider:", "provider_id"),
    "file": KeyName("file:", "file"),
    # Conversations
    "conv": KeyName("conv:", "conversation"),
    "inbox": KeyName("inbox:", "conversation"),
    "priority": KeyName("priority:", "conversation"),
    "history": KeyName("history:", "conversation"),
    "summary": KeyName("summary:", "conversation"),
    "unsure": KeyName("unsure:", "conversation"),
    "wake": KeyName("wake:", "conversation"),
    "threads": KeyName("threads:", "conversation"),
    # A person's two ends
    "optout": KeyName("optout:", "pair", stays="who said STOP is written to no more"),
    "pause": KeyName("pause"),
    "pause_of": KeyName("pause:", "pair", stays="an operator has set it, and ends it"),
    "paused": KeyName("paused", stays="as the pauses that it lists"),
    "turns": KeyName("turns:", "pair"),
    "asked": KeyName("asked:", "pair"),
    "owed": KeyName("owed:", "pair"),
    "thread": KeyName("thread:", "pair"),
    "told_elsewhere": KeyName("told:elsewhere:", "pair"),
    # A sender's bounds
    "rate": KeyName("rate:", "sender"),
    "commands": KeyName("commands:", "sender"),
    "busy": KeyName("busy:", "sender"),
    "waiting": KeyName("waiting:", "sender"),
    "forwarded": KeyName("forwarded:", "sender"),
    "told": KeyName("told:", "sender"),
    "told_waits": KeyName("told:waits:", "sender"),
    "told_month": KeyName("told:month:", "sender"),
    # People
    "people": KeyName("people", stays="the person's id, which is given to nobody else"),
    "person": KeyName("person:", "person", stays="the epoch, which refuses what is made of what was erased"),
    "zones": KeyName("zones", stays="as long as the users file has the entry"),
    "zone_changed": KeyName("zone_changed"),
    "erasures": KeyName("erasures", stays="when it was, so that nothing older is taken from a disk or a provider's list: 400 days"),
    "hosts": KeyName("hosts"),
    "facts": KeyName("facts:", "person"),
    "lists": KeyName("lists:", "person"),
    "items": KeyName("list:", "person"),
    "talks": KeyName("talks:", "person"),
    "copies": KeyName("copies:", "person"),
    "always": KeyName("always:", "person"),
    "reminders": KeyName("reminders:", "person"),
    "rung": KeyName("rung:", "person"),
    "reminder": KeyName("reminder:", "reminder"),
    "outgoing": KeyName("outgoing:", "user"),
    "approvals": KeyName("approvals:", "user"),
    "approval": KeyName("approval:", "approval"),
    "code": KeyName("code:", "user", stays="for a day no other question has it: a late yes is not another question's"),
    # The API
    "api_tokens": KeyName("api:tokens"),
    "idempotency": KeyName("api:key:", "idempotency"),
    # Money
    "reserved": KeyName("reserved"),
    "ended": KeyName("ended"),
    "spenders": KeyName("spenders"),
    "near": KeyName("near"),
    "spent": KeyName("spent:", "day"),
    "spent_by": KeyName("spent:", "person"),
    "call": KeyName("call:", "model_call"),
    "searched": KeyName("searched:", "model_call"),
    "cost": KeyName("cost:", "model_call"),
    "costs": KeyName("costs"),
}


_KEYS: Final = {name: PREFIX + each.text for name, each in NAMES.items()}


def key(name: str) -> str:
    """A key, or what stands before an id in one. Raises KeyError for a name that is not in the table."""
    return _KEYS[name]
