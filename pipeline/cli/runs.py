"""Commands about runs: ask for one, look at it, cancel it, resume it."""

import json
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from pydantic import ValidationError
from rich.console import Group

from curation.errors import RequestError
from curation.ledger.adoption import adopted_steps
from curation.ledger.store import LedgerUnavailable
from curation.models import Run, RunRequest
from curation.selection_config import SelectionConfig, load_config
from curation.source_uri import SourceKind, kind_of
from curation.states import Backend, RunState
from pipeline import client
from pipeline.cli import output, watch
from pipeline.cli.options import Json, Limit
from pipeline.cli.view import facts_view, run_view, runs_view

_Source = Annotated[
    str | None,
    typer.Argument(
        metavar="SOURCE",
        help="A file or folder, https://…, s3://bucket/prefix, pexels:popular or "
        "pexels:search?query=WORDS. Without it: VIDEO_SOURCE.",
        show_default=False,
    ),
]
_Proportion = Annotated[
    float | None,
    typer.Option(help="Share of frames to keep, 0 to 1. Without it: PROPORTION_SAMPLES."),
]
_Backend = Annotated[
    Backend | None, typer.Option(help="Who selects. Without it: SELECTION_BACKEND.")
]
_Key = Annotated[str | None, typer.Option(help="The same key gives the same run, however often.")]
_Config = Annotated[
    str | None,
    typer.Option(
        metavar="FILE",
        help="What to choose: JSON in the hosted service's language. Without it: SELECTION_CONFIG.",
        show_default=False,
    ),
]
_Wait = Annotated[bool, typer.Option("--wait", help="Stay until the run has ended.")]
_RunId = Annotated[str, typer.Argument(metavar="RUN_ID", help="The run's id.", show_default=False)]
# Where the caller has set a field of the request.
_SET_BY = {
    "source": "SOURCE",
    "proportion_samples": "--proportion",
    "selection_backend": "--backend",
    "idempotency_key": "--idempotency-key",
    "selection_config": "--selection-config",
}


def run(  # noqa: PLR0913  # each is an option of the command
    source: _Source = None,
    *,
    proportion: _Proportion = None,
    backend: _Backend = None,
    idempotency_key: _Key = None,
    selection_config: _Config = None,
    wait: _Wait = False,
    as_json: Json = False,
) -> None:
    """Asks for a run: one video in, its most diverse frames out.

    Example: curate run clip.mp4 --proportion 0.1 --wait
    """
    request = _request(
        source=_absolute(source),
        proportion_samples=proportion,
        selection_backend=backend,
        idempotency_key=idempotency_key,
        selection_config=_loaded(selection_config),
    )
    run_id = client.enqueue(request)
    if wait:
        _wait(run_id, as_json=as_json)
    _print_accepted(run_id, as_json=as_json)


def list_runs(*, limit: Limit = 20, as_json: Json = False) -> None:
    """Lists runs, the newest first.

    Example: curate list --limit 50
    """
    runs = client.ledger().runs.newest(limit)
    if as_json:
        output.answer_items([run.model_dump(mode="json", by_alias=True) for run in runs])
    elif runs:
        output.answer(runs_view(runs))
    else:
        output.note("There are no runs yet.")
        output.suggest("curate run SOURCE", "Ask for one")


def status(run_id: _RunId, *, as_json: Json = False) -> None:
    """Shows all that is known of a run.

    Example: curate status 20261122-093015-5f0c2d81ab
    """
    if as_json:
        output.answer_json(client.status(run_id).to_json())
        return
    look = watch.look_at(run_id)
    output.answer(Group(run_view(look.run, task=look.task, now=look.now), facts_view(look.run)))
    _suggest_next(look.run)


def cancel(run_id: _RunId, *, as_json: Json = False) -> None:
    """Cancels a run: its steps stop, and its instance is given back.

    Example: curate cancel 20261122-093015-5f0c2d81ab
    """
    run = client.cancel(run_id)
    if as_json:
        output.answer_json(run.to_json())
    elif run.state.is_end:
        output.note(f"Run {run_id} has ended before, as {run.state}.")
    else:
        # What it was to end as before, stands.
        output.note(f"Run {run_id} will end as {run.outcome} when its instance is given back.")
        output.suggest(f"curate status {run_id}", "See how far it is")


def resume(run_id: _RunId, *, as_json: Json = False) -> None:
    """Runs again what failed or was canceled, without doing again what was done.

    Example: curate resume 20261122-093015-5f0c2d81ab
    """
    resumed = client.resume(run_id)
    adopted = adopted_steps(client.status(run_id))
    output.note(f"Adopted from run {run_id}: {', '.join(adopted) or 'nothing'}.")
    _print_accepted(resumed, as_json=as_json)


def report(run_id: _RunId, *, as_json: Json = False) -> None:
    """Says where a run's results are.

    Example: curate report 20261122-093015-5f0c2d81ab
    """
    run = client.status(run_id)
    names = run.selection.filenames_uri
    if names is None:
        output.complain(f"Run {run_id} has no results: it is {run.state}.")
        _suggest_next(run)
        raise typer.Exit(output.FAILED)
    places = {
        "frames_uri": f"{names.rpartition('/')[0]}/frames/",
        "filenames_uri": names,
        "report_uri": run.selection.report_uri,
    }
    if as_json:
        output.answer_json(json.dumps({"schema": 1, "run_id": run_id, **places}, indent=2))
        return
    for name, place in places.items():
        if place:
            output.answer(f"{name.removesuffix('_uri'):<10} {place}")


def _request(**asked: object) -> RunRequest:
    try:
        return RunRequest.model_validate(asked)
    except ValidationError as error:
        problems = [
            f"{_SET_BY[str(item['loc'][0])]} {item['input']!r}: {item['msg']}"
            for item in error.errors()
        ]
        raise typer.BadParameter("; ".join(problems)) from None


def _loaded(config: str | None) -> SelectionConfig | None:
    try:
        return load_config(config) if config else None
    except ValueError as error:
        raise RequestError(f"{error}.", code="request:selection-config") from None


def _absolute(source: str | None) -> str | None:
    """Returns the source, a relative path made absolute: the ingest worker is elsewhere."""
    if source is None or kind_of(source) is not SourceKind.FOLDER or source.startswith("file:"):
        return source
    path = Path(source).absolute()
    if not path.exists():
        output.warn(f"{path} does not exist here. The ingest worker will look for it on its side.")
    return str(path)


def _wait(run_id: str, *, as_json: bool) -> NoReturn:
    try:
        with watch.progress() as show:
            (run,) = watch.follow([run_id], show)
    except KeyboardInterrupt:
        output.note(f"You stopped watching. Run {run_id} goes on.")
        output.suggest(f"curate status {run_id}", "See how far it is")
        output.suggest(f"curate cancel {run_id}", "Cancel it")
        raise typer.Exit(output.INTERRUPTED) from None
    except LedgerUnavailable:
        output.note(f"Run {run_id} is in the ledger and goes on when Redis answers again.")
        raise
    if as_json:
        output.answer_json(run.to_json())
    elif not output.notes.is_terminal and run.error:
        output.complain(run.error.message)
    _suggest_next(run)
    raise typer.Exit(output.DONE if run.state is RunState.COMPLETED else output.FAILED)


def _print_accepted(run_id: str, *, as_json: bool) -> None:
    if as_json:
        output.answer_json(client.status(run_id).to_json())
    else:
        output.answer(run_id)
    output.suggest(f"curate status {run_id}", "Accepted. See how far it is")


def _suggest_next(run: Run) -> None:
    command, purpose = _NEXT.get(run.state, ("cancel", "Cancel it"))
    output.suggest(f"curate {command} {run.run_id}", purpose)


_NEXT = {
    RunState.COMPLETED: ("report", "Find the results"),
    RunState.FAILED: ("resume", "Try again"),
    RunState.CANCELED: ("resume", "Try again"),
}
