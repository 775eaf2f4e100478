"""The command `curate demo`: one run for each video, in a sandbox, from start to finish."""

import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from curation.errors import CurationError
from curation.models import Record, Run, RunRequest
from curation.states import InstanceState, RunState
from pipeline import client
from pipeline.cli import bucket, output, watch
from pipeline.cli.options import Data, Json
from pipeline.cli.sandbox import started
from workers.base import wiring

if TYPE_CHECKING:
    from sandbox.world import World

# Where results stay, in the folder from which the demo was started.
_RESULTS = "curated"


class DemoItem(Record):
    """What became of one video."""

    run_id: str
    state: RunState
    video: str
    n_frames: int | None
    n_selected: int | None
    folder: str | None = None
    contact_sheet: str | None = None
    report: str | None = None
    problem: str | None = None


class DemoReport(Record):
    """What became of the demo."""

    items: list[DemoItem]
    instance_state: str  # as EC2 says when all runs have ended
    instance_seconds: float  # in which the instance was up
    seconds: dict[str, float]  # how long each part of the demo took

    def problems(self) -> list[str]:
        """Returns what is not as it should be; nothing if the demo has succeeded."""
        found = [item.problem for item in self.items if item.problem]
        if self.instance_state != InstanceState.STOPPED:
            found.append(f"The instance is {self.instance_state} at the end, not stopped.")
        return found

    def to_json(self) -> str:
        """Returns the report as one JSON document."""
        head = {"schema": 1, "succeeded": not self.problems()}
        return json.dumps(head | self.model_dump(mode="json"), indent=2)


# Enough for a long video on a slow machine.
_PATIENCE_S = 3600

_Videos = Annotated[
    list[Path] | None,
    typer.Argument(
        metavar="VIDEO",
        exists=True,
        dir_okay=False,
        resolve_path=True,
        help="Your own videos. Without any: a real clip of ten seconds.",
        show_default=False,
    ),
]


def demo(videos: _Videos = None, *, data: Data = None, as_json: Json = False) -> None:
    """Carries real videos through the whole chain on this machine.

    Example: curate demo my-clip.mp4
    """
    with _folder(data) as folder:
        report = _perform(videos or [], folder)
        if as_json:
            output.answer_json(report.to_json())
        else:
            _print(report)
        if problems := report.problems():
            output.complain(" ".join(problems))
            output.note(f"What the processes said: {_logs(folder)}")
            raise typer.Exit(output.FAILED)
    output.suggest("curate sandbox", "Keep one running, to try all else")


@contextmanager
def _folder(data: Path | None) -> Iterator[Path]:
    """Yields the sandbox's folder. A temporary one stays if the demo fails, for its logs."""
    if data is not None:
        yield data
        return
    folder = Path(tempfile.mkdtemp(prefix="curate-demo-"))
    try:
        yield folder
    except KeyboardInterrupt:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    shutil.rmtree(folder, ignore_errors=True)


def _perform(videos: list[Path], folder: Path) -> DemoReport:
    clock = _Clock()
    with started(folder) as world:
        clock.lap("start")
        _step_into(world)
        runs = _carry_out(videos or [Path(world.environment["VIDEO_SOURCE"])])
        clock.lap("runs")
        items = [_collect(run) for run in runs]
        clock.lap("results")
        instance_state = _instance_state()
    clock.lap("end")
    return DemoReport(
        items=items,
        instance_state=instance_state,
        instance_seconds=round(sum(run.cost.instance_seconds or 0.0 for run in runs), 1),
        seconds=clock.laps,
    )


def _step_into(world: "World") -> None:
    """Makes this process one of the sandbox: with its settings, and no account of the user's."""
    os.environ.clear()
    os.environ.update(world.environment)
    # Nobody waits for hours to learn that a demo does not come to its end.
    os.environ["RUN_DEADLINE_S"] = str(_PATIENCE_S)


def _carry_out(videos: list[Path]) -> list[Run]:
    run_ids = [client.enqueue(RunRequest(source=str(video))) for video in videos]
    with watch.progress() as show:
        return watch.follow(run_ids, show)


def _collect(run: Run) -> DemoItem:
    item = DemoItem(
        run_id=run.run_id,
        state=run.state,
        video=run.request.source,
        n_frames=run.selection.n_frames,
        n_selected=run.selection.n_selected,
    )
    if run.state is not RunState.COMPLETED:
        reason = run.error.message if run.error else "It was canceled."
        return item.model_copy(update={"problem": f"{Path(item.video).name}: {reason}"})
    return item.model_copy(update=_results(run))


def _results(run: Run) -> dict[str, str]:
    """Fetches the run's results; returns where they are, or the problem with them."""
    # Not at the top: other commands work where Pillow is not installed.
    from pipeline.cli import results

    folder = Path(_RESULTS, run.run_id).absolute()
    try:
        sheet = results.fetch(run, wiring().storage, folder)
        found = {"folder": str(folder), "contact_sheet": str(sheet)}
        if uri := run.selection.report_uri:
            # Beside the frames, so that a click on one shows it at full size.
            report = folder / "report.html"
            bucket.copy(wiring().storage, uri, report)
            found["report"] = str(report)
    except (CurationError, OSError, ValueError) as error:
        return {"problem": f"The results of run {run.run_id} could not be fetched: {error}"}
    return found


def _instance_state() -> str:
    machine = wiring().machine
    return machine.look().state.value if machine else "not configured"


def _print(report: DemoReport) -> None:
    for item in report.items:
        if item.folder is None:
            continue
        output.answer(
            f"\n{Path(item.video).name}: {item.n_frames} frames decoded, "
            f"{item.n_selected} selected\n"
            f"  frames         {item.folder}/frames\n"
            f"  contact sheet  {item.contact_sheet}"
        )
        if item.report:
            output.answer(f"  report         {item.report}")
    output.answer(
        f"\nThe instance is {report.instance_state}. "
        f"It was up for {output.duration(report.instance_seconds)}."
    )
    parts = ", ".join(f"{name} {seconds:g} s" for name, seconds in report.seconds.items())
    output.note(f"The demo took {output.duration(sum(report.seconds.values()))}: {parts}.")


def _logs(folder: Path) -> str:
    on_instance = folder / "instance" / "tmp" / "selection-worker.log"
    return " and ".join(
        str(log) for log in (folder / "logs" / "control.log", on_instance) if log.exists()
    )


class _Clock:
    """How long each part of the demo took, in seconds."""

    def __init__(self) -> None:
        self._last = time.monotonic()
        self.laps: dict[str, float] = {}

    def lap(self, name: str) -> None:
        """Ends the part of that name."""
        now = time.monotonic()
        self.laps[name] = round(now - self._last, 1)
        self._last = now
