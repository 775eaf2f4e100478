"""The reaper of open uploads that the ledger has forgotten, taking its list from the bucket."""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING

from curation.errors import CurationError
from curation.models import RUN_ID_PATTERN

if TYPE_CHECKING:
    from curation.ledger.runs import RunLedger
    from curation.ledger.uploads import UploadLedger
    from curation.ports import OpenUpload, Uploads

log = logging.getLogger(__name__)


def reap_orphans(
    prefix_uri: str, *, ledger: UploadLedger, runs: RunLedger, uploads: Uploads, mark_s: float
) -> list[str]:
    """Aborts open uploads whose run has ended, or is not known any more. Their parts cost money.

    Two phases, as with the instance: what seems left over is marked, and aborted only if a later
    round finds it still so. Objects are never touched: a whole one is a video, whoever's it is.
    One upload's error does not stop the others.

    Args:
        prefix_uri: `s3://bucket/prefix/` of the input bucket.
        ledger: The ledger of uploads, for the marks.
        runs: The ledger of runs.
        uploads: The bucket.
        mark_s: Seconds for which an upload must have been marked.

    Returns:
        `aborted` and run id for each upload that was aborted.
    """
    left_over = {
        upload.upload_id: (run_id, upload)
        for upload in uploads.open_under(prefix_uri)
        if (run_id := _run_of(upload, prefix_uri)) and runs.is_over(run_id)
    }
    marked_for_s = ledger.mark_orphans(list(left_over))
    done: list[str] = []
    for upload_id, (run_id, upload) in left_over.items():
        if marked_for_s[upload_id] < mark_s:
            continue
        try:
            uploads.abort(upload.uri, upload_id)
        except CurationError as error:
            log.warning("Upload could not be aborted: %s", error, extra={"run_id": run_id})
        else:
            done.append(f"aborted {run_id}")
    return done


def _run_of(upload: OpenUpload, prefix_uri: str) -> str | None:
    """Returns the run that the upload's key belongs to, or None: others use the bucket too."""
    run_id, slash, _ = upload.uri.removeprefix(prefix_uri).partition("/")
    return run_id if slash and re.match(RUN_ID_PATTERN, run_id) else None
