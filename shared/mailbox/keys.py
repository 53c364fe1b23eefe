"""The database's keys as Python uses them. Their names, and the scripts', stand in `shared.mailbox.key_names`."""

from __future__ import annotations

from typing import Final, Literal

from shared.mailbox.key_names import PREFIX, key

__all__ = ["PREFIX"]
SCHEMA: Final = key("schema")
"""The version of the stored data."""
SALT: Final = key("salt")
"""The installation's salt for ids that are made of addresses."""
LEDGER: Final = key("ledger")
HEARD: Final = key("heard")
"""A hash: when a webhook that may stay silent for long was last heard, in ms of Redis TIME."""
WRITE_CHECK: Final = key("probe")
"""Written to find out whether the server takes writes; lives a second."""
BARRIER: Final = key("barrier")
"""Written before WAIT, which counts from the last write of its own connection; lives a minute."""
OPEN: Final = key("open")
"""A sorted set: messages that wait for their answer, by when they came (ms)."""
DUE: Final = key("due")
"""A sorted set: conversations with work, by when their time comes (ms)."""
PRIORITY_DUE: Final = key("priority_due")
"""The same for what code answers, which stands in an inbox of its own."""
ALARMS: Final = key("alarms")
"""A sorted set: reminders that wait, by when somebody is to look at each (ms)."""
ALARMS_READ: Final = key("alarms_read")
"""A sorted set: those of them that were read and have not rung yet, by when they were read last (ms)."""
PARKED: Final = key("parked")
"""A sorted set: messages that wait for an operator, by when they were parked (ms)."""
RECENT: Final = key("recent")
"""A sorted set: the newest messages, by when they came (ms)."""
PAUSE: Final = key("pause")
"""A hash: why all sending is paused."""
PAUSED: Final = key("paused")
"""A set: the pairs whose sending is paused."""
COUNTS: Final = key("counts")
"""A hash: how often each kind of thing has happened."""
STRANGERS: Final = key("strangers")
"""A sorted set: the last senders who were not admitted, masked, by when (ms)."""
STANDBY: Final = key("standby")
"""A hash: what each standby does, by its name."""
RECONCILE: Final = key("reconcile")
"""A hash: the last look at Twilio's list."""
RECONCILE_TURN: Final = key("reconcile_turn")
RECONCILE_SINCE: Final = key("reconcile_since")
RECONCILE_NEXT: Final = key("reconcile_next")
RETRIES: Final = key("retries")
"""A sorted set: operators' requests for a retry that no worker has served, by when one is to take them on (ms)."""
CONVERSATIONS: Final = key("conversations")
"""A sorted set: the conversations that have kept messages, by their last activity (ms)."""
INDEXES: Final = key("indexes")
"""A sorted set: the names of all indexes, by when each is to be looked through for entries whose records have gone (ms)."""
FILES: Final = key("files")
"""A hash: until when each file that came with a mail is kept (ms), the room that it takes (bytes), and whose it is."""
INDEXING: Final = key("indexing")
"""A hash: how far the messages of a version without indexes are listed."""
MCP_ACCEPTED: Final = key("mcp_accepted")
"""A hash: of each MCP server the list of tools that the operator accepted."""
MCP_NEWEST: Final = key("mcp_newest")
"""A hash: of each MCP server the list of tools that it said last."""
MCP_LOGINS: Final = key("mcp_logins")
"""A hash: of each MCP server with a login its tokens, encrypted."""
ZONES: Final = key("zones")
"""A hash: the time zones of the users who have another than UTC, by their ids."""
REGISTRY: Final = key("registry")
"""A hash: the entries of people beside the users files, as JSON, by their permanent ids."""
REGISTRY_NAMES: Final = key("registry_names")
"""A hash: the permanent ids of entries of the users file whose username has changed, by that username."""
REGISTRY_IDS: Final = key("registry_ids")
"""A set: all ids that entries of the registry have had."""
REGISTRY_STATE: Final = key("registry_state")
"""A hash: the registry's version, which each change raises."""
PEOPLE: Final = key("people")
"""A hash: the id of each user's person, by the id of their entry."""
API_TOKENS: Final = key("api_tokens")
"""A hash: the tokens by which programs may have the Boss write, as JSON, by their ids."""
HOSTS: Final = key("hosts")
"""A hash: of each web host up to when it has dropped what was erased, when it was heard last (ms), and its name."""
REGISTRY_COPIES: Final = key("registry_copies")
"""A hash: of each host the version of its copy of the registry, and when it was heard last (ms), and its name."""
SPENDERS: Final = key("spenders")
"""A sorted set: the persons for whom the model was asked, by when last (ms)."""
DAY_SECONDS: Final = 86_400

Record = Literal["msg", "reply", "turn"]


def record(kind: Record, name: str) -> str:
    """A message's, reply's or turn's record."""
    return f"{PREFIX}{kind}:{name}"


def message(name: str) -> str:
    """A message's record."""
    return record("msg", name)


def reply(name: str) -> str:
    """A reply's record."""
    return record("reply", name)


def conversation(name: str) -> str:
    """A conversation's record."""
    return key("conv") + name


def inbox(conversation: str) -> str:
    """The list of a conversation's messages that wait."""
    return key("inbox") + conversation


def person(name: str) -> str:
    """The record of a person: whose entry they are, and their epoch."""
    return key("person") + name


def reminders_of(person: str) -> str:
    """The ids of a person's reminders that wait, by when they ring (ms)."""
    return key("reminders") + person


def facts_of(person: str) -> str:
    """A person's facts, and the number of the newest."""
    return key("facts") + person


def lists_of(person: str) -> str:
    """The heads of a person's lists, and the number of the newest."""
    return key("lists") + person


def summaries_of(conversation: str) -> tuple[str, str]:
    """The records of a conversation's two chats, each with where its history begins and the summary of what stands before."""
    return key("summary") + conversation, key("summary") + f"{conversation}:other"


def approvals_of(user: str) -> str:
    """The questions that somebody asked for, or was asked, by when (ms); `user` is the id of their entry."""
    return key("approvals") + user


def approval(name: str) -> str:
    """A question that waits for a yes, or waited for one."""
    return key("approval") + name


def always_of(person: str) -> str:
    """What a person has said "always" to, and when (ms)."""
    return key("always") + person


def rung_of(person: str) -> str:
    """The ids of a person's reminders that have rung, by when (ms)."""
    return key("rung") + person


def items_of(person: str, number: str) -> str:
    """The items of one of a person's lists, by the list's number."""
    return key("items") + f"{person}:{number}"


def reminder(name: str) -> str:
    """A reminder's record."""
    return key("reminder") + name


def file(name: str) -> str:
    """A file that came with a mail: a hash of its pieces, by their numbers."""
    return key("file") + name


def opt_out(pair: str) -> str:
    """That a pair has opted out."""
    return key("optout") + pair


def seen(message: str) -> str:
    """That a message is known: it outlives the message's record."""
    return key("seen") + message


def provider(provider_id: str) -> str:
    """The reply that a provider's id belongs to."""
    return key("provider") + provider_id


def unsure(conversation: str) -> str:
    """The replies of a conversation that may turn up in a provider's list later."""
    return key("unsure") + conversation


def pause(pair: str) -> str:
    """Why one pair's sending is paused."""
    return key("pause_of") + pair


def threads(pair: str) -> str:
    """A pattern: the keys by which a pair's mails find their conversations; each holds a conversation's id."""
    return key("thread") + f"{pair}:*"


def beside(user: str) -> str:
    """The index of what is a person's and in no index of their messages: notices, and questions about what they asked for."""
    return index(f"o{user[1:]}")


def index(name: str) -> str:
    """The messages of one person, conversation or Message-ID, by when they came (ms); `name` is its id."""
    return key("index") + name


def retry_request(operation: str) -> str:
    """An operator's request for a retry, and its result."""
    return key("retry") + operation


def mcp_renewal(server: str) -> str:
    """That a process renews the token of an MCP server now."""
    return key("mcp_renewal") + server


def spent(seconds: int) -> str:
    """What answering has cost on the day (UTC) of a time in epoch seconds."""
    return key("spent") + str(seconds // DAY_SECONDS)


def spent_month(month: str, person: str = "") -> str:
    """What answering has cost in a month (`2026-11`): of all (UTC), or of a person by their own clock."""
    return key("spent_by") + f"{person}:{month}" if person else key("spent") + month


def spent_by(person: str, seconds: int) -> str:
    """What answering a person has cost on the day of a time in epoch seconds, of their own clock."""
    return key("spent_by") + f"{person}:{seconds // DAY_SECONDS}"
