"""Queue `ingest`: brings the run's video into the input bucket."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from celery import shared_task

from curation.ledger.leases import Lease
from curation.states import RunState, StepName
from curation.steps import ingest
from curation.steps.adopt import adopt_video
from curation.steps.clear import clear_upload
from curation.steps.skip import skip_curated
from curation.steps.verdict import GO_ON, SKIPPED, SUCCEEDED
from curation.steps.watch import keep_watch
from workers.base import StepTask, wiring

if TYPE_CHECKING:
    from curation.steps.verdict import Verdict
    from workers.base import Delivery

# A delivery works for this share of the visibility timeout, then the next one goes on.
_SLICE_SHARE = 0.2


class IngestTask(StepTask):
    """A step that leaves parts in the bucket when it does not come to its end."""

    abstract = True

    def give_up(self, run_id: str) -> None:
        """Removes the upload, unless it is finished."""
        here = wiring()
        clear_upload(run_id, uploads=here.storage, objects=here.storage, ledger=here.upload_ledger)


@shared_task(
    bind=True,
    base=IngestTask,
    name="ingest.ingest_video",
    step=StepName.INGEST_VIDEO,
    implies=RunState.PREPARING,
    tries=6,
)
def ingest_video(self: IngestTask, run_id: str) -> None:
    """Puts the run's video into the input bucket.

    Twice is safe: the key derives from the run id, and finished parts are in the ledger.
    """
    self.perform(run_id, _ingest)


class _KeepAlive:
    """Renews the claim on the step, and what keeps the instance that waits for the video.

    A long upload must not cost the run its lease; nor its instance, which powers itself off when
    nobody renews the lease there.
    """

    def __init__(self, delivery: Delivery) -> None:
        self._delivery = delivery
        self._watch_due_at = 0.0

    def __call__(self) -> None:
        self._delivery.keep_alive()
        self.keep_instance()

    def keep_instance(self) -> None:
        """Renews the lease, and what is read without Redis as often as looks would do."""
        here, run_id, now = self._delivery.wiring, self._delivery.run.run_id, time.monotonic()
        machine = here.machine
        if machine is None or machine.leases.renew(run_id, machine.instance_id) is not Lease.HELD:
            return
        if now >= self._watch_due_at:
            self._watch_due_at = now + here.settings.run.poll_interval_s
            keep_watch(run_id, machine)


def _ingest(delivery: Delivery) -> Verdict:
    here, run = delivery.wiring, delivery.run
    slice_ends = time.monotonic() + _SLICE_SHARE * here.settings.broker.visibility_timeout_s
    keep_alive = _KeepAlive(delivery)
    keep_alive.keep_instance()  # a delivery that fails at once was at work too
    if adopt_video(run, objects=here.storage, ledger=here.upload_ledger, keep_alive=keep_alive):
        return SKIPPED
    video = ingest.ingest_video(
        run,
        source=here.video_source(run.request.source),
        uploads=here.storage,
        objects=here.storage,
        probe=here.probe,
        ledger=here.upload_ledger,
        bucket_uri=here.settings.s3.input_bucket,
        budget=lambda: time.monotonic() < slice_ends,
        keep_alive=keep_alive,
    )
    if video:
        here.ledger.runs.record_video(run.run_id, video)
        skip_curated(run, video, here.ledger.runs)
    return SUCCEEDED if video else GO_ON
