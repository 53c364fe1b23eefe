"""How the server starts."""

from __future__ import annotations

import gc
from types import SimpleNamespace
from typing import Any

import pytest

from shared.config.loading import load_settings
from webhook_api import server


def test_what_is_loaded_is_shared_with_the_serving_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """The collector leaves alone what both processes have: walking over it would give each a copy (20 MB, measured)."""
    frozen: list[int] = []

    def serve(**_: Any) -> None:
        frozen.append(gc.get_freeze_count())

    monkeypatch.setattr(server, "open_runtime", lambda *_: SimpleNamespace(close=lambda: None))
    monkeypatch.setattr(server, "build", lambda *_: SimpleNamespace(serve=serve))
    gc.unfreeze()  # what the tests themselves have frozen
    server.main(load_settings(_env_file=None, sandbox="on"))
    assert frozen[0] > 10_000
