"""Imports go down, a public name stands for one thing, and no docstring begins vaguely."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from importlinter.cli import lint_imports

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "functions" / "anthropic_lake"
VAGUE = re.compile(r"(Give|Tell|Say)s?\b")


def test_imports_only_go_down(capsys: pytest.CaptureFixture[str]) -> None:
    exit_code = lint_imports(str(ROOT / "pyproject.toml"), no_cache=True, no_logo=True)
    assert exit_code == 0, capsys.readouterr().out


def test_no_two_public_names_are_equal() -> None:
    names = Counter(name for path in PACKAGE.rglob("*.py") for name in public_names(path))
    assert [name for name, count in names.items() if count > 1] == []


def test_no_docstring_gives_tells_or_says() -> None:
    sources = [*PACKAGE.rglob("*.py"), *(ROOT / "infra").rglob("*.py")]
    texts = [text for path in sources for text in docstrings(path)]
    assert [text for text in texts if VAGUE.match(text)] == []


def public_names(path: Path) -> Iterator[str]:
    """The names that a module defines for others."""
    for statement in ast.parse(path.read_text()).body:
        match statement:
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                names = [name]
            case ast.Assign(targets=[target]) | ast.AnnAssign(target=target):
                names = [node.id for node in ast.walk(target) if isinstance(node, ast.Name)]
            case _:
                names = []
        yield from (name for name in names if not name.startswith("_"))


def docstrings(path: Path) -> Iterator[str]:
    """The docstrings of a module, its classes and its functions."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            yield ast.get_docstring(node) or ""
