"""The command `curate report`: where a run's results are, and its report in the browser."""

import json
import os
import sys
import webbrowser
from pathlib import Path
from typing import Annotated

import typer

from curation.models import Run
from curation.states import Backend
from pipeline import client
from pipeline.cli import bucket, output
from pipeline.cli.options import Json, RunId
from pipeline.cli.stay import suggest_next
from workers.base import wiring

_Open = Annotated[
    bool, typer.Option("--open/--no-open", help="Whether to open the report in a browser.")
]


def report(run_id: RunId, *, browser: _Open = True, as_json: Json = False) -> None:
    """Opens a run's report, and says where its results are.

    Example: curate report calm-amber-otter
    """
    run = client.status(run_id)
    names = run.selection.filenames_uri
    if names is None:
        output.complain(f"Run {run.name} has no results: it is {run.state}.")
        suggest_next(run)
        raise typer.Exit(output.FAILED)
    # Hosted Lightly keeps its pictures, if it makes any.
    is_ours = run.selection.backend is Backend.ENGINE
    places = {
        "frames_uri": f"{names.rpartition('/')[0]}/frames/" if is_ours else None,
        "filenames_uri": names,
        "report_uri": run.selection.report_uri,
    }
    if as_json:
        output.answer_json(json.dumps({"schema": 1, "run_id": run.run_id, **places}, indent=2))
        return
    for name, place in places.items():
        if place:
            output.answer(f"{name.removesuffix('_uri'):<10} {place}")
    if run.selection.report_uri:
        _show(_fetch(run, run.selection.report_uri), browser=browser)


def _fetch(run: Run, uri: str) -> Path:
    """Returns the report as a file of this machine."""
    root = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    suffix = uri.rpartition(".")[2]
    path = Path(root).expanduser() / "video-curation" / "reports" / f"{run.run_id}.{suffix}"
    with bucket.into(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
        bucket.copy(wiring().storage, uri, path)
    return path


def _show(path: Path, *, browser: bool) -> None:
    output.answer(f"{'copy':<10} {path}")
    if browser and sys.stdout.isatty() and not webbrowser.open(path.as_uri()):
        output.note("No browser could be started; open the copy yourself.")
