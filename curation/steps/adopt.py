"""Takes over the video of the run that a run resumes, if it still lies there as it was verified."""

from __future__ import annotations

import hashlib
import logging
from typing import TYPE_CHECKING

from curation.errors import RequestError
from curation.steps.alive import alive

if TYPE_CHECKING:
    from collections.abc import Callable

    from curation.ledger.uploads import UploadLedger
    from curation.models import Run, Video
    from curation.ports import Objects, SourceVideo, VideoSource

log = logging.getLogger(__name__)


def adopt_video(
    run: Run, *, objects: Objects, ledger: UploadLedger, keep_alive: Callable[[], None]
) -> bool:
    """Whether the run may go on with the video of the run that it resumes.

    Args:
        run: The run.
        objects: The bucket.
        ledger: How far uploads have come.
        keep_alive: Renews the claim on the step.
    """
    upload = ledger.get(run.run_id)
    if run.video is None or run.resumed_from is None or (upload and upload.result):
        return False  # there is none, or it is the run's own
    if _is_intact(run.video, objects, keep_alive):
        _inherit(run, run.resumed_from, ledger)
        return True
    if upload is None:
        log.warning(
            "The video of the earlier run is not in the bucket as it was; it is ingested again",
            extra=run.log_context() | {"uri": run.video.uri},
        )
    return False


def video_again(run: Run, source: VideoSource, ledger: UploadLedger) -> SourceVideo | None:
    """Returns the video that the run must have because the one that it resumes had it, or None.

    Of a folder, the next video would be another run's. One that came by chance may be another this
    time, unless it had been accepted.

    Args:
        run: The run.
        source: Where its video comes from.
        ledger: How far uploads have come.

    Raises:
        RequestError: If it is not on offer any more.
    """
    earlier = ledger.get(run.resumed_from) if run.resumed_from else None
    if earlier is None or not (source.exclusive or run.video):
        return None
    on_offer = (video for video in source.candidates() if video.url == earlier.video.url)
    same = next(on_offer, None if source.exclusive else earlier.video)
    if same is None:
        raise RequestError(
            f"The video of run {run.resumed_from}, {earlier.video.public_url}, is not there any "
            "more. Put it back, or ask for a new run.",
            code="source:gone",
        )
    return same


def _is_intact(video: Video, objects: Objects, keep_alive: Callable[[], None]) -> bool:
    found = objects.head(video.uri)
    if found is None or found.size_bytes != video.size_bytes:
        return False
    whole = hashlib.sha256()
    with objects.read(video.uri) as chunks:
        for chunk in alive(chunks, keep_alive):
            whole.update(chunk)
    return whole.hexdigest() == video.sha256


def _inherit(run: Run, resumed_from: str, ledger: UploadLedger) -> None:
    """Notes where the video came from, for whoever resumes this run in its turn."""
    earlier = ledger.get(resumed_from)
    if earlier:
        ledger.choose(run.run_id, earlier.video, exclusive=False)
        ledger.clear(run.run_id)  # nothing of an upload is left over
