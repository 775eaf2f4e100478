"""Files, functions and nesting stay small enough to be read at one glance."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

MAX_FILE_LINES = 250  # not counting blank lines
MAX_FUNCTION_LINES = 25  # not counting the docstring
MAX_NESTING = 3
Function = ast.FunctionDef | ast.AsyncFunctionDef
LOOPS = (ast.For, ast.AsyncFor, ast.While)
BLOCKS = (*LOOPS, ast.If, ast.With, ast.AsyncWith, ast.Try, ast.TryStar, ast.Match)


def test_files__are_short(modules: Sequence[Path]) -> None:
    """No file has more than 250 lines that are not blank."""
    too_long = [
        f"{path}: {lines}" for path in modules if (lines := file_lines(path)) > MAX_FILE_LINES
    ]

    assert "\n".join(too_long) == ""


def test_functions__are_short(modules: Sequence[Path]) -> None:
    """No function has more than 25 lines beside its docstring."""
    too_long = [
        f"{path}:{function.lineno} {function.name}: {lines}"
        for path in modules
        for function in functions(path)
        if (lines := function_lines(function)) > MAX_FUNCTION_LINES
    ]

    assert "\n".join(too_long) == ""


def test_functions__are_flat(modules: Sequence[Path]) -> None:
    """No function nests blocks more than three deep."""
    too_deep = [
        f"{path}:{function.lineno} {function.name}: {levels}"
        for path in modules
        for function in functions(path)
        if (levels := nesting(function)) > MAX_NESTING
    ]

    assert "\n".join(too_deep) == ""


def test_file_lines__counts_no_blank_lines(tmp_path: Path) -> None:
    """A blank line is free, a comment is not."""
    module = tmp_path / "module.py"
    module.write_text("one = 1\n\n   \n# two\n", encoding="utf-8")

    assert file_lines(module) == 2


@pytest.mark.parametrize(
    ("source", "lines"),
    [
        ("def f():\n    return 1", 2),
        ('def f():\n    """Says.\n\n    More.\n    """\n    return 1', 2),
        ("@decorated\ndef f(\n    a,\n    b,\n):\n    return a", 5),
    ],
)
def test_function_lines__counts_no_docstring(source: str, lines: int) -> None:
    """A docstring and a decorator are free, a long signature is not."""
    function = ast.parse(source).body[0]

    assert isinstance(function, Function)
    assert function_lines(function) == lines


@pytest.mark.parametrize(
    ("source", "levels"),
    [
        ("x = 1", 0),
        ("if a:\n  b\nelif c:\n  d\nelif e:\n  f", 1),
        ("try:\n  a\nexcept E:\n  if b:\n    c\nfinally:\n  d", 2),
        ("for a in b:\n  with c:\n    while d:\n      if e:\n        f", 4),
        ("match a:\n  case 1:\n    if b:\n      c", 2),
    ],
)
def test_nesting__counts_blocks_within_blocks(source: str, levels: int) -> None:
    """Each block in a block is a level; `elif`, `except` and `case` are none of their own."""
    assert nesting(ast.parse(source)) == levels


def file_lines(path: Path) -> int:
    """Returns the number of lines that are not blank."""
    return sum(1 for line in path.read_text(encoding="utf-8").splitlines() if line.strip())


def functions(path: Path) -> Iterator[Function]:
    """Yields all functions of a file, methods and inner ones too."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, Function):
            yield node


def function_lines(function: Function) -> int:
    """Returns the length from `def` to the last line, without the docstring."""
    length = (function.end_lineno or function.lineno) - function.lineno + 1
    if ast.get_docstring(function) is None:
        return length
    docstring = function.body[0]
    return length - ((docstring.end_lineno or docstring.lineno) - docstring.lineno + 1)


def nesting(node: ast.AST) -> int:
    """Returns how many blocks lie in one another below `node`, inner functions left out."""
    return max((_levels(child, parent=node) for child in ast.iter_child_nodes(node)), default=0)


def _levels(node: ast.AST, *, parent: ast.AST) -> int:
    if isinstance(node, (Function, ast.ClassDef)):
        return 0
    is_elif = isinstance(parent, ast.If) and isinstance(node, ast.If) and parent.orelse == [node]
    is_level = isinstance(node, BLOCKS) and not is_elif
    return nesting(node) + is_level
