"""Whoever meets a public name can read what it is for."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

MIN_SHARE = 0.95
Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def test_public_names__have_docstrings(package_modules: Sequence[Path]) -> None:
    """At least 95 % of the public classes, functions and methods say what they do."""
    found = [item for path in package_modules for item in public(tree(path))]

    without = [item.name for item in found if ast.get_docstring(item) is None]

    assert len(without) <= (1 - MIN_SHARE) * len(found), without


def test_modules__say_what_they_are_for(package_modules: Sequence[Path]) -> None:
    """Every file with code begins with one sentence on one line."""
    silent = [
        str(path)
        for path in package_modules
        if (body := tree(path)).body and not first_line(body).endswith(".")
    ]

    assert "\n".join(silent) == ""


def test_public__sees_methods_and_no_private_names() -> None:
    """A private class hides its methods; an inner function is nobody's interface."""
    source = """
class Open:
    def method(self):
        def inner(): ...
    def _helper(self): ...
class _Closed:
    def method(self): ...
def function(): ...
"""

    names = [item.name for item in public(ast.parse(source))]

    assert names == ["Open", "method", "function"]


def tree(path: Path) -> ast.Module:
    """Returns the parsed file."""
    return ast.parse(path.read_text(encoding="utf-8"))


def first_line(module: ast.Module) -> str:
    """Returns the first line of the module's docstring, or an empty string."""
    return (ast.get_docstring(module) or "").partition("\n")[0]


def public(scope: ast.Module | ast.ClassDef) -> Iterator[Definition]:
    """Yields the public definitions of a module or class, and those inside public classes."""
    for node in scope.body:
        if isinstance(node, Definition) and not node.name.startswith("_"):
            yield node
            if isinstance(node, ast.ClassDef):
                yield from public(node)
