"""Looks at the two buckets: region, and everything that a run does in them."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from curation.doctor.check import Answer, Check, Health, NotChecked, Once, fail, ok, warn
from curation.doctor.examine import sentences
from curation.errors import CurationError, OperatorError
from curation.models import split_bucket_uri

if TYPE_CHECKING:
    from curation.wiring import Wiring

_HINT = "Check the network, S3_REGION and, if it is set, AWS_ENDPOINT_URL_S3."
_TEXT = "text/plain"
_INPUT = "s3 input bucket"
# Code of the error that says that there is no such bucket.
_NO_BUCKET = "aws:s3:no-bucket"


class BucketChecks:
    """The checks on both buckets."""

    def __init__(self, wiring: Wiring) -> None:
        self._wiring = wiring
        self._input = Once(self._try_input_bucket)

    def all(self) -> list[Check]:
        """Returns them."""
        return [
            Check(_INPUT, self._input, _HINT),
            Check("s3 lightly bucket", self._try_lightly_bucket, _HINT),
            Check("s3 uploads", self._try_upload, _HINT, needs=_INPUT),
        ]

    def _try_input_bucket(self) -> Answer:
        return self._try(self._wiring.settings.s3.input_bucket, "S3_INPUT_BUCKET")

    def _try_lightly_bucket(self) -> Answer:
        return self._try(self._wiring.settings.s3.lightly_bucket, "S3_LIGHTLY_BUCKET")

    def _try(self, uri: str, variable: str) -> Answer:
        """Does what a run does in a bucket, and compares the region.

        Args:
            uri: The bucket with the prefix of ours.
            variable: The setting that says so.
        """
        bucket, _ = split_bucket_uri(uri)
        try:
            self._write_and_read(uri)
        except OperatorError as error:
            if error.code != _NO_BUCKET:
                raise
            return fail(f"There is no bucket {bucket!r}.", f"Create it, or correct {variable}.")
        place = self._wiring.buckets.place(uri)
        if place.told in (None, place.asked):
            return ok(f"An object under {uri} was written, read and deleted.")
        # To a server that is not AWS a region is a mere word.
        answer = fail if place.is_aws else warn
        return answer(
            f"Bucket {bucket!r} is in {place.told}, not in {place.asked}.",
            f"Set S3_REGION={place.told}.",
        )

    def _write_and_read(self, uri: str) -> None:
        storage, trial = self._wiring.storage, _trial(uri)
        content = trial.encode()
        storage.put(trial, content, content_type=_TEXT)
        try:
            with storage.read(trial) as chunks:
                read = b"".join(chunks)
        finally:
            storage.delete(trial)
        if read != content:
            raise OperatorError(
                f"{trial} gave back something else than was written. Is it really S3?",
                code="aws:s3:changed",
            )

    def _try_upload(self) -> Answer:
        if not self._is_input_usable():
            raise NotChecked(_INPUT)
        storage, uri = self._wiring.storage, self._wiring.settings.s3.input_bucket
        trial = _trial(uri)
        storage.abort(trial, storage.begin(trial, content_type=_TEXT))
        try:
            n_open = self._wiring.buckets.count_uploads(uri)
        except OperatorError as error:  # only the clearing away of what a run left needs it
            return warn(*sentences(error.message))
        return ok(f"An upload under {uri} was begun and aborted; {n_open} others are open.")

    def _is_input_usable(self) -> bool:
        try:
            return self._input().state is not Health.FAIL
        except CurationError:
            return False


def _trial(uri: str) -> str:
    """Returns a place where no run of ours looks."""
    return f"{uri}doctor/{uuid.uuid4().hex}.txt"
