"""Queue `ingest`: brings the run's video into the input bucket."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from celery import shared_task

from curation.states import RunState, StepName
from curation.steps import ingest
from curation.steps.verdict import GO_ON, SUCCEEDED
from workers.base import StepTask

if TYPE_CHECKING:
    from curation.steps.verdict import Verdict
    from workers.base import Delivery

# A delivery works for this share of the visibility timeout, then the next one goes on.
_SLICE_SHARE = 0.2


@shared_task(
    bind=True,
    base=StepTask,
    name="ingest.ingest_video",
    step=StepName.INGEST_VIDEO,
    implies=RunState.PREPARING,
    tries=6,
)
def ingest_video(self: StepTask, run_id: str) -> None:
    """Puts the run's video into the input bucket.

    Twice is safe: the key derives from the run id, and finished parts are in the ledger.
    """
    self.perform(run_id, _ingest)


def _ingest(delivery: Delivery) -> Verdict:
    wiring, run = delivery.wiring, delivery.run
    slice_ends = time.monotonic() + _SLICE_SHARE * wiring.settings.broker.visibility_timeout_s
    video = ingest.ingest_video(
        run,
        source=wiring.video_source(run.request.source),
        uploads=wiring.storage,
        objects=wiring.storage,
        probe=wiring.probe,
        ledger=wiring.upload_ledger,
        bucket_uri=wiring.settings.s3.input_bucket,
        budget=lambda: time.monotonic() < slice_ends,
        keep_alive=delivery.keep_alive,
    )
    if video is None:
        return GO_ON
    wiring.ledger.runs.record_video(run.run_id, video)
    return SUCCEEDED
