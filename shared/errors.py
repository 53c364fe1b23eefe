"""Every error that Bossline raises on purpose, and what each one says.

The tree::

    BosslineError
    +-- ConfigurationError        settings, the users file: all faults in one message
    +-- BadInput                  something from outside that no retry can mend
    +-- SchemaTooNew              data written by a newer Bossline than this one
    +-- StorageUnavailable        Redis is away or refuses
        +-- StorageFault          Redis answers, and this very call fails
        +-- StorageFull           as many messages wait for an answer as may
    +-- LeaseLost                 the conversation belongs to another worker now
    +-- ProviderError             Twilio, SendGrid or Claude
        +-- ProviderUnavailable   429, 5xx, no connection: nothing was taken; an outage, uncounted
        |   +-- LimitReached      our account's limit of a day is used up: waited for long, with an alarm
        +-- ProviderRefused       this very request is wrong: counted, or final
        |   +-- AccessDenied      403: counted, unless others are denied too; then as below
        +-- CredentialsRefused    401, 402, empty budget: pauses all sending
        +-- OutcomeUnknown        the request went out and no answer came back

An error says three things: its `disposition` (retry, permanent or unknown), a stable `code` (a machine word that may be
logged) and a `sentence` that may be shown to the user. None of them holds message text, an address or a secret.
"""

from __future__ import annotations

from enum import StrEnum


class Disposition(StrEnum):
    """What may be done after an error."""

    RETRY = "retry"
    PERMANENT = "permanent"
    UNKNOWN = "unknown"


class BosslineError(Exception):
    """The root; its subclasses differ in the three class attributes."""

    disposition = Disposition.PERMANENT
    code = "error"
    sentence = "Sorry, something went wrong on my side and I could not answer your message."

    def __init__(self, detail: str = "", *, code: str | None = None) -> None:
        """`detail` goes to the operator: ids, names and figures only. `code` narrows the class's own."""
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

    disposition = Disposition.RETRY
    code = "storage_unavailable"


class StorageFault(StorageUnavailable):
    """Redis works, and answers this call with an error of the call's own: waiting does not mend it."""

    code = "storage_fault"


class StorageFull(StorageUnavailable):
    """MAX_OPEN_MESSAGES wait for their answer: no more are taken until some are answered."""

    code = "mailbox_full"


class LeaseLost(BosslineError):
    """The lease is another holder's: start nothing, change nothing."""

    disposition = Disposition.RETRY
    code = "lease_lost"


class ProviderError(BosslineError):
    """A provider did not do what it was asked. `provider` is `twilio`, `sendgrid` or `claude`.

    `used` is how many tokens a model's failed call has used; None where nobody knows.
    """

    code = "provider"
    used: int | None = None

    def __init__(self, provider: str, code: str, *, status: int | None = None, retry_after: float | None = None) -> None:
        """`code` is the provider's own error number or a word of ours; `retry_after` is in seconds."""
        self.provider = provider
        self.status = status
        self.retry_after = retry_after
        super().__init__(f"{provider} status={status}", code=code)


class ProviderUnavailable(ProviderError):
    """The provider took nothing and may take it later: an outage, which uses up no attempts."""

    disposition = Disposition.RETRY
    sentence = "Sorry, I could not answer your message in time. Please send it again."


class ProviderRefused(ProviderError):
    """The provider says that this request is wrong. `final` refusals are not tried again."""

    def __init__(self, provider: str, code: str, *, status: int | None = None, final: bool = True) -> None:
        """A refusal that is not `final` counts as one of the message's five errors."""
        super().__init__(provider, code, status=status)
        self.final = final


class LimitReached(ProviderUnavailable):
    """Our account has used up what it may send in a day."""


class AccessDenied(ProviderRefused):
    """A 403: it may be our key's fault, or something between us and the provider does not like this very message."""

    def __init__(self, provider: str, code: str, *, status: int | None = None) -> None:
        """Never final: it counts as one of the message's five errors, unless it is shown to be the key."""
        super().__init__(provider, code, status=status, final=False)


class CredentialsRefused(ProviderError):
    """Our key, account or budget is refused: nothing can be sent until an operator has acted."""

    disposition = Disposition.RETRY


class OutcomeUnknown(ProviderError):
    """The request went out and its fate is not known: look it up before it is repeated."""

    disposition = Disposition.UNKNOWN
