"""Video source `s3://bucket/prefix`: one object, or the videos of a prefix by name.

Bytes are streamed through the ingest, never copied inside S3. A copy would save the way out and
back in, but not the reading: the ingest knows the SHA-256 of each part as the source sent it, reads
the object back, and compares. After a copy there would be nothing to compare with: the ETag of an
object that was uploaded in parts is no digest of its content. And the first bytes must be seen
before anything is put into the input bucket.
"""

from __future__ import annotations

import posixpath
from contextlib import closing, contextmanager
from functools import cached_property
from typing import TYPE_CHECKING

from curation.adapters.storage.s3_contents import Content
from curation.errors import OperatorError, RequestError
from curation.models import split_bucket_uri
from curation.ports import SourceVideo
from curation.video_names import VIDEO_SUFFIXES

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from curation.adapters.storage.s3_contents import S3Contents

_CHUNK_BYTES = 1024 * 1024
# A range that is cut is asked for again as a whole.
_RANGE_BYTES = 8 * _CHUNK_BYTES
_CODES = {"aws:s3:no-object": "source:not-found", "aws:s3:changed": "source:changed"}


class S3Source:
    """An object, or the videos among the objects whose keys begin with the prefix, at any depth.

    Args:
        uri: `s3://bucket/key` or `s3://bucket/prefix`.
        contents: Reads objects.
        max_bytes: Largest video taken, in bytes.
    """

    def __init__(self, uri: str, contents: S3Contents, *, max_bytes: int) -> None:
        self._uri = uri
        self._contents = contents
        self._max_bytes = max_bytes

    @property
    def exclusive(self) -> bool:
        """A prefix's video goes to one run only; an object goes to whoever names it."""
        return self._object is None

    def candidates(self) -> Iterator[SourceVideo]:
        """Yields the object, or the prefix's videos by name.

        Raises:
            RequestError: If there is no such bucket, and neither an object nor a video there.
            OperatorError: If a permission is missing.
            TransientError: If S3 cannot be reached now.
        """
        if self._object:
            yield _describe(self._object)
            return
        is_empty = True
        for content in self._listed():
            is_empty = False
            yield _describe(content)
        if is_empty:
            raise RequestError(
                f"There is neither an object {self._uri} nor a video whose key begins so. Check "
                f"the URI; a video ends in one of {' '.join(sorted(VIDEO_SUFFIXES))}.",
                code="source:not-found",
            )

    @contextmanager
    def open(self, video: SourceVideo, *, offset: int) -> Iterator[Iterator[bytes]]:
        """Opens the object from `offset`, as chunks of up to 1 MiB.

        Raises:
            RequestError: If it is gone, empty, too large, or has changed.
            OperatorError: If it may not be read.
            TransientError: If S3 cannot be reached now.
        """
        with closing(self._chunks(video, offset)) as chunks:
            yield chunks

    @cached_property
    def _object(self) -> Content | None:
        """The object of exactly this key, if there is one."""
        _, key = split_bucket_uri(self._uri)
        if not key or key.endswith("/"):
            return None
        try:
            return self._contents.look(self._uri)
        except RequestError:
            return None
        except OperatorError as error:
            if error.code != "aws:s3:denied":
                raise
            raise _denied(self._uri, error) from error

    def _listed(self) -> Iterator[Content]:
        try:
            for content in self._contents.under(self._uri):
                if posixpath.splitext(content.uri)[1].lower() in VIDEO_SUFFIXES:
                    yield content
        except OperatorError as error:
            if error.code != "aws:s3:no-bucket":
                raise
            bucket, _ = split_bucket_uri(self._uri)
            raise RequestError(
                f"There is no bucket {bucket!r} ({self._uri}). Check the URI.",
                code="source:not-found",
            ) from error

    def _chunks(self, video: SourceVideo, offset: int) -> Generator[bytes]:
        content = Content(video.url, video.size_bytes or 0, video.validator or "")
        try:
            self._check_size(content)
            for start in range(offset, content.size_bytes, _RANGE_BYTES):
                end = min(start + _RANGE_BYTES, content.size_bytes)
                data = self._contents.fetch(content, start, end)
                for begin in range(0, len(data), _CHUNK_BYTES):
                    yield data[begin : begin + _CHUNK_BYTES]
        except RequestError as error:
            raise RequestError(error.message, _CODES.get(error.code, error.code)) from error

    def _check_size(self, content: Content) -> None:
        if not content.size_bytes:
            raise RequestError(f"{content.uri} is empty. Check the object.", code="source:empty")
        if content.size_bytes > self._max_bytes:
            raise RequestError(
                f"{content.uri} has {content.size_bytes:,} bytes, and MAX_VIDEO_BYTES is "
                f"{self._max_bytes:,}. Raise it, or use a smaller video.",
                code="source:too-large",
            )


def _describe(content: Content) -> SourceVideo:
    return SourceVideo(
        url=content.uri,
        public_url=content.uri,
        name=posixpath.basename(content.uri),
        size_bytes=content.size_bytes,
        content_type=content.content_type,
        validator=content.etag,
        resumable=True,
    )


def _denied(uri: str, error: OperatorError) -> OperatorError:
    bucket, _ = split_bucket_uri(uri)
    return OperatorError(
        f"{error.message} If there is no such object, what is missing is s3:ListBucket on "
        f"arn:aws:s3:::{bucket}: without it S3 denies what does not exist.",
        code=error.code,
    )
