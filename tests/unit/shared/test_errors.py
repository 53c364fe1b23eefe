"""Every error says what may be done after it, and none of them says too much."""

from __future__ import annotations

import pytest

from shared import errors
from shared.errors import BosslineError, Disposition, ProviderError

ALL = [value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, BosslineError)]


@pytest.mark.parametrize("cls", ALL)
def test_every_error_has_a_disposition_a_code_and_a_sentence(cls: type[BosslineError]) -> None:
    """Callers branch on these, users read the last one."""
    error = cls("twilio", "20429") if issubclass(cls, ProviderError) else cls()
    assert error.disposition in Disposition
    assert error.code
    assert error.sentence.endswith(".")


def test_a_provider_s_silence_is_neither_yes_nor_no() -> None:
    """The three ways in which a request ends badly are told apart."""
    kinds: dict[type[ProviderError], str] = {
        errors.ProviderUnavailable: "retry",
        errors.OutcomeUnknown: "unknown",
        errors.ProviderRefused: "permanent",
    }
    assert {cls: str(cls("twilio", "x").disposition) for cls in kinds} == kinds


def test_the_tree_in_the_docstring_is_the_tree() -> None:
    """A new error is drawn there, too."""
    for cls in ALL:
        assert f"-- {cls.__name__} " in (errors.__doc__ or "") or cls is BosslineError or f"-- {cls.__name__}" in (errors.__doc__ or "")
