"""What the product's classes and modules are called: each name means one thing, and a module is used under its own."""

from __future__ import annotations

import ast
from collections import defaultdict
from functools import cache
from pathlib import Path
from typing import Final

from tests.support.processes import ROOT

PACKAGES: Final = ("boss", "bridge", "rq_async", "sandbox", "shared", "supervisor_worker", "webhook_api")
APART: Final = {"shared.bridge"}
"""The bridge client's old import path, for one release."""
MAX_LINES: Final = 400
FILES: Final = sorted(path.relative_to(ROOT) for package in PACKAGES for path in (ROOT / package).rglob("*.py"))


@cache
def named_by() -> list[tuple[Path, ast.ClassDef | ast.ImportFrom]]:
    """The classes and imports of the product, read once."""
    nodes = ((file, node) for file in FILES for node in ast.walk(ast.parse((ROOT / file).read_text(encoding="utf-8"))))
    return [(file, node) for file, node in nodes if isinstance(node, ast.ClassDef | ast.ImportFrom)]


def is_module(name: str) -> bool:
    path = ROOT / name.replace(".", "/")
    return path.is_dir() or path.with_suffix(".py").is_file()


def test_the_product_is_found() -> None:
    """What finds no file would hold nothing."""
    assert len(FILES) > 300


def test_no_class_name_means_two_things() -> None:
    """Private ones count as well: a reader who searches for a name finds one class."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for file, node in named_by():
        if isinstance(node, ast.ClassDef):
            found[node.name.lstrip("_")].append(str(file))
    assert {name: files for name, files in found.items() if len(files) > 1} == {}


def test_a_module_is_used_under_its_own_name() -> None:
    """One that has to be renamed where it is imported has the wrong name."""
    renamed = [
        f"{file}: {node.module}.{alias.name} as {alias.asname}"
        for file, node in named_by()
        if isinstance(node, ast.ImportFrom) and node.module and node.module.partition(".")[0] in PACKAGES and node.module not in APART
        for alias in node.names
        if alias.asname not in (None, alias.name) and is_module(f"{node.module}.{alias.name}")
    ]
    assert renamed == []


def test_a_module_can_be_read_in_one_go() -> None:
    """Under four hundred lines."""
    assert [str(file) for file in FILES if (ROOT / file).read_text(encoding="utf-8").count("\n") >= MAX_LINES] == []
