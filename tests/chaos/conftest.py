"""One running Bossline per xdist worker for all the chaos, emptied for each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.whole import Whole


@pytest.fixture(scope="session")
def shared_whole() -> Iterator[Whole]:
    """The processes that live as long as the run."""
    with Whole() as running:
        yield running


@pytest.fixture
def whole(shared_whole: Whole) -> Iterator[Whole]:
    """The whole system with an empty mailbox and no worker yet."""
    shared_whole.reset()
    yield shared_whole
    shared_whole.end_workers()
