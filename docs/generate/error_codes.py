"""Every error code: found in the code by its syntax tree, explained by `errors.toml`."""

from __future__ import annotations

import ast
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_ROOMS = ("curation", "workers", "pipeline")
_CODE = re.compile(r"[a-z0-9*]+(:[a-z0-9*-]+)+")
# What looks like a code and is none.
_OTHERS = ("pexels:popular", "schedule:*", "schedule:*:*")


@dataclass(frozen=True)
class Explained:
    """An error code with its explanation.

    Attributes:
        group: What it is about.
        code: The code; `*` stands for what is only known when it happens.
        meaning: What has happened.
        mend: What to do.
    """

    group: str
    code: str
    meaning: str
    mend: str


def explained() -> list[Explained]:
    """Returns the catalogue."""
    path = Path(__file__).with_name("errors.toml")
    groups = tomllib.loads(path.read_text(encoding="utf-8"))
    return [
        Explained(group, code, meaning, mend)
        for group, entries in groups.items()
        for code, (meaning, mend) in entries.items()
    ]


def codes_in(checkout: Path) -> set[str]:
    """Returns the codes that the code knows; parts that it does not spell out are `*`.

    Args:
        checkout: The root of the checkout.
    """
    families = {entry.code.partition(":")[0] for entry in explained()}
    paths = [path for room in _ROOMS for path in sorted((checkout / room).rglob("*.py"))]
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in paths]
    return {code for tree in trees for code in codes_of(tree, families)}


def codes_of(tree: ast.AST, families: set[str]) -> Iterator[str]:
    """Yields the codes of a module.

    Args:
        tree: Its syntax tree.
        families: First words of codes; a plain string that begins with one is a code.
    """
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "Meaning":
            # Each AWS service puts its own name in front.
            yield f"*:{ast.literal_eval(node.args[1])}"
        elif isinstance(node, ast.expr):
            yield from (code for code in _spelt(node) if _is_code(code, families))
        elif isinstance(node, ast.keyword) and node.arg == "code":
            yield from _spelt(node.value)
        elif isinstance(node, ast.ClassDef):
            yield from _class_code(node)


def unexplained(found: set[str], entries: set[str]) -> list[str]:
    """Returns the codes that no entry explains; a pattern needs one entry that it may stand for."""
    return sorted(
        code for code in found - entries if not any(covers(code, entry) for entry in entries)
    )


def stale(found: set[str], entries: set[str]) -> list[str]:
    """Returns the entries for what no code can raise any more."""
    return sorted(
        entry for entry in entries - found if not any(covers(code, entry) for code in found)
    )


def covers(pattern: str, code: str) -> bool:
    """Whether a code, or pattern of codes, is one of those that a pattern stands for."""
    return bool(re.fullmatch(re.escape(pattern).replace(r"\*", "[^:]+"), code))


def _is_code(text: str, families: set[str]) -> bool:
    is_like_one = _CODE.fullmatch(text) and text not in _OTHERS
    return bool(is_like_one) and text.partition(":")[0] in families


def _spelt(value: ast.expr) -> Iterator[str]:
    """Yields the text of a string, if it spells out any of it."""
    parts = value.values if isinstance(value, ast.JoinedStr) else [value]
    constants = [it.value if isinstance(it, ast.Constant) else "*" for it in parts]
    text = "".join(str(part) for part in constants)
    if constants and isinstance(constants[0], str) and text.strip("*:"):
        yield text


def _class_code(node: ast.ClassDef) -> Iterator[str]:
    """Yields the code that all errors of a class have unless they name another."""
    for line in node.body:
        if isinstance(line, ast.Assign) and ast.unparse(line.targets[0]) == "code":
            yield from _spelt(line.value)
        if isinstance(line, ast.AnnAssign) and ast.unparse(line.target) == "code" and line.value:
            yield from _spelt(line.value)
