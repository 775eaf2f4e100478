"""What a command prints and how it ends: answers on stdout, all else on stderr, exit codes."""

import json
import os
import shlex
import sys
from collections.abc import Sequence
from datetime import UTC, datetime

import typer
from rich.console import Console, RenderableType
from rich.text import Text

from curation.errors import CurationError, RequestError
from curation.ledger.store import LedgerUnavailable

DONE = 0
FAILED = 1  # the run failed, or a check did
USAGE = 2  # wrong usage or settings, or no such run
UNREACHABLE = 3  # Redis does not answer
INTERRUPTED = 130  # Ctrl-C, as shells count it

notes = Console(stderr=True, highlight=False)
# In a pipe, tables are as wide as they need to be: nobody wants half an id.
_PIPE_WIDTH = 240
_MINUTE_S, _HOUR_S, _DAY_S = 60, 3600, 86_400


def exit_code(error: CurationError) -> int:
    """Returns the exit code that tells who can mend the error."""
    if isinstance(error, LedgerUnavailable):
        return UNREACHABLE
    if isinstance(error, RequestError) or error.code.startswith("config"):
        return USAGE
    return FAILED


def answer(view: RenderableType) -> None:
    """Prints what was asked for."""
    answers().print(view, markup=False, soft_wrap=isinstance(view, str))


def answers() -> Console:
    """Returns the console of stdout; in a pipe it is as wide as a table may need."""
    return Console(width=None if is_terminal() else _PIPE_WIDTH, highlight=False)


def is_terminal() -> bool:
    """Whether stdout is a terminal."""
    return sys.stdout.isatty()


def answer_json(document: str) -> None:
    """Prints a JSON document."""
    typer.echo(document)


def refuse_following(*, as_json: bool) -> None:
    """Refuses `--follow` with `--json`: one document has an end, and following has none.

    Raises:
        typer.BadParameter: If both are wanted.
    """
    if as_json:
        raise typer.BadParameter("--follow is for people. Leave out --json, or ask again.")


def answer_items(items: Sequence[object]) -> None:
    """Prints a list as the JSON document of all lists."""
    answer_json(json.dumps({"schema": 1, "items": list(items)}, indent=2))


def note(text: str, *, style: str = "") -> None:
    """Tells a person something, in whole lines that can be copied."""
    notes.print(Text(text, style=style), soft_wrap=True)


def complain(text: str) -> None:
    """Says what went wrong."""
    notes.print(Text.assemble(("Error: ", "bold red"), text), soft_wrap=True)


def warn(text: str) -> None:
    """Says what may go wrong."""
    notes.print(Text.assemble(("Warning: ", "bold yellow"), text), soft_wrap=True)


def suggest(command: str, purpose: str) -> None:
    """Says which command is useful next."""
    command = _through_door(command)
    notes.print(Text.assemble(f"{purpose}: ", (command, "bold cyan")), soft_wrap=True)


def suggest_all(commands: Sequence[tuple[str, str]]) -> None:
    """Says which commands are useful next, each with what it is for."""
    lines = [(_through_door(command), purpose) for command, purpose in commands]
    width = max(len(command) for command, _ in lines)
    note("Next:")
    for command, purpose in lines:
        line = Text.assemble("  ", (f"{command:<{width}}", "bold cyan"), f"  {purpose}")
        notes.print(line, soft_wrap=True)


def age(seconds: float) -> str:
    """Returns how long ago something was, in one unit: `12 s`, `5 min`, `3 h`, `9 days`."""
    for unit, length_s in (("days", 2 * _DAY_S), ("h", 2 * _HOUR_S), ("min", 2 * _MINUTE_S)):
        if seconds >= length_s:
            return f"{int(2 * seconds // length_s)} {unit}"
    return f"{int(max(seconds, 0.0))} s"


def duration(seconds: float) -> str:
    """Returns a duration for people: `3.2 s`, `4 min 05 s`, `2 h 07 min`."""
    if (short := round(max(seconds, 0.0), 1)) < _MINUTE_S:
        return f"{short:.1f} s"
    minutes, rest = divmod(round(seconds), _MINUTE_S)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s"


def moment(timestamp: float | None) -> str:
    """Returns a time for people, in UTC to the second."""
    if timestamp is None:
        return ""
    return datetime.fromtimestamp(timestamp, tz=UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def _through_door(command: str) -> str:
    """Returns a command as it is typed outside: one of a sandbox goes through its door."""
    door = os.environ.get("SANDBOX_DOOR")
    if not (door and command.startswith("curate ")):
        return command
    near = os.path.relpath(door)
    return f"{shlex.quote(door if near.startswith(os.pardir) else near)} {command}"
