"""Removes from the bucket what an upload that came to no end has left there."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from curation.ledger.uploads import UploadLedger
    from curation.ports import Objects, Uploads


def clear_upload(run_id: str, *, uploads: Uploads, objects: Objects, ledger: UploadLedger) -> None:
    """Removes what an upload that is not finished has left in the bucket. Twice is safe.

    For the ingest itself when its video is refused, and for whoever ends a run whose ingest cannot
    do it any more, because all its deliveries died. `UploadLedger.unfinished` tells the runs.

    Args:
        run_id: A run whose ingest has ended.
        uploads: The bucket.
        objects: The bucket.
        ledger: How far the upload has come.
    """
    upload = ledger.get(run_id)
    # Forgotten first, so that another delivery that is still at work cannot finish any more.
    if upload and ledger.give_up(run_id) and upload.uri:
        abort_uploads(upload.uri, uploads, known=upload.upload_id)
        objects.delete(upload.uri)
    ledger.clear(run_id)


def abort_uploads(uri: str, uploads: Uploads, *, known: str = "") -> None:
    """Aborts every open upload of the object; a death may have left one that nobody wrote down.

    Args:
        uri: The object; its key belongs to one run alone.
        uploads: The bucket.
        known: Id of an upload, for servers that do not list them; empty for none.
    """
    for upload_id in {known, *uploads.unfinished(uri)} - {""}:
        uploads.abort(uri, upload_id)
