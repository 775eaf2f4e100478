"""`curate run --each`: a run for every video of a source, and one summary at the end."""

import contextlib
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import typer
from rich.table import Table

from curation.errors import OperatorError, RequestError, RunUnknown
from curation.models import Run, RunRequest
from curation.schedules import Each, Schedule, backfill_name
from curation.source_uri import SourceKind, kind_of
from curation.states import RunState
from pipeline import client
from pipeline.cli import output
from pipeline.each import n_open
from pipeline.schedule import ask_for_look

# Beat's looks keep a backfill going; whoever waits asks for more.
_EVERY_S = 10.0
_LOOK_EVERY_S = 1.0
# A listing on Pexels has thousands of videos, which nobody means who names no number.
_PEXELS_LIMIT = 40
_BAD = (RunState.FAILED, RunState.CANCELED)
_ENDS = (RunState.COMPLETED, *_BAD)


@dataclass(frozen=True)
class Scope:
    """How much of a source is worked off.

    Attributes:
        at_once: Runs open at the same time.
        limit: Videos in all, or None.
        retry_failed: Whether runs that failed or were canceled are resumed.
    """

    at_once: int
    limit: int | None
    retry_failed: bool


def enqueue_each(request: RunRequest, scope: Scope, *, wait: bool, as_json: bool) -> NoReturn:
    """Has every video of the request's source get its run; ends this process.

    Args:
        request: What each run does.
        scope: For how many videos, and how many at once.
        wait: Whether to stay until all runs have ended.
        as_json: Whether to print JSON.

    Raises:
        Exit: Always: 1 if a run did not end well, 130 if it was left alone.
    """
    backfill = _backfill(request, at_once=scope.at_once, limit=scope.limit)
    _begin(backfill, retry_failed=scope.retry_failed)
    if not wait:
        output.answer_json(_facts(backfill.name, ())) if as_json else output.answer(backfill.name)
        output.suggest("curate schedule list", "How far it is")
        raise typer.Exit(output.DONE)
    try:
        _follow(backfill)
    except KeyboardInterrupt:
        _leave(backfill)
    _summarise(backfill, as_json=as_json)


def _begin(backfill: Schedule, *, retry_failed: bool) -> None:
    schedules = client.ledger().schedules
    is_known = schedules.find(backfill.name) is not None
    schedules.save(backfill)
    if retry_failed:
        again = [url for url, run in _runs(backfill.name) if run.state in _BAD]
        schedules.note_again(backfill.name, again)
        output.note(f"Tried again, from where they ended: {len(again)}.")
    schedules.note(backfill.name, done_at="", problem="")
    ask_for_look(backfill.name)
    output.note(f"{'Going on with' if is_known else 'Began'} {backfill.name}.")


def _backfill(request: RunRequest, *, at_once: int, limit: int | None) -> Schedule:
    if request.idempotency_key:
        raise RequestError(
            "--each makes a key for each video; leave out --idempotency-key.", code="request:each"
        )
    source = client.filled(request).source
    request = request.model_copy(update={"source": source})
    kind = kind_of(source)
    if kind is SourceKind.PEXELS:
        limit = limit or _PEXELS_LIMIT
    links = _links(Path(source)) if kind is SourceKind.FOLDER else ()
    each = Each(every_s=_EVERY_S, at_once=at_once, limit=limit, links=links, until_done=True)
    return Schedule(name=backfill_name(request, links), request=request, each=each)


def _links(path: Path) -> tuple[str, ...]:
    """Returns the sources that a file of this machine lists, one a line; `#` begins a remark."""
    if path.suffix != ".txt" or not path.is_file():
        return ()
    lines = (line.strip() for line in path.read_text(encoding="utf-8").splitlines())
    links = tuple(dict.fromkeys(line for line in lines if line and not line.startswith("#")))
    for link in links:
        kind_of(link)
    if not links:
        raise RequestError(f"There is no link in {path}.", code="source:no-video")
    return links


def _follow(backfill: Schedule) -> None:
    schedules, told = client.ledger().schedules, ""
    at_once = backfill.each.at_once if backfill.each else 1
    with output.notes.status("Looking for videos") as status:
        while (state := schedules.state(backfill.name)).done_at is None:
            begun, still_open = len(schedules.videos(backfill.name)), n_open(backfill.name)
            status.update(f"{begun} runs, {still_open} open, {state.waiting} to come")
            if state.problem and state.problem != told:
                output.warn(state.problem)
            told = state.problem or told
            if still_open < at_once:
                ask_for_look(backfill.name)
            time.sleep(_LOOK_EVERY_S)


def _leave(backfill: Schedule) -> NoReturn:
    output.note(f"You stopped watching. {backfill.name} goes on; the same command shows it.")
    output.suggest(f"curate schedule remove {backfill.name}", "To begin no further runs")
    raise typer.Exit(output.INTERRUPTED)


def _summarise(backfill: Schedule, *, as_json: bool) -> NoReturn:
    state = client.ledger().schedules.state(backfill.name)
    if state.problem:
        raise OperatorError(state.problem, code="schedule:source")
    runs = [run for _, run in _runs(backfill.name)]
    bad = [run for run in runs if run.state is not RunState.COMPLETED]
    if as_json:
        output.answer_json(_facts(backfill.name, runs))
    else:
        output.answer(_table(_counts(backfill.name, runs)))
        for run in bad:
            why = run.error.message if run.error else run.state
            output.note(f"{run.name}: {why}", style="red")
        if bad:
            output.note("The same command with --retry-failed tries them again.")
    raise typer.Exit(output.FAILED if bad else output.DONE)


def _runs(name: str) -> Iterator[tuple[str, Run]]:
    """Yields the videos and their runs."""
    for url, run_id in client.ledger().schedules.videos(name).items():
        with contextlib.suppress(RunUnknown):  # its retention is over
            yield url, client.ledger().runs.get(run_id)


def _counts(name: str, runs: Sequence[Run]) -> dict[str, int]:
    """Returns how many videos came to which end."""
    same = sum(run.same_as is not None for run in runs)
    ends = {state.value: sum(run.state is state for run in runs) for state in _ENDS}
    state = client.ledger().schedules.state(name)
    return ends | {"skipped": state.skipped + same, "completed": ends["completed"] - same}


def _facts(name: str, runs: Sequence[Run]) -> str:
    items = [json.loads(run.to_json()) for run in runs]
    document = {"schema": 1, "name": name, "counts": _counts(name, runs), "items": items}
    return json.dumps(document, indent=2)


def _table(counts: dict[str, int]) -> Table:
    table = Table(*(word.upper() for word in counts), box=None, pad_edge=False)
    table.add_row(*map(str, counts.values()))
    return table
