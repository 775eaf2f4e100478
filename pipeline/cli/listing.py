"""The command `curate list`: which runs there are, by state, source and age; once or on and on."""

import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count, islice
from typing import Annotated

import typer
from rich.live import Live
from rich.table import Table

from curation.models import Run
from curation.states import RunState
from pipeline import client
from pipeline.cli import output
from pipeline.cli.options import Json, Limit
from pipeline.cli.table import runs_view

# Seconds by the letter behind a number.
_UNITS_S = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0, "w": 604_800.0}
_PAGE = 100
_LOOK_EVERY_S = 1.0

_States = Annotated[
    list[RunState] | None,
    typer.Option("--state", help="Only runs in this state; may be given more than once."),
]
_Source = Annotated[
    str | None,
    typer.Option(metavar="TEXT", help="Only runs whose source has this text in it."),
]
_Since = Annotated[
    str | None,
    typer.Option(metavar="WHEN", help="Only runs since then: 90m, 24h, 7d, or 2026-11-22 (UTC)."),
]
_Failed = Annotated[bool, typer.Option("--failed", help="Only runs that failed.")]
_Follow = Annotated[bool, typer.Option("--follow", "-f", help="Stay, and show what changes.")]


@dataclass(frozen=True)
class _Filter:
    """Which runs are asked for."""

    states: frozenset[RunState]
    source: str
    began_at: float
    limit: int

    def runs(self) -> list[Run]:
        """Returns the runs as they are now, the newest first."""
        return list(islice(self._matching(), self.limit))

    def _matching(self) -> Iterator[Run]:
        for run in newest_runs():
            if run.created_at < self.began_at:
                return
            if self.states and run.state not in self.states:
                continue
            if self.source in run.request.source:
                yield run


def list_runs(  # noqa: PLR0913  # each is an option of the command
    *,
    state: _States = None,
    failed: _Failed = False,
    source: _Source = None,
    since: _Since = None,
    limit: Limit = 20,
    follow: _Follow = False,
    as_json: Json = False,
) -> None:
    """Lists runs, the newest first.

    Example: curate list --failed --since 24h
    """
    states = frozenset([*(state or ()), *([RunState.FAILED] if failed else ())])
    wanted = _Filter(states, source or "", moment_of(since) if since else 0.0, limit)
    if follow:
        output.refuse_following(as_json=as_json)
        _follow(wanted)
    runs = wanted.runs()
    if as_json:
        output.answer_items([run.model_dump(mode="json", by_alias=True) for run in runs])
    elif runs:
        output.answer(_table(runs))
        output.suggest_all(_next_of(runs))
    else:
        _tell_none(is_filtered=bool(states or source or since))


def newest_runs() -> Iterator[Run]:
    """Yields all runs, the newest first."""
    runs = client.ledger().runs
    for skip in count(step=_PAGE):
        page = runs.newest(_PAGE, skip=skip)
        yield from page
        if not page:
            return


def moment_of(text: str, *, option: str = "--since") -> float:
    """Returns the moment that `90m` or `2026-11-22` means, in seconds since the epoch."""
    if found := re.fullmatch(r"(\d+(?:\.\d+)?)([smhdw])", text):
        return client.ledger().store.now() - float(found[1]) * _UNITS_S[found[2]]
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(
            f"{option} {text!r}: expected a number with s, m, h, d or w behind it (24h), "
            "or a time (2026-11-22, 2026-11-22T09:30)."
        ) from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _tell_none(*, is_filtered: bool) -> None:
    if is_filtered:
        output.note("There are no such runs.")
        output.suggest("curate list", "See all")
    else:
        output.note("There are no runs yet.")
        output.suggest("curate run SOURCE", "Ask for one")


def _follow(wanted: _Filter) -> None:
    """Shows the runs until Ctrl-C: a table on a terminal, one line for each change elsewhere."""
    if not output.is_terminal():
        said: set[str] = set()
        while True:
            for run in reversed(wanted.runs()):
                _say_once(f"{run.run_id}  {run.name}  {run.state}", said)
            time.sleep(_LOOK_EVERY_S)
    with Live(console=output.answers(), refresh_per_second=1) as live:
        while True:
            live.update(_table(wanted.runs()))
            time.sleep(_LOOK_EVERY_S)


def _say_once(line: str, said: set[str]) -> None:
    if line not in said:
        said.add(line)
        output.answer(line)


def _next_of(runs: Sequence[Run]) -> list[tuple[str, str]]:
    failed = next((run for run in runs if run.state is RunState.FAILED), None)
    if failed:
        return [(f"curate status {failed.name}", "see why it failed")]
    return [(f"curate status {runs[0].name}", "see how one goes")]


def _table(runs: Sequence[Run]) -> Table:
    return runs_view(runs, now=client.ledger().store.now(), width=output.answers().width)
