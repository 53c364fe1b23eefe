"""The package as a whole."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import rq_async as package


def test_the_package_needs_the_standard_library_redis_and_rq_alone() -> None:
    """It can be lifted out as it is."""
    allowed = {"redis", "rq", *sys.stdlib_module_names}
    for file in Path(package.__path__[0]).glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            strange = [name for name in names if name.partition(".")[0] not in allowed and not name.startswith(package.__name__)]
            assert not strange, f"{file.name} imports {strange}"
