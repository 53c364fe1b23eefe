"""The errors of the bridge's client."""

from __future__ import annotations

import pytest

from bridge.client import errors
from bridge.client.errors import BridgeError
from shared.errors import BosslineError

ALL = [value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, BridgeError)]


@pytest.mark.parametrize("cls", ALL)
def test_every_error_is_in_the_tree_and_says_whether_to_try_again(cls: type[BridgeError]) -> None:
    """The docstring draws it."""
    assert f"-- {cls.__name__} " in (errors.__doc__ or "")
    assert issubclass(cls, BosslineError)
    assert isinstance(cls("detail").retryable, bool)
