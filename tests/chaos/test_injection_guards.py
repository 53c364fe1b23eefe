"""That the suite of injected texts can fail: each guard is taken away in turn from a copy of the product, and the harm is seen.

Only at full length (`make chaos`): a worker is started anew for each.
"""

from __future__ import annotations

import shutil
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from tests import payloads
from tests.chaos.table import FULL
from tests.chaos.test_injection import attacked
from tests.support import injection, injection_carriers
from tests.support.injection import Arena
from tests.support.processes import ROOT

pytestmark = [pytest.mark.timeout(180), pytest.mark.skipif(not FULL, reason="only at full length: BOSSLINE_CHAOS=full")]
PACKAGES: Final = ("boss", "bridge", "rq_async", "shared", "supervisor_worker", "webhook_api", "sandbox", "console")
GUARDS: Final[list[dict[str, Any]]] = tomllib.loads((Path(payloads.__file__).parent / "injection_guards.toml").read_text("utf-8"))["guard"]


@pytest.fixture(scope="module")
def arena() -> Iterator[Arena]:
    """Everything but the worker."""
    with injection.arena() as running:
        yield running


@pytest.fixture
def product(tmp_path: Path) -> Path:
    """A copy of its packages."""
    for name in PACKAGES:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


@pytest.mark.parametrize("guard", GUARDS, ids=[f"{guard['file'].rpartition('/')[2]}-{guard['line'][:40]}" for guard in GUARDS])
def test_without_this_guard_harm_is_seen(arena: Arena, product: Path, guard: dict[str, Any]) -> None:
    """Of the kind that it is to prevent."""
    path = product / guard["file"]
    text = path.read_text("utf-8")
    assert text.count(guard["line"]) == 1, "the line has changed: change the table"
    path.write_text(text.replace(guard["line"], guard["without"]), "utf-8")
    arena.begin()
    cases = injection_carriers.matrix(arena.installation, full=True, names=guard["injections"])
    found = attacked(arena, cases, PYTHONPATH=str(product))
    assert found.found[guard["harm"]], found.lines
