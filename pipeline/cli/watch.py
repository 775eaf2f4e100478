"""Follows runs until they have ended, and shows how far they are while they go."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.live import Live

from curation.states import StepName, StepState
from pipeline import client
from pipeline.cli import output
from pipeline.cli.view import looks_view

if TYPE_CHECKING:
    from curation.ledger.engine import EngineTask
    from curation.models import Run

# Small Redis commands each time; often enough that nothing seems to stand still.
_LOOK_EVERY_S = 0.5
_FRAMES_PER_S = 8

Show = Callable[[Sequence["Look"]], None]


@dataclass(frozen=True)
class Look:
    """A run as it was at one moment.

    Attributes:
        run: The run.
        task: Its task of our engine, or None.
        now: The moment by the ledger's clock, in seconds since the epoch.
    """

    run: Run
    task: EngineTask | None
    now: float


def look_at(run_id: str) -> Look:
    """Looks at a run once; its name or a unique beginning will do."""
    ledger, run = client.ledger(), client.status(run_id)
    return Look(run, ledger.engine.get(run.run_id), ledger.store.now())


def follow(run_ids: Sequence[str], show: Show) -> list[Run]:
    """Shows the runs again and again until all have ended, and returns them."""
    while True:
        looks = [look_at(run_id) for run_id in run_ids]
        show(looks)
        if all(look.run.state.is_end for look in looks):
            return [look.run for look in looks]
        time.sleep(_LOOK_EVERY_S)


@contextmanager
def progress() -> Iterator[Show]:
    """Shows progress on stderr: live on a terminal that can, else one line for each change."""
    if not output.notes.is_terminal or output.notes.is_dumb_terminal:
        yield _Lines().show
        return
    with Live(console=output.notes, refresh_per_second=_FRAMES_PER_S) as live:
        yield lambda looks: live.update(looks_view(looks))


class _Lines:
    """Progress for logs and pipes."""

    def __init__(self) -> None:
        self._said: set[tuple[str, str]] = set()

    def show(self, looks: Sequence[Look]) -> None:
        for look in looks:
            for change in _changes(look):
                self._say_once(look, change)

    def _say_once(self, look: Look, change: str) -> None:
        if (look.run.run_id, change) not in self._said:
            self._said.add((look.run.run_id, change))
            output.note(f"{output.moment(look.now)}  {look.run.name}  {change}")


def _changes(look: Look) -> Iterator[str]:
    run = look.run
    for name in StepName:
        step = run.steps.get(name)
        # A polling step goes to and fro between running and waiting; that is no news.
        if step.state.is_end:
            yield f"{name} {step.state}"
        elif step.state is not StepState.PENDING:
            yield f"{name} begun"
        if step.problem:
            yield f"{name} is tried again: {step.problem}"
    if run.selection.state:
        yield f"selection run {run.selection.state}"
    yield f"run {run.state}"
