"""One running Bossline per xdist worker for all the chaos, emptied for each test; the slow case begins first."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.whole import Whole


def pytest_configure(config: pytest.Config) -> None:
    """The one mark of these tests."""
    config.addinivalue_line("markers", "slow: waits for about a minute, so it begins first")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes a minute of waiting starts at once, beside everything else."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


@pytest.fixture(scope="session")
def _whole() -> Iterator[Whole]:
    with Whole() as running:
        yield running


@pytest.fixture
def whole(_whole: Whole) -> Iterator[Whole]:
    """The whole system with an empty mailbox and no worker yet."""
    _whole.reset()
    yield _whole
    _whole.end_workers()
