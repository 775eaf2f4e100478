"""The engine's tasks: plan a video, embed its segments, choose frames of it and write them."""

from __future__ import annotations

import logging
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from curation.engine_port import VideoOfRun
from curation.errors import CurationError, RunEnded, TransientError
from curation.steps.engine_part import Part, carry_out

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from curation.engine_port import FrameSelection, FrameSelector, SegmentOfVideo
    from curation.ledger.engine import EngineLedger
    from curation.models import Run
    from curation.ports import Objects
    from curation.steps.engine_part import PartAtWork

    Publish = Callable[[str, int, Sequence[SegmentOfVideo]], None]

log = logging.getLogger(__name__)

# Where segments leave what they have made, below the run's results.
_WORK = "segments/"


@dataclass(frozen=True)
class Workplace:
    """What the engine's tasks work with.

    Attributes:
        selector: The engine.
        objects: Where videos are, and results and work files go.
        tasks: The ledger of engine tasks.
        results_uri: `s3://bucket/prefix/` under which runs have their results.
        silent_s: Seconds without a sign of life after which others take a task over.
    """

    selector: FrameSelector
    objects: Objects
    tasks: EngineLedger
    results_uri: str
    silent_s: float


def select_frames(run: Run, place: Workplace, *, publish: Publish) -> None:
    """Takes the run's engine task, if it is to be had; does it, or cuts it up.

    Args:
        run: The run, with its verified video.
        place: What to work with.
        publish: Publishes the messages of these segments, and of the choice after them.
    """
    generation = place.tasks.take(run.run_id, silent_s=place.silent_s)
    if not generation or run.outcome:
        return

    def plan(work: PartAtWork) -> None:
        work.progress("LOADING_DATASET", None, None)
        video = _video_of(run, place)
        cut = place.selector.plan(video)
        if len(cut.segments) == 1:
            select = place.selector.select
            _end(work, select(video, write=_writer(run, place), progress=work.progress), run, place)
            return
        missing = place.tasks.plan(
            run.run_id, work.generation, n_segments=len(cut.segments), n_frames=cut.n_frames
        )
        facts = {"segments": len(cut.segments), "missing": len(missing)}
        log.info("Segments published", extra={**run.log_context(), **facts})
        publish(run.run_id, work.generation, [cut.segments[number] for number in missing])

    with suppress(TransientError):  # the silence brings another delivery, which tries again
        _carry_out(Part(run, generation, "plan"), plan, place)


def embed_segment(run: Run, generation: int, segment: SegmentOfVideo, place: Workplace) -> None:
    """Embeds one segment into a work file.

    Args:
        run: The run.
        generation: The generation that published the segment.
        segment: Its number and bounds.
        place: What to work with.

    Raises:
        TransientError: If it may go well later.
    """

    def embed(work: PartAtWork) -> None:
        video = _video_of(run, place)
        content = place.selector.embed(video, segment, progress=work.progress)
        uri = _work_uri(run, segment[0], place)
        place.objects.put(uri, content, content_type="application/octet-stream")
        try:
            work.finish()
        except RunEnded:
            _remove_if_over(run, uri, place)
            raise
        facts = {"segment": segment[0], "frames": work.n_done}
        log.info("Segment embedded", extra={**run.log_context(), **facts})

    _carry_out(Part(run, generation, str(segment[0])), embed, place)


def choose_frames(run: Run, generation: int, place: Workplace) -> None:
    """Chooses frames from all work files and writes the results; nothing while a segment is open.

    Args:
        run: The run.
        generation: The generation that published the choice.
        place: What to work with.
    """

    def choose(work: PartAtWork) -> None:
        selection = place.selector.choose(
            _video_of(run, place),
            _parts_of(run, place),
            write=_writer(run, place),
            progress=work.progress,
        )
        _end(work, selection, run, place)
        try:
            clear_work(run.run_id, place.tasks, place.objects, place.results_uri)
        except CurationError as error:
            log.warning("Left to the reaper: %s", error, extra=run.log_context())

    with suppress(TransientError):  # as above
        _carry_out(Part(run, generation, "choice"), choose, place, take=True)


def clear_work(run_id: str, tasks: EngineLedger, objects: Objects, results_uri: str) -> None:
    """Deletes the work files of a run whose engine task is at its end. Twice is safe.

    Args:
        run_id: The run.
        tasks: The ledger of engine tasks.
        objects: Where the work files are.
        results_uri: `s3://bucket/prefix/` under which runs have their results.
    """
    for found in list(objects.under(f"{results_uri}{run_id}/{_WORK}")):
        objects.delete(found.uri)
    tasks.is_clean(run_id)


def reap_work(
    tasks: EngineLedger, objects: Objects, results_uri: str, *, now: float, silent_s: float
) -> list[str]:
    """Deletes the work files of engine tasks that are over and have been silent for a while.

    One run's error does not stop the others.

    Args:
        tasks: The ledger of engine tasks.
        objects: Where the work files are.
        results_uri: `s3://bucket/prefix/` under which runs have their results.
        now: Seconds since the epoch.
        silent_s: Seconds after which nobody can still be at work on a segment.

    Returns:
        One word and run id for each run whose files were deleted.
    """
    done: list[str] = []
    for run_id in tasks.unclean():
        task = tasks.get(run_id)
        if task and not (task.is_end and now - task.beat_at > silent_s):
            continue
        try:
            clear_work(run_id, tasks, objects, results_uri)
            done.append(f"cleared the work of {run_id}")
        except CurationError:
            log.exception("Work files could not be removed", extra={"run_id": run_id})
    return done


def _carry_out(
    part: Part, work: Callable[[PartAtWork], None], place: Workplace, *, take: bool = False
) -> None:
    carry_out(part, work, tasks=place.tasks, silent_s=place.silent_s, take=take)


def _video_of(run: Run, place: Workplace) -> VideoOfRun:
    video, task = run.video, place.tasks.get(run.run_id)
    if video is None:
        raise RunEnded(f"Run {run.run_id} has no verified video.")
    return VideoOfRun(
        open=lambda: place.objects.open(video.uri),
        run_id=run.run_id,
        uri=video.uri,
        sha256=video.sha256,
        config=run.request.config,
        results_uri=_prefix(run, place),
        embedding_s=task.embedded_at - task.began_at if task and task.embedded_at else None,
    )


def _parts_of(run: Run, place: Workplace) -> Iterator[bytes]:
    task = place.tasks.get(run.run_id)
    for segment in range(task.n_segments or 0 if task else 0):
        with place.objects.read(_work_uri(run, segment, place)) as chunks:
            yield b"".join(chunks)


def _writer(run: Run, place: Workplace) -> Callable[[str, bytes, str], None]:
    def write(name: str, data: bytes, content_type: str) -> None:
        place.objects.put(f"{_prefix(run, place)}{name}", data, content_type=content_type)

    return write


def _end(work: PartAtWork, selection: FrameSelection, run: Run, place: Workplace) -> None:
    work.end(
        state="COMPLETED",
        n_frames=selection.n_frames,
        n_selected=len(selection.filenames),
        filenames_uri=f"{_prefix(run, place)}selected.txt",
        report_uri=f"{_prefix(run, place)}{selection.report}" if selection.report else None,
    )


def _remove_if_over(run: Run, uri: str, place: Workplace) -> None:
    """A later generation may have written the same file; only without one is it left over."""
    task = place.tasks.get(run.run_id)
    if task is None or task.is_end:
        place.objects.delete(uri)


def _prefix(run: Run, place: Workplace) -> str:
    return f"{place.results_uri}{run.run_id}/"


def _work_uri(run: Run, segment: int, place: Workplace) -> str:
    return f"{_prefix(run, place)}{_WORK}{segment:06d}.npz"
