"""The command `curate logs`: what all processes said about one run, in order of time."""

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from pipeline import client
from pipeline.cli import output
from pipeline.cli.options import Json, RunId
from pipeline.run_logs import LogLine, lines_of, log_files, merged

_LOOK_EVERY_S = 0.5
_PROCESS_WIDTH = 10

_From = Annotated[
    list[Path] | None,
    typer.Option(
        "--from",
        metavar="PATH",
        help="Folder with logs, or one log; - for standard input. Without it: LOG_DIR.",
        show_default=False,
    ),
]
_Follow = Annotated[bool, typer.Option("--follow", "-f", help="Stay until the run has ended.")]


def logs(
    run_id: RunId, *, where: _From = None, follow: _Follow = False, as_json: Json = False
) -> None:
    """Shows what all processes said about a run, in order of time.

    Example: curate logs calm-amber-otter --follow
    Example: docker compose logs --no-color | curate logs calm-amber-otter --from -
    """
    if follow:
        output.refuse_following(as_json=as_json)
    run = client.status(run_id)
    places = where or [Path(it.strip()) for it in client.settings().run.log_dir.split(",")]
    if places == [Path("-")]:
        lines = sorted(lines_of(run.run_id, "", sys.stdin), key=lambda line: line.time)
    else:
        lines = list(merged(run.run_id, _files(places)))
    if as_json:
        output.answer_items([vars(line) for line in lines])
        return
    for line in lines:
        _print(line)
    if follow:
        _follow_logs(run.run_id, places, shown=lines)
    elif not lines:
        output.note(f"No line there is about run {run.name}.")


def _files(places: list[Path]) -> list[Path]:
    files = log_files(places)
    if not files:
        named = ", ".join(map(str, places))
        raise typer.BadParameter(
            f"There is no log in {named}. Say where the processes of this deployment write theirs "
            "(--from, or LOG_DIR), or pipe them in: "
            "docker compose logs --no-color | curate logs RUN_ID --from -"
        )
    return files


def _follow_logs(run_id: str, places: list[Path], *, shown: list[LogLine]) -> None:
    """Shows new lines until the run has ended, and then once more."""
    known = set(shown)
    is_over = False
    while not is_over:
        is_over = client.ledger().runs.is_over(run_id)
        for line in _new_lines(run_id, places, known):
            _print(line)
        if not is_over:
            time.sleep(_LOOK_EVERY_S)


def _new_lines(run_id: str, places: list[Path], shown: set[LogLine]) -> Iterator[LogLine]:
    for line in merged(run_id, log_files(places)):
        if line not in shown:
            shown.add(line)
            yield line


def _print(line: LogLine) -> None:
    if not output.is_terminal():
        output.answer(f"{line.process:<{_PROCESS_WIDTH}} {line.text}".strip())
        return
    style = "red" if " ERROR" in line.text else "yellow" if " WARNING" in line.text else ""
    process = (f"{line.process:<{_PROCESS_WIDTH}} ", "cyan")
    output.answers().print(Text.assemble(process, (line.text, style), overflow="fold"))
