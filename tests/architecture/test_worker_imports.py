"""What importing the worker's modules does, and does not."""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2] / "supervisor_worker"
MODULES = [path for folder in ("turns", "assistant", "channels", "media", "providers") for path in (ROOT / folder).rglob("*.py")]


def test_nothing_is_imported_inside_a_job() -> None:
    """The SDKs take seconds to import: that is paid at the process's start, not in the first turn."""
    for module in MODULES:
        functions = [node for node in ast.walk(ast.parse(module.read_text())) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
        inside = [node for function in functions for node in ast.walk(function) if isinstance(node, ast.Import | ast.ImportFrom)]
        assert not inside, module


def test_the_modules_of_a_turn_are_found() -> None:
    """A folder that was renamed would leave nothing to look at."""
    assert len(MODULES) > 30
