"""The sandbox stands alone."""

from __future__ import annotations

import ast
from pathlib import Path

import sandbox


def test_it_imports_nothing_of_the_product() -> None:
    """A fake that shares code with what it tests would share its mistakes."""
    folder = Path(next(iter(sandbox.__path__)))
    sources = [*folder.rglob("*.py")]
    assert len(sources) > 20
    for source in sources:
        for node in ast.walk(ast.parse(source.read_text("utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert {name.partition(".")[0] for name in names}.isdisjoint(
                {"boss", "bridge", "rq_async", "shared", "webhook_api", "supervisor_worker"}
            )
