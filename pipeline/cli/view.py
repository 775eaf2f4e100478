"""How one run looks to a person: its steps on a time line, what each waits for, what is known."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from curation.links import public_url
from curation.states import RunState, StepName, StepState
from pipeline.cli.output import duration, moment
from pipeline.cli.waiting import waits_for

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import Console, ConsoleOptions, RenderResult

    from curation.ledger.engine import EngineTask
    from curation.models import Cost, Run, Step
    from pipeline.cli.watch import Look

STYLES = {
    RunState.COMPLETED: "green",
    RunState.FAILED: "red",
    RunState.CANCELED: "yellow",
    StepState.PENDING: "dim",
    StepState.SUCCEEDED: "green",
    StepState.FAILED: "red",
    StepState.SKIPPED: "dim",
    StepState.CANCELED: "yellow",
}
_MARKS = {
    StepState.PENDING: "·",
    StepState.SUCCEEDED: "✔",
    StepState.FAILED: "✘",
    StepState.SKIPPED: "-",
    StepState.CANCELED: "✘",
}
# One for all, so that it does not begin anew with each look.
_BUSY = Spinner("dots", style="cyan")
_PROGRESS_WIDTH = 12
# What mark, name, state and time of a step need; the rest of the line is for its bar.
_COLUMNS_WIDTH = 47
_SHORTEST_BAR, _LONGEST_BAR = 12, 60
# Up to this width there is no room for two spaces between columns.
_NARROW = 60


class RunView:
    """A run with its four steps, as wide as the terminal lets it be.

    Args:
        look: The run at one moment.
    """

    def __init__(self, look: Look) -> None:
        self._look = look

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        run, width = self._look.run, options.max_width
        yield _title(run, self._look.now, is_wide=width > _NARROW)
        for name in StepName:
            indent = 2 if width > _NARROW else 0
            yield Padding(_step_line(self._look, name, width), (0, 0, 0, indent), expand=False)
            for detail in _details(self._look, name):
                yield Padding(detail, (0, 0, 0, indent + 3), expand=False)
        if run.error:
            yield from _why(run)


def facts_view(run: Run) -> Table:
    """Returns what is known of a run beside its steps."""
    table = Table.grid(padding=(0, 2))
    for name, value in _facts(run):
        table.add_row(Text(f"  {name}", style="dim"), Text(value, overflow="fold"))
    return table


def looks_view(looks: Sequence[Look]) -> Group:
    """Returns several runs, one below the other."""
    return Group(*map(RunView, looks))


def _title(run: Run, now: float, *, is_wide: bool) -> Text:
    return Text.assemble(
        (run.name, "bold"),
        f"  {_file_name(run.request.source)}  ",
        (run.state, STYLES.get(run.state, "cyan")),
        f"  {duration((run.ended_at or now) - run.created_at)}",
        (f"  {run.run_id}" if is_wide else f"\n{run.run_id}", "dim"),
        overflow="fold",
    )


def _file_name(source: str) -> str:
    place = source.partition("?")[0] if "://" in source else source
    return place.rstrip("/").rpartition("/")[2]


def _step_line(look: Look, name: StepName, width: int) -> Table:
    step = look.run.steps.get(name)
    style = STYLES.get(step.state, "cyan")
    line = Table.grid(padding=(0, 2 if width > _NARROW else 1, 0, 0))
    # The same widths in each line: every step has a table of its own.
    for column_width in (1, 16, 9, 11):
        line.add_column(width=column_width, no_wrap=True)
    mark = _MARKS.get(step.state)
    cells: list[RenderableType] = [Text(mark, style=style) if mark else _BUSY, name.value]
    cells += [Text(step.state, style=style), _elapsed(step, look.run.ended_at or look.now)]
    room = min(width - _COLUMNS_WIDTH, _LONGEST_BAR)
    if room >= _SHORTEST_BAR:
        line.add_column(width=room, no_wrap=True)
        cells.append(_bar(look, step, room))
    line.add_row(*cells)
    return line


def _bar(look: Look, step: Step, room: int) -> Text:
    """Draws when the step was at work, between the beginning of the run and its end or now."""
    if step.started_at is None:
        return Text()
    begin, end = look.run.created_at, look.run.ended_at or look.now
    scale = room / max(end - begin, 0.001)
    first = min(max(int((step.started_at - begin) * scale), 0), room - 1)
    last = min(max(round(((step.ended_at or end) - begin) * scale), first + 1), room)
    return Text.assemble(" " * first, ("━" * (last - first), STYLES.get(step.state, "cyan")))


def _elapsed(step: Step, until: float) -> str:
    """Says how long the step has taken; one that was given up has ended with its run."""
    if step.started_at is None:
        return ""
    return duration((step.ended_at or until) - step.started_at)


def _details(look: Look, name: StepName) -> Iterator[RenderableType]:
    step = look.run.steps.get(name)
    if step.state.is_end:
        return
    if step.problem:
        yield Text(f"try {step.attempts - 1}: {step.problem}", style="yellow", overflow="fold")
    task = look.task if name is StepName.RUN_SELECTION else None
    if task and task.state == "EMBEDDING" and task.n_frames:
        yield _embedding(task)
    elif step.state is StepState.PENDING:
        return
    elif words := waits_for(look, name):
        yield Text(words, style="dim", overflow="fold")


def _embedding(task: EngineTask) -> Table:
    row = Table.grid(padding=(0, 1))
    row.add_row(
        Text(task.state, style="dim"),
        ProgressBar(total=task.n_frames, completed=task.n_done or 0, width=_PROGRESS_WIDTH),
        Text(", ".join(_progress(task)), style="dim"),
    )
    return row


def _progress(task: EngineTask) -> Iterator[str]:
    progress = task.progress
    if progress is None or progress.frames_total is None:
        return
    yield f"{progress.frames_done or 0} of {progress.frames_total} frames"
    if task.n_segments:
        yield f"{task.segments_done}/{task.n_segments} segments"
    if progress.frames_per_s:
        yield f"{progress.frames_per_s:.0f}/s"
    if progress.eta_s:
        yield f"{duration(progress.eta_s)} left"


def _why(run: Run) -> Iterator[RenderableType]:
    if run.error is None:
        return
    where = f" in {run.error.step}" if run.error.step else ""
    yield Text.assemble(("  Why: ", "bold red"), (f"{run.error.code}{where}", "red"))
    message = Text(run.error.message, overflow="fold")
    yield Padding(message, (0, 0, 0, 7), expand=False)


def _amount(run: Run) -> str:
    config = run.request.config
    if config.n_samples:
        return f"{config.n_samples} frames"
    return f"{config.proportion_samples or 0:.3g} of the frames"


def _used(cost: Cost) -> str:
    used = duration(cost.instance_seconds or 0.0)
    return used if cost.money is None else f"{used} for {cost.money:.4f} {cost.currency}"


def _facts(run: Run) -> Iterator[tuple[str, str]]:
    yield "source", public_url(run.request.source)
    yield "keep", f"{_amount(run)}, by {run.selection.backend}"
    yield "created", moment(run.created_at)
    if run.video:
        yield "video", f"{run.video.uri} ({run.video.size_bytes:,} bytes)"
    if run.instance:
        state = run.instance.state or "unknown"
        yield "instance", f"{run.instance.instance_id} {state}, used {_used(run.cost)}"
    if run.selection.state:
        words = run.selection.in_words
        chosen = f", {words} selected" if words else ""
        yield "selection", f"{run.selection.state}{chosen}"
    if run.resumed_from:
        yield "resumes", run.resumed_from
    if run.same_as:
        yield "same as", f"{run.same_as}, which had curated the same video in the same way"
