"""Step `ingest_video`: brings one video from its source into the input bucket, slice by slice."""

from __future__ import annotations

import hashlib
import logging
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from curation.errors import CurationError, RequestError, RunEnded, TransientError
from curation.ledger.steps import TAKEN_OVER
from curation.ledger.uploads import Upload
from curation.models import Video
from curation.ports import UPLOAD_GONE
from curation.steps.adopt import video_again
from curation.steps.alive import alive
from curation.steps.clear import abort_uploads, clear_upload
from curation.steps.parts import cut, part_bytes
from curation.video_names import object_uri, safe_name

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from curation.ledger.uploads import UploadLedger
    from curation.models import Run
    from curation.ports import Objects, SourceVideo, Uploads, VideoProbe, VideoSource

log = logging.getLogger(__name__)

# What `VideoProbe.check_head` wants to see.
HEAD_BYTES = 4096


@dataclass(frozen=True)
class _Delivery:
    """What one delivery's work needs."""

    run: Run
    source: VideoSource
    uploads: Uploads
    objects: Objects
    probe: VideoProbe
    ledger: UploadLedger
    bucket_uri: str
    budget: Callable[[], bool]
    keep_alive: Callable[[], None]

    @property
    def run_id(self) -> str:
        return self.run.run_id


def ingest_video(  # noqa: PLR0913  # each argument is one thing the step speaks to, all by keyword
    run: Run,
    *,
    source: VideoSource,
    uploads: Uploads,
    objects: Objects,
    probe: VideoProbe,
    ledger: UploadLedger,
    bucket_uri: str,
    budget: Callable[[], bool],
    keep_alive: Callable[[], None],
) -> Video | None:
    """Does one delivery's work on the way of the run's video into the bucket.

    Any number of deliveries, killed wherever, one after the other or at the same time, end in one
    verified object, or in none and nothing left over.

    Args:
        run: The run.
        source: Where its video comes from.
        uploads: The bucket, for the parts.
        objects: The bucket, for the whole.
        probe: Tells what is a video.
        ledger: How far the upload has come.
        bucket_uri: `s3://bucket/prefix/` of the input bucket.
        budget: Whether this delivery has time left for another part.
        keep_alive: Renews the claim on the step; raises RunEnded when the run has its outcome, or
            when another delivery has taken the step over.

    Returns:
        The verified object, or None if the slice is over and the next one is to follow.

    Raises:
        RequestError: If the source has no usable video; nothing of it stays in the bucket.
        RunEnded: If the run ended meanwhile: nothing of its video stays in the bucket. Or if
            another delivery goes on: everything is left to that one.
        OperatorError: If a permission or setting is missing.
        TransientError: If the same call may succeed later; what was done so far is kept.
    """
    delivery = _Delivery(
        run, source, uploads, objects, probe, ledger, bucket_uri, budget, keep_alive
    )
    return _work_and_clear(delivery, run)


def _work_and_clear(delivery: _Delivery, run: Run) -> Video | None:
    """Works, and clears the bucket when the work cannot come to a good end any more."""
    try:
        video = _work(delivery)
    except CurationError as error:
        if isinstance(error, TransientError) or error.code == TAKEN_OVER:
            raise
        _try_to_clear(delivery, run)
        finished = delivery.ledger.get(run.run_id)
        if finished and finished.result and not isinstance(error, RunEnded):
            return finished.result  # by another delivery, before the source went bad
        raise
    if video:
        log.info("Video ingested", extra=run.log_context() | {"size_bytes": video.size_bytes})
    return video


def _work(delivery: _Delivery) -> Video | None:
    upload = delivery.ledger.get(delivery.run_id) or _choose(delivery)
    if upload.result:
        return upload.result
    if upload.is_whole:
        return _finish(delivery, upload)
    whole = _transfer(delivery, upload)
    if whole is None or not delivery.budget():
        return None  # what follows reads the whole object, so it may get a slice of its own
    return _finish(delivery, whole)


def _choose(delivery: _Delivery) -> Upload:
    """Takes the first video on offer that the run may have; a later delivery finds it again."""
    ledger, source = delivery.ledger, delivery.source
    same = video_again(delivery.run, source, ledger)
    if same:
        ledger.choose(delivery.run_id, same, exclusive=False)
        return ledger.get(delivery.run_id) or Upload(same)
    for video in source.candidates():
        if ledger.choose(delivery.run_id, video, exclusive=source.exclusive):
            return ledger.get(delivery.run_id) or Upload(video)
    raise RequestError(
        "Every video of the source has been taken by a run already. Put new ones there, or name "
        "one of them by its own path.",
        code="source:exhausted",
    )


def _transfer(delivery: _Delivery, upload: Upload) -> Upload | None:
    """Uploads what is missing, at least one part; returns the upload when all parts are up."""
    video = upload.video
    # Without ranges it begins with the first part again, in the same multipart upload.
    done = upload.parts if video.resumable else []
    number, received = len(done), sum(part.size_bytes for part in done)
    with closing(_missing(delivery, video, received)) as missing:
        for data in missing:
            if number and not (video.resumable or delivery.budget()):
                raise _too_long(video, received)
            upload = upload if upload.upload_id else _begin(delivery, upload, data)
            number += 1
            _put(delivery, upload, number, data)
            received += len(data)
            del data  # or there would be three parts in memory while the next one is read
            if video.resumable and received != video.size_bytes and not delivery.budget():
                return None
    delivery.ledger.close(delivery.run_id, upload.upload_id, n_parts=number)
    upload = delivery.ledger.get(delivery.run_id) or upload
    return upload if upload.is_whole else None  # another delivery may have given it up


def _missing(delivery: _Delivery, video: SourceVideo, received: int) -> Generator[bytes]:
    """Yields the parts from `received` bytes on; none if that is the end."""
    if received and video.resumable and received == video.size_bytes:
        return
    with delivery.source.open(video, offset=received) as chunks:
        yield from cut(alive(chunks, delivery.keep_alive), part_bytes(video.size_bytes))


def _begin(delivery: _Delivery, upload: Upload, data: bytes) -> Upload:
    """Begins the multipart upload, if the first bytes are those of a video."""
    name = upload.video.public_url
    mime = delivery.probe.check_head(data[:HEAD_BYTES], name=name)
    uri = object_uri(delivery.bucket_uri, delivery.run_id, safe_name(upload.video.name, mime))
    # Written down before, so that whatever a death leaves behind under this key is found.
    delivery.ledger.place(delivery.run_id, uri)
    begun = delivery.uploads.begin(uri, content_type=mime)
    upload_id = delivery.ledger.begin(delivery.run_id, begun)
    if upload_id != begun:  # another delivery was faster
        delivery.uploads.abort(uri, begun)
    if not upload_id:
        raise RunEnded(f"Run {delivery.run_id} is not known any more.", TAKEN_OVER)
    return replace(upload, uri=uri, upload_id=upload_id)


def _put(delivery: _Delivery, upload: Upload, number: int, data: bytes) -> None:
    run_id, ledger = delivery.run_id, delivery.ledger
    with _restarting(delivery, upload):
        part = delivery.uploads.put_part(upload.uri, upload.upload_id, number=number, data=data)
    ledger.add_part(run_id, upload.upload_id, part)
    delivery.keep_alive()


def _finish(delivery: _Delivery, upload: Upload) -> Video:
    """Makes the object of its parts, and proves that it is what the source sent, and a video."""
    video = upload.video
    with _restarting(delivery, upload):
        delivery.uploads.complete(upload.uri, upload.upload_id, upload.parts)
    sha256 = _verify(delivery, upload)
    with delivery.objects.open(upload.uri) as file:
        delivery.probe.check(file, name=video.public_url)
    delivery.keep_alive()
    # A death between the begin of an upload and its record has left one that nobody knows.
    abort_uploads(upload.uri, delivery.uploads)
    result = Video(
        uri=upload.uri,
        size_bytes=sum(part.size_bytes for part in upload.parts),
        sha256=sha256,
        source_url=video.public_url,
    )
    delivery.ledger.finish(delivery.run_id, upload.upload_id, result)
    return result


def _verify(delivery: _Delivery, upload: Upload) -> str:
    """Reads the object back, compares it part by part, and returns its SHA-256 in hex.

    The sum of the whole could not be made on the way in: the state of a hash cannot be kept from
    one slice to the next. So each part has its own, and the whole is summed here, in one go.
    """
    whole = hashlib.sha256()
    size_bytes = part_bytes(upload.video.size_bytes)
    expected = iter(upload.parts)
    with delivery.objects.read(upload.uri) as chunks:
        for data in cut(alive(chunks, delivery.keep_alive), size_bytes):
            part = next(expected, None)
            if part is None or hashlib.sha256(data).hexdigest() != part.sha256:
                raise _damaged(delivery, upload)
            whole.update(data)
            del data
    if next(expected, None):
        raise _damaged(delivery, upload)
    return whole.hexdigest()


def _damaged(delivery: _Delivery, upload: Upload) -> TransientError:
    if delivery.ledger.restart(delivery.run_id, upload.upload_id, n_parts=len(upload.parts)):
        delivery.objects.delete(upload.uri)
    return TransientError(
        f"{upload.uri} is not what {upload.video.public_url} sent; it is uploaded again.",
        code="upload:damaged",
    )


@contextmanager
def _restarting(delivery: _Delivery, upload: Upload) -> Iterator[None]:
    """Lets the next delivery begin a new multipart upload when this one is gone."""
    try:
        yield
    except TransientError as error:
        if error.code == UPLOAD_GONE:
            n_parts = len(upload.parts) if upload.is_whole else None
            delivery.ledger.restart(delivery.run_id, upload.upload_id, n_parts=n_parts)
        raise


def _try_to_clear(delivery: _Delivery, run: Run) -> None:
    """Clears the bucket; if that fails, the reason for it must not take the place of the error."""
    try:
        clear_upload(
            delivery.run_id,
            uploads=delivery.uploads,
            objects=delivery.objects,
            ledger=delivery.ledger,
        )
    except CurationError as error:
        log.warning("Upload could not be cleared away: %s", error, extra=run.log_context())


def _too_long(video: SourceVideo, received: int) -> RequestError:
    return RequestError(
        f"{video.public_url} is served without byte ranges, so it must come within one slice of "
        f"work, but only {received:,} bytes did. Use a host that serves ranges, or a video of at "
        "most that size.",
        code="source:no-ranges",
    )
