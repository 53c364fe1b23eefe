"""Every error that Bossline raises on purpose, and the questions that each one answers.

The tree::

    BosslineError
    +-- ConfigurationError        settings, the users file: all faults in one message
    +-- BadInput                  something from outside that no retry can mend
    +-- SchemaTooNew              data written by a newer Bossline than this one
    +-- StorageUnavailable        Redis cannot be reached, or refuses to write
        +-- StorageFault          Redis answers, and this very call fails
        +-- StorageFull           MAX_OPEN_MESSAGES wait for an answer
    +-- LeaseLost                 the conversation belongs to another worker now
    +-- ProviderError             Twilio, SendGrid or Claude
        +-- ProviderUnavailable   429, 5xx, no connection: nothing was accepted; an outage, not counted
        |   +-- LimitReached      our account's limit of a day is used up: a long wait, with an alarm
        +-- ProviderRefused       this very request is wrong: counted, or final
        |   +-- AccessDenied      403: counted, unless others are denied too; then it pauses all sending
        +-- CredentialsRefused    401, 402, empty budget: pauses all sending
        +-- OutcomeUnknown        the request was sent and no answer came back

Each error has a stable `code`, a machine word that may be logged. A ProviderError also says what follows from it (`final`, `counts`,
`pauses_all`, ...): a turn asks these attributes, never for a class. No error holds message text, an address or a secret.
"""

from __future__ import annotations


class BosslineError(Exception):
    """The root."""

    code = "error"

    def __init__(self, detail: str = "", *, code: str | None = None) -> None:
        """`detail` is for the operator: ids, names and figures only. `code` replaces the class's own by a narrower one."""
        if code is not None:
            self.code = code
        self.detail = detail
        super().__init__(f"{self.code}: {detail}" if detail else self.code)


class ConfigurationError(BosslineError):
    """The configuration cannot be used; the message lists every fault."""

    code = "configuration"


class BadInput(BosslineError):
    """Input that no repetition can mend."""

    code = "bad_input"


class SchemaTooNew(BosslineError):
    """The stored data was written by a newer version; this process must not touch it."""

    code = "schema_too_new"


class StorageUnavailable(BosslineError):
    """Redis cannot be reached, or refuses to write."""

    code = "storage_unavailable"


class StorageFault(StorageUnavailable):
    """Redis works, and answers this call with an error of the call's own: waiting does not mend it."""

    code = "storage_fault"


class StorageFull(StorageUnavailable):
    """MAX_OPEN_MESSAGES wait for their answer: no more are accepted until some are answered."""

    code = "mailbox_full"


class LeaseLost(BosslineError):
    """The lease belongs to another holder: start nothing, change nothing."""

    code = "lease_lost"


class ProviderError(BosslineError):
    """A provider did not do what it was asked. `provider` is `twilio`, `sendgrid` or `claude`, or names a part of ours.

    By default an error is an outage: the message is tried again, and no attempt is counted.
    """

    code = "provider"
    final = False
    """This request will never be accepted: it is not tried again."""
    counts = False
    """It is one of the five errors that this message may have."""
    pauses_all = False
    """Our key, account or budget is refused: all sending is paused. Where it `counts` too, only if others are refused likewise."""
    alarms = False
    """It concerns everybody, and nothing is paused for it: the operator is told."""
    outage = False
    """The provider fails: its retry budget counts this as a failure."""
    daily = False
    """It lasts until the provider's day ends."""
    opted_out = False
    """The provider keeps an opt-out of this pair that we did not know."""
    tell_user = True
    """Whether the user is told by a notice on the same channel. An instance's is False where an earlier attempt may have been accepted."""
    other_channel = False
    """No message reaches this user on this channel: they are told on their other one."""
    used: int | None = None
    """How many tokens a model's failed call has used; None where nobody knows."""

    def __init__(self, provider: str, code: str, *, status: int | None = None, retry_after: float | None = None) -> None:
        """`code` is the provider's own error number or a word of ours; `retry_after` is in seconds."""
        self.provider = provider
        self.status = status
        self.retry_after = retry_after
        super().__init__(f"{provider} status={status}", code=code)


class ProviderUnavailable(ProviderError):
    """The provider accepted nothing and may accept it later: an outage, which uses up no attempts."""

    outage = True


class LimitReached(ProviderUnavailable):
    """Our account has used up what it may send in a day."""

    alarms = True
    daily = True


class ProviderRefused(ProviderError):
    """The provider says that this request is wrong. It is `final`, or it counts."""

    def __init__(self, provider: str, code: str, *, status: int | None = None, final: bool = True) -> None:
        """A refusal that is not `final` counts as one of the message's five errors."""
        super().__init__(provider, code, status=status)
        self.final = final
        self.counts = not final


class AccessDenied(ProviderRefused):
    """A 403: our key may lack a right, or something between us and the provider rejects this very message."""

    pauses_all = True

    def __init__(self, provider: str, code: str, *, status: int | None = None) -> None:
        """Never final: it counts as one of the message's five errors, unless it is shown to be the key's."""
        super().__init__(provider, code, status=status, final=False)


class CredentialsRefused(ProviderError):
    """Our key, account or budget is refused: nothing can be sent until an operator has acted."""

    pauses_all = True


class OutcomeUnknown(ProviderError):
    """The request was sent and its outcome is not known: look it up before it is repeated."""
