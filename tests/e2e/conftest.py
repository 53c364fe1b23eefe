"""What the end-to-end tests share."""

from __future__ import annotations

import os

import pytest

from tests.support.browser import installed


@pytest.fixture(scope="session")
def browser_path() -> str:
    """The browser that is installed; without one the tests are skipped, unless REQUIRE_BROWSER says that it must be there."""
    found = installed()
    if found is None:
        assert not os.environ.get("REQUIRE_BROWSER"), "REQUIRE_BROWSER is set and there is no Chromium"
        pytest.skip("no Chromium on PATH")
    return found
