"""Every error has a code, and a provider's error answers what follows from it."""

from __future__ import annotations

import pytest

from shared import errors
from shared.errors import AccessDenied, BosslineError, CredentialsRefused, LimitReached, OutcomeUnknown, ProviderError, ProviderRefused
from supervisor_worker.channels import port
from supervisor_worker.channels.port import RecipientOptedOut, RecipientUnreachable, SenderUnusable
from supervisor_worker.providers import http_pool
from supervisor_worker.turns import delivery

ALL = [value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, BosslineError)]
QUESTIONS = ("final", "counts", "pauses_all", "alarms", "outage", "daily", "opted_out", "tell_user", "other_channel")

TABLE: dict[ProviderError, set[str]] = {
    ProviderError("twilio", "x"): {"tell_user"},
    errors.ProviderUnavailable("twilio", "x"): {"tell_user", "outage"},
    delivery.NotReplicated(): {"tell_user"},
    http_pool.PermitExpired(): {"tell_user"},
    LimitReached("twilio", "x"): {"tell_user", "outage", "alarms", "daily"},
    ProviderRefused("twilio", "x"): {"tell_user", "final"},
    ProviderRefused("twilio", "x", final=False): {"tell_user", "counts"},
    AccessDenied("twilio", "x"): {"tell_user", "counts", "pauses_all"},
    CredentialsRefused("twilio", "x"): {"tell_user", "pauses_all"},
    OutcomeUnknown("twilio", "x"): {"tell_user"},
    RecipientUnreachable("twilio", "x"): {"final", "other_channel"},
    SenderUnusable("twilio", "x"): {"final", "other_channel", "alarms"},
    RecipientOptedOut("twilio", "x"): {"final", "opted_out"},
}


@pytest.mark.parametrize("error", TABLE, ids=lambda error: f"{type(error).__name__}-{error.final}")
def test_a_providers_error_answers_what_follows_from_it(error: ProviderError) -> None:
    """The whole table: a turn branches on these answers alone."""
    assert {question for question in QUESTIONS if getattr(error, question)} == TABLE[error]


def test_the_table_has_every_class_of_a_providers_error_and_every_question() -> None:
    """A new class or a new attribute has to say what it answers."""
    classes = {
        value
        for module in (errors, port, http_pool, delivery)
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, ProviderError)
    }
    assert {type(error) for error in TABLE} == classes
    assert {name for name, value in vars(ProviderError).items() if isinstance(value, bool)} == set(QUESTIONS)


@pytest.mark.parametrize("cls", ALL)
def test_every_error_has_a_code(cls: type[BosslineError]) -> None:
    """A machine word, which may be logged."""
    error = cls("twilio", "20429") if issubclass(cls, ProviderError) else cls()
    assert error.code
    assert error.code == error.code.strip().lower()


@pytest.mark.parametrize("cls", ALL)
def test_the_tree_in_the_docstring_is_the_tree(cls: type[BosslineError]) -> None:
    """A new error is drawn there, too."""
    assert f"-- {cls.__name__} " in (errors.__doc__ or "") or cls is BosslineError
