"""How runs look to a person: one run with its steps, and many runs in a table."""

from collections.abc import Iterator, Sequence

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from curation.ledger.engine import EngineTask
from curation.links import public_url
from curation.models import Run, Step
from curation.states import RunState, StepName, StepState
from pipeline.cli.output import duration, moment

_STYLES = {
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
_BUSY = Padding(Spinner("dots", style="cyan"), (0, 0, 0, 2))
_BAR_WIDTH = 16


def run_view(run: Run, *, task: EngineTask | None, now: float) -> Group:
    """Returns a run with its four steps.

    Args:
        run: The run.
        task: Its task of our engine, or None.
        now: The present by the ledger's clock, in seconds since the epoch.
    """
    parts: list[RenderableType] = [_title(run, now), _steps(run, task, now)]
    if run.error:
        parts.append(Text(f"  {run.error.code}: {run.error.message}", style="red"))
    return Group(*parts)


def facts_view(run: Run) -> Table:
    """Returns what is known of a run beside its steps."""
    table = Table.grid(padding=(0, 2))
    for name, value in _facts(run):
        table.add_row(Text(f"  {name}", style="dim"), Text(value, overflow="fold"))
    return table


def runs_view(runs: Sequence[Run]) -> Table:
    """Returns a table of runs."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("RUN", "STATE", "CREATED", "SELECTED", "SOURCE"):
        table.add_column(column, no_wrap=column != "SOURCE", overflow="fold")
    for run in runs:
        selected = _selected(run)
        table.add_row(
            run.run_id,
            Text(run.state, style=_STYLES.get(run.state, "cyan")),
            moment(run.created_at),
            selected,
            Text(public_url(run.request.source)),
        )
    return table


def _title(run: Run, now: float) -> Text:
    return Text.assemble(
        (run.run_id, "bold"),
        f"  {_name(run.request.source)}  ",
        (run.state, _STYLES.get(run.state, "cyan")),
        f"  {duration((run.ended_at or now) - run.created_at)}",
    )


def _name(source: str) -> str:
    place = source.partition("?")[0] if "://" in source else source
    return place.rstrip("/").rpartition("/")[2]


def _steps(run: Run, task: EngineTask | None, now: float) -> Table:
    table = Table.grid(padding=(0, 2))
    for name in StepName:
        step = run.steps.get(name)
        style = _STYLES.get(step.state, "cyan")
        mark = _MARKS.get(step.state)
        table.add_row(
            Text(f"  {mark}", style=style) if mark else _BUSY,
            name,
            Text(step.state, style=style),
            _elapsed(step, now),
            _tries(step),
            _doing(run, task) if name is StepName.RUN_SELECTION and not step.state.is_end else "",
        )
    return table


def _elapsed(step: Step, now: float) -> str:
    if step.started_at is None:
        return ""
    return duration((step.ended_at or now) - step.started_at)


def _tries(step: Step) -> str:
    counts = {"attempt": step.attempts if step.attempts > 1 else 0, "look": step.looks}
    return ", ".join(f"{n} {word}{'s' if n > 1 else ''}" for word, n in counts.items() if n)


def _doing(run: Run, task: EngineTask | None) -> RenderableType:
    word = Text(task.state if task else run.selection.state or "", style="dim")
    if task is None or task.state != "EMBEDDING" or not task.n_done or not task.n_frames:
        return word
    row = Table.grid(padding=(0, 1))
    row.add_row(
        word,
        ProgressBar(total=task.n_frames, completed=task.n_done, width=_BAR_WIDTH),
        Text(", ".join(_progress(task)), style="dim"),
    )
    return row


def _progress(task: EngineTask) -> Iterator[str]:
    progress = task.progress
    if progress is None or progress.frames_total is None:
        return
    yield f"{progress.frames_done} of {progress.frames_total} frames"
    if task.n_segments:
        yield f"{task.segments_done}/{task.n_segments} segments"
    if progress.frames_per_s:
        yield f"{progress.frames_per_s:.0f}/s"
    if progress.eta_s:
        yield f"{duration(progress.eta_s)} left"


def _amount(run: Run) -> str:
    config = run.request.config
    if config.n_samples:
        return f"{config.n_samples} frames"
    return f"{config.proportion_samples or 0:.3g} of the frames"


def _facts(run: Run) -> list[tuple[str, str]]:
    facts = [
        ("source", public_url(run.request.source)),
        ("keep", f"{_amount(run)}, by {run.selection.backend}"),
        ("created", moment(run.created_at)),
    ]
    if run.video:
        facts.append(("video", f"{run.video.uri} ({run.video.size_bytes:,} bytes)"))
    if run.instance:
        seconds = run.cost.instance_seconds or 0.0
        state = run.instance.state or "unknown"
        facts.append(("instance", f"{run.instance.instance_id} {state}, used {duration(seconds)}"))
    if run.selection.state:
        selected = f", {_selected(run)} selected" if _selected(run) else ""
        facts.append(("selection", f"{run.selection.state}{selected}"))
    if run.resumed_from:
        facts.append(("resumes", run.resumed_from))
    return facts


def _selected(run: Run) -> str:
    if run.selection.n_selected is None:
        return ""
    return f"{run.selection.n_selected} of {run.selection.n_frames}"
