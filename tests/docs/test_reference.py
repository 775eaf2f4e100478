"""The reference says what the code says, and explains every error."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from docs.generate.__main__ import FOLDER
from docs.generate.error_codes import codes_in, codes_of, explained, stale, unexplained
from docs.generate.markdown import from_docstring, table
from docs.generate.pages import PAGES

CHECKOUT = Path(__file__).parents[2]
ENTRIES = {entry.code for entry in explained()}
SOURCE = '''
class Gone(RequestError):
    code = "run:gone"

class Away(TransientError):
    code: str = "away"

RELEASED = "run:released"
BUSY = Meaning(TransientError, "busy", "Wait.")

def fetch(status):
    """Not run:in-a-docstring, nor https://example.com."""
    if status == 404:
        raise RequestError("There is none.", code="run:missing")
    if status == 418:
        return problem(f"run:http:{status}")
    raise TransientError(f"{status}", code=f"{name}:{status}", other="pexels:popular")
'''


@pytest.mark.parametrize("name", PAGES)
def test_reference__is_up_to_date(name: str) -> None:
    """Each page is what `make docs` makes of the code."""
    assert (FOLDER / name).read_text(encoding="utf-8") == PAGES[name]()


def test_reference__has_no_other_page() -> None:
    """A page that nothing makes any more is removed."""
    assert {path.name for path in FOLDER.iterdir()} == set(PAGES)


def test_errors__are_all_explained() -> None:
    """Every code that the code can raise is in the catalogue, and no other."""
    found = codes_in(CHECKOUT)

    assert unexplained(found, ENTRIES) == []
    assert stale(found, ENTRIES) == []


def test_errors__are_explained_in_sentences() -> None:
    """Each explanation says what has happened and what to do."""
    lame = [
        entry.code
        for entry in explained()
        for text in (entry.meaning, entry.mend)
        if text[-1] not in ".?"
    ]

    assert lame == []


def test_codes_of__finds_every_way_to_write_one() -> None:
    """Codes of classes, of constants, of calls and of tables; nothing that only looks like one."""
    found = set(codes_of(ast.parse(SOURCE), {"run", "pexels"}))

    assert found == {"run:gone", "away", "run:released", "*:busy", "run:missing", "run:http:*"}


def test_unexplained__needs_the_very_code() -> None:
    """A pattern explains a pattern; a code that is spelt out has an entry of its own."""
    assert unexplained({"aws:new", "aws:*", "*:busy"}, {"aws:*", "ec2:busy"}) == ["aws:new"]


def test_stale__names_what_nothing_raises() -> None:
    """An entry stays as long as a code, or a pattern in the code, may be it."""
    assert stale({"run:*", "aws:s3"}, {"run:gone", "aws:s3", "aws:s4"}) == ["aws:s4"]


def test_table__keeps_bars_and_lines_in_their_cells() -> None:
    """A bar or a line break in a text ends no cell."""
    assert table(("A",), [("x | y\nz",)]) == "| A |\n| --- |\n| x \\| y z |"


def test_from_docstring__turns_sections_into_lists() -> None:
    """Names of arguments become items, and long explanations stay theirs."""
    shown = from_docstring("Does.\n\nArgs:\n    run_id: The run,\n        as text.")

    assert shown == "Does.\n\n**Args**\n\n- `run_id`: The run,\n  as text."
