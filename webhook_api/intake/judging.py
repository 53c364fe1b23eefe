"""Whose a message is: judged by the people whom this process knows, and confirmed by the script that stores it.

The script compares the version of the registry by which it was judged with the one that holds (`accept.lua`): where somebody was added,
changed or removed meanwhile nothing is stored, this process takes in the change, and the message is judged anew. So nobody is recorded as a
stranger whom the registry knows, and no message is taken for the former owner's of an address that has changed hands.

Without Redis nobody knows that version. A message of a known person is then spooled as theirs, and any other as it came.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from shared import submit
from shared.errors import BadInput
from shared.mailbox.call import Call
from shared.mailbox.calls import Accepted
from shared.model.addresses import Channel
from shared.runtime import Runtime
from webhook_api.intake import records
from webhook_api.intake.records import ArrivedMessage, IgnoredMessage, JudgedMessage, ReadArrived, ReadyRecord, SpoolRecord, UnjudgedMessage

ArrivedReaders = Mapping[Channel, ReadArrived]
MAX_JUDGEMENTS: Final = 5
"""How often a message is judged in a row because the registry has changed; beyond that it is spooled."""


class Judging:
    """A message that is being stored, and what it is by those who were known when it was judged last."""

    def __init__(self, message: ArrivedMessage, runtime: Runtime) -> None:
        self._message, self._runtime = message, runtime
        self.judge()

    def judge(self) -> None:
        """Judge it by who is known now."""
        self._version = self._runtime.users.version  # before the judgement: whom it misses, a later version has
        self.record: JudgedMessage = self._message.judged(self._runtime)

    def call(self) -> Call[Accepted]:
        """The call that stores it, unless the registry has another version. Raises StorageUnavailable."""
        return records.message_call(self.record, self._runtime, users=self._version)

    @property
    def redelivered(self) -> bool:
        """Whether it may be a user's, so that its provider is to send it again where there is no room."""
        return is_unknown(self.record) or not isinstance(self.record, IgnoredMessage)

    @property
    def channel(self) -> Channel:
        """What it came by."""
        return self._message.channel

    @property
    def spooled(self) -> JudgedMessage | UnjudgedMessage:
        """What waits on disk for Redis."""
        return UnjudgedMessage(self.channel, self._message.fields()) if is_unknown(self.record) else self.record


def is_unknown(record: SpoolRecord) -> bool:
    """Whether a message is not answered because nobody is known to have its address."""
    return isinstance(record, IgnoredMessage) and record.unknown


def learn(runtime: Runtime) -> None:
    """Take in what has changed of the people who are known. Raises StorageUnavailable."""
    with submit.storage_errors():
        runtime.people.refresh()


def judged_now(record: SpoolRecord, runtime: Runtime, readers: ArrivedReaders) -> ReadyRecord:
    """A record of the spool, and by who is known now, if it was not judged before. Raises BadInput for one that cannot be read."""
    if not isinstance(record, UnjudgedMessage):
        return record
    read = readers.get(record.channel)
    if read is None:
        raise BadInput(code="unknown_type")
    return read(record.fields).judged(runtime)
