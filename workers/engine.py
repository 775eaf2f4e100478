"""Queue `engine`: our own engine, on the instance or wherever there is room.

Its tasks are acknowledged on receipt, because a video takes as long as it takes, and no task that
may outlast the visibility timeout may be acknowledged late. Their signs of life are in the ledger;
when those are missing, `run_selection` sends `select_frames` again, which publishes what is left.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from celery import Task, chord, shared_task
from kombu.exceptions import OperationalError

from curation.errors import TransientError
from curation.ledger.store import LedgerUnavailable
from curation.steps import engine
from curation.wiring import ENGINE_SILENT_S
from workers.base import bearing_the_ledger, wiring

if TYPE_CHECKING:
    from collections.abc import Sequence

    from curation.engine_port import SegmentOfVideo

# Seconds before a segment that met a passing trouble is tried again.
_PAUSE_S = 5.0


@shared_task(bind=True, name="engine.select_frames", acks_late=False, ignore_result=True)
def select_frames(self: Task, run_id: str) -> None:  # type: ignore[type-arg]  # as in workers/base.py
    """Selects the frames of the run's video, or cuts it up and publishes its segments.

    Twice is safe: one generation works at a time.
    """
    with bearing_the_ledger(self, run_id):
        run = wiring().ledger.runs.get(run_id)
        engine.select_frames(run, _workplace(), publish=_publish)


@shared_task(bind=True, name="engine.embed_segment", acks_late=False)
def embed_segment(
    self: Task,  # type: ignore[type-arg]  # as in workers/base.py
    run_id: str,
    generation: int,
    segment: SegmentOfVideo,
) -> None:
    """Embeds one segment of the run's video into a work file.

    Twice is safe: the file is the same, and a segment that is done is not begun again.
    """
    with bearing_the_ledger(self, run_id):
        try:
            engine.embed_segment(
                wiring().ledger.runs.get(run_id), generation, segment, _workplace()
            )
        except LedgerUnavailable:
            raise
        except TransientError:
            # Until the run is over: then the ledger refuses it.
            raise self.retry(countdown=_PAUSE_S, max_retries=None) from None


@shared_task(bind=True, name="engine.choose_frames", acks_late=False, ignore_result=True)
def choose_frames(self: Task, run_id: str, generation: int) -> None:  # type: ignore[type-arg]  # as in workers/base.py
    """Chooses frames when all segments are there, and writes the results.

    Twice is safe: the first one becomes the next generation, and any other is refused. That all
    segments are there is believed of the ledger, not of the chord.
    """
    with bearing_the_ledger(self, run_id):
        engine.choose_frames(wiring().ledger.runs.get(run_id), generation, _workplace())


def _publish(run_id: str, generation: int, segments: Sequence[SegmentOfVideo]) -> None:
    choice = choose_frames.si(run_id, generation)
    header = [embed_segment.si(run_id, generation, segment) for segment in segments]
    try:
        (chord(header, choice) if header else choice).apply_async()
    except OperationalError as error:
        message = f"The broker does not take the segments of run {run_id}."
        raise TransientError(message, "redis:unreachable") from error


def _workplace() -> engine.Workplace:
    here = wiring()
    return engine.Workplace(
        selector=here.selector,
        objects=here.storage,
        tasks=here.ledger.engine,
        results_uri=here.settings.s3.lightly_bucket,
        silent_s=ENGINE_SILENT_S,
    )
