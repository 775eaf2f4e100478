"""Ends a run whose video is curated already, if it asked for that."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from curation.ledger.runs import RunLedger
    from curation.models import Run, Video

log = logging.getLogger(__name__)


def skip_curated(run: Run, video: Video, runs: RunLedger) -> None:
    """Gives a run the selection of an earlier one, if it asked for that and there is such a one.

    Twice is safe: the first outcome wins.

    Args:
        run: The run.
        video: Its verified object.
        runs: The ledger of runs.
    """
    earlier = runs.curated(video.sha256, run.request) if run.request.skip_curated else None
    if earlier:
        runs.take_over(run.run_id, earlier)
        facts = {"same_as": earlier.run_id}
        log.info("Video is already curated", extra=run.log_context() | facts)
