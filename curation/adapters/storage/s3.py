"""Object storage: S3 and whatever speaks its protocol."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import io
import logging
from base64 import b64encode
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from curation.adapters.storage.range_file import RangeFile
from curation.adapters.storage.s3_calls import S3Calls
from curation.adapters.storage.s3_contents import S3Contents
from curation.adapters.storage.s3_errors import translated
from curation.errors import OperatorError, RequestError, TransientError
from curation.models import split_bucket_uri
from curation.ports import UPLOAD_GONE, ObjectInfo, OpenUpload, Part

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import BinaryIO

    from botocore.response import StreamingBody
    from types_boto3_s3.type_defs import CompletedPartTypeDef

log = logging.getLogger(__name__)

_CHUNK_BYTES = 1024 * 1024
_BUFFER_BYTES = 64 * 1024


class S3Storage:
    """Objects and multipart uploads in S3 (the ports `Objects` and `Uploads`).

    Args:
        region: Region of the buckets, or None for boto3's default.

    Attributes:
        contents: The same objects, for whoever wants to know when they change.
    """

    def __init__(self, *, region: str | None = None) -> None:
        self._calls = S3Calls(region=region)
        self.contents = S3Contents(self._calls)

    def begin(self, uri: str, *, content_type: str) -> str:
        """Begins a multipart upload and returns its upload id."""
        bucket, key = split_bucket_uri(uri)
        return self._calls.send(
            uri,
            "s3:PutObject",
            lambda s3: s3.create_multipart_upload(Bucket=bucket, Key=key, ContentType=content_type)[
                "UploadId"
            ],
        )

    def put_part(self, uri: str, upload_id: str, *, number: int, data: bytes) -> Part:
        """Uploads part `number`; a part damaged on the way is refused by its MD5."""
        bucket, key = split_bucket_uri(uri)
        etag = self._calls.send(
            uri,
            "s3:PutObject",
            lambda s3: s3.upload_part(
                Bucket=bucket,
                Key=key,
                UploadId=upload_id,
                PartNumber=number,
                Body=data,
                ContentMD5=_md5(data),
            )["ETag"],
        )
        return Part(number, etag, len(data), hashlib.sha256(data).hexdigest())

    def complete(self, uri: str, upload_id: str, parts: Sequence[Part]) -> None:
        """Makes the object of its parts. Succeeds if that has already happened."""
        bucket, key = split_bucket_uri(uri)
        listed: list[CompletedPartTypeDef] = [
            {"PartNumber": part.number, "ETag": part.etag} for part in parts
        ]
        try:
            self._calls.send(
                uri,
                "s3:PutObject",
                lambda s3: s3.complete_multipart_upload(
                    Bucket=bucket, Key=key, UploadId=upload_id, MultipartUpload={"Parts": listed}
                ),
            )
        except TransientError as error:
            # An upload that is gone may have become the object, and only the answer was lost.
            info = self.head(uri) if error.code == UPLOAD_GONE else None
            if info is None or info.size_bytes != sum(part.size_bytes for part in parts):
                raise

    def abort(self, uri: str, upload_id: str) -> None:
        """Drops the upload and its parts. Succeeds if there is none."""
        bucket, key = split_bucket_uri(uri)
        try:
            self._calls.send(
                uri,
                "s3:AbortMultipartUpload",
                lambda s3: s3.abort_multipart_upload(Bucket=bucket, Key=key, UploadId=upload_id),
            )
        except TransientError as error:
            if error.code != UPLOAD_GONE:
                raise

    def unfinished(self, uri: str) -> list[str]:
        """Returns the ids of the object's open uploads; none if the server does not list them."""
        return [found.upload_id for found in self.open_under(uri) if found.uri == uri]

    def open_under(self, prefix_uri: str) -> list[OpenUpload]:
        """Returns all open uploads under a prefix; none if the server does not list them."""
        bucket, prefix = split_bucket_uri(prefix_uri)
        try:
            return self._calls.send(
                f"s3://{bucket}/",
                "s3:ListBucketMultipartUploads",
                lambda s3: [
                    OpenUpload(f"s3://{bucket}/{item['Key']}", item["UploadId"])
                    for page in s3.get_paginator("list_multipart_uploads").paginate(
                        Bucket=bucket, Prefix=prefix
                    )
                    for item in page.get("Uploads", [])
                ],
            )
        except OperatorError as error:
            facts = {"uri": prefix_uri, "code": error.code}
            log.warning("Open uploads cannot be listed", extra=facts)
            return []
        except TransientError as error:
            if error.code != UPLOAD_GONE:  # how rclone says that the bucket never had one
                raise
            return []

    def head(self, uri: str) -> ObjectInfo | None:
        """Returns the object's facts, or None if there is none."""
        try:
            found = self.contents.look(uri)
        except RequestError:
            return None
        return ObjectInfo(uri, found.size_bytes, found.content_type)

    def under(self, uri: str) -> Iterator[ObjectInfo]:
        """Yields the objects whose URIs begin with this one, by name, without their types."""
        for found in self.contents.under(uri):
            yield ObjectInfo(found.uri, found.size_bytes, None)

    @contextmanager
    def read(self, uri: str) -> Iterator[Iterator[bytes]]:
        """Opens the whole object as a stream of chunks of 1 MiB."""
        bucket, key = split_bucket_uri(uri)
        body = self._calls.send(
            uri, "s3:GetObject", lambda s3: s3.get_object(Bucket=bucket, Key=key)["Body"]
        )
        with closing(body):
            yield _chunks(body, uri)

    def open(self, uri: str) -> BinaryIO:
        """Opens the object as a seekable file that fetches blocks as they are read."""
        content = self.contents.look(uri)
        fetch = functools.partial(self.contents.fetch, content)
        return io.BufferedReader(RangeFile(content.size_bytes, fetch), _BUFFER_BYTES)

    def put(self, uri: str, data: bytes, *, content_type: str) -> None:
        """Writes a small object in one request."""
        bucket, key = split_bucket_uri(uri)
        self._calls.send(
            uri,
            "s3:PutObject",
            lambda s3: s3.put_object(
                Bucket=bucket,
                Key=key,
                Body=data,
                ContentType=content_type,
                ContentMD5=_md5(data),
            ),
        )

    def delete(self, uri: str) -> None:
        """Deletes the object. Succeeds if there is none."""
        bucket, key = split_bucket_uri(uri)
        with contextlib.suppress(RequestError):
            self._calls.send(
                uri, "s3:DeleteObject", lambda s3: s3.delete_object(Bucket=bucket, Key=key)
            )


def _chunks(body: StreamingBody, uri: str) -> Iterator[bytes]:
    with translated(uri, "s3:GetObject"):
        # Raises if fewer bytes come than Content-Length said.
        yield from body.iter_chunks(_CHUNK_BYTES)


def _md5(data: bytes) -> str:
    # The one checksum of a request body that every S3 server knows; not a matter of security.
    return b64encode(hashlib.md5(data, usedforsecurity=False).digest()).decode()
