"""Queue `engine`: our own engine, on the instance or wherever there is room."""

from __future__ import annotations

from celery import Task, shared_task

from curation.steps import engine
from curation.wiring import ENGINE_SILENT_S
from workers.base import bearing_the_ledger, wiring


@shared_task(bind=True, name="engine.select_frames", acks_late=False, ignore_result=True)
def select_frames(self: Task, run_id: str) -> None:  # type: ignore[type-arg]  # as in workers/base.py
    """Selects the frames of the run's video.

    Acknowledged on receipt, because it may last longer than the visibility timeout, and no such
    task may be acknowledged late. Its sign of life is in the ledger; when that is missing,
    `run_selection` sends it again. Twice is safe: one generation works at a time.
    """
    here = wiring()
    with bearing_the_ledger(self, run_id):
        engine.select_frames(
            here.ledger.runs.get(run_id),
            selector=here.selector,
            objects=here.storage,
            tasks=here.ledger.engine,
            results_uri=here.settings.s3.lightly_bucket,
            silent_s=ENGINE_SILENT_S,
        )
