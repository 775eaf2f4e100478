"""Looks at the two buckets: region, and everything that a run does in them."""

from __future__ import annotations

import uuid
from functools import partial
from typing import TYPE_CHECKING

from curation.doctor.check import Answer, Check, fail, ok
from curation.models import split_bucket_uri

if TYPE_CHECKING:
    from curation.wiring import Wiring

_HINT = "Check the network, S3_REGION and, if it is set, AWS_ENDPOINT_URL_S3."
_TEXT = "text/plain"


def bucket_checks(wiring: Wiring) -> list[Check]:
    """Returns the checks on both buckets."""
    return [
        Check("s3 input bucket", partial(_input_bucket, wiring), _HINT),
        Check("s3 lightly bucket", partial(_lightly_bucket, wiring), _HINT),
        Check("s3 uploads", partial(_uploads, wiring), _HINT),
    ]


def _input_bucket(wiring: Wiring) -> Answer:
    return _bucket(wiring, wiring.settings.s3.input_bucket)


def _lightly_bucket(wiring: Wiring) -> Answer:
    return _bucket(wiring, wiring.settings.s3.lightly_bucket)


def _bucket(wiring: Wiring, uri: str) -> Answer:
    storage = wiring.storage
    asked, told = wiring.buckets.regions(uri)
    if told not in (None, asked):
        bucket, _ = split_bucket_uri(uri)
        return fail(f"Bucket {bucket!r} is in {told}, not in {asked}.", f"Set S3_REGION={told}.")
    content = uuid.uuid4().hex.encode()
    trial = _trial(uri)
    storage.put(trial, content, content_type=_TEXT)
    try:
        with storage.read(trial) as chunks:
            read = b"".join(chunks)
    finally:
        storage.delete(trial)
    if read != content:
        return fail(f"{uri} gave back something else than was written.", _HINT)
    where = f" (in {told})" if told else ""
    return ok(f"An object under {uri} was written, read and deleted{where}.")


def _uploads(wiring: Wiring) -> Answer:
    storage, uri = wiring.storage, wiring.settings.s3.input_bucket
    trial = _trial(uri)
    storage.abort(trial, storage.begin(trial, content_type=_TEXT))
    n_open = wiring.buckets.count_uploads(uri)
    return ok(f"A multipart upload under {uri} was begun and aborted; {n_open} are open.")


def _trial(uri: str) -> str:
    """Returns a place where no run of ours looks."""
    return f"{uri}doctor/{uuid.uuid4().hex}.txt"
