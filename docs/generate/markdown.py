"""Pieces of Markdown that all pages of the reference have."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_NOTE = "<!-- Made by `make docs` from the code; not to be edited. -->"
_SECTION = re.compile(r"^(Args|Attributes|Returns|Yields|Raises):$", re.MULTILINE)
_ENTRY = re.compile(r"^ {4}(\w+): ", re.MULTILINE)


def page(title: str, intro: str, sections: Iterable[str]) -> str:
    """Returns a whole page."""
    return "\n\n".join([f"# {title}", _NOTE, intro, *sections]) + "\n"


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Returns a table; a bar in a cell is kept from ending it."""
    names = list(head)
    lines = [names, ["---"] * len(names), *rows]
    return "\n".join(f"| {' | '.join(_cell(cell) for cell in line)} |" for line in lines)


def code(text: str) -> str:
    """Returns text as code; nothing for nothing."""
    return f"`{text}`" if text else ""


def from_docstring(docstring: str) -> str:
    """Returns a docstring of Google's form as Markdown."""
    text = _SECTION.sub(lambda found: f"**{found[1]}**\n", docstring)
    text = _ENTRY.sub(lambda found: f"- `{found[1]}`: ", text)
    return re.sub(r"^ {4,}", "  ", text, flags=re.MULTILINE).replace("  \n", "\n")


def _cell(text: str) -> str:
    return " ".join(text.replace("|", r"\|").split())
