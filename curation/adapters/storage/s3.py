"""Object storage: S3 and whatever speaks its protocol."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import io
import logging
from base64 import b64encode
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, TypeVar

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from curation.adapters.storage.range_file import RangeFile
from curation.adapters.storage.s3_errors import code_of, translated
from curation.errors import OperatorError, RequestError, TransientError
from curation.models import split_bucket_uri
from curation.ports import UPLOAD_GONE, ObjectInfo, Part

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import BinaryIO

    from botocore.response import StreamingBody
    from types_boto3_s3 import S3Client
    from types_boto3_s3.type_defs import CompletedPartTypeDef

T = TypeVar("T")
log = logging.getLogger(__name__)

_CHUNK_BYTES = 1024 * 1024
_BUFFER_BYTES = 64 * 1024
_RANGE_TRIES = 3
# A HEAD has no body to tell its code in, so there it is a mere 400.
_EXPIRED = frozenset({"ExpiredToken", "ExpiredTokenException", "RequestExpired", "400"})
_CONFIG = Config(
    # botocore waits 60 s each by default, and tries again by itself for a few seconds only.
    connect_timeout=5,
    read_timeout=30,
    retries={"mode": "standard"},
    # The newer checksum headers and trailers are unknown to many servers that are not AWS.
    request_checksum_calculation="when_required",
    response_checksum_validation="when_required",
)


class S3Storage:
    """Objects and multipart uploads in S3 (the ports `Objects` and `Uploads`).

    Endpoint and credentials come from boto3's own variables. With an endpoint of one's own
    (`AWS_ENDPOINT_URL_S3`) botocore puts the bucket into the path by itself, which servers
    without a wildcard DNS name need; towards AWS it stays in the host name.

    Args:
        region: Region of the buckets, or None for boto3's default.
    """

    def __init__(self, *, region: str | None = None) -> None:
        self._region = region
        self._client: S3Client | None = None

    def begin(self, uri: str, *, content_type: str) -> str:
        """Begins a multipart upload and returns its upload id."""
        bucket, key = split_bucket_uri(uri)
        return self._call(
            uri,
            "s3:PutObject",
            lambda s3: s3.create_multipart_upload(Bucket=bucket, Key=key, ContentType=content_type)[
                "UploadId"
            ],
        )

    def put_part(self, uri: str, upload_id: str, *, number: int, data: bytes) -> Part:
        """Uploads part `number`; a part damaged on the way is refused by its MD5."""
        bucket, key = split_bucket_uri(uri)
        etag = self._call(
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
            self._call(
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
            self._call(
                uri,
                "s3:AbortMultipartUpload",
                lambda s3: s3.abort_multipart_upload(Bucket=bucket, Key=key, UploadId=upload_id),
            )
        except TransientError as error:
            if error.code != UPLOAD_GONE:
                raise

    def unfinished(self, uri: str) -> list[str]:
        """Returns the ids of the object's open uploads; none if the server does not list them."""
        bucket, key = split_bucket_uri(uri)
        try:
            found = self._call(
                f"s3://{bucket}/",
                "s3:ListBucketMultipartUploads",
                lambda s3: s3.list_multipart_uploads(Bucket=bucket, Prefix=key).get("Uploads", []),
            )
        except OperatorError as error:
            log.warning("Open uploads cannot be listed", extra={"uri": uri, "code": error.code})
            return []
        except TransientError as error:
            if error.code != UPLOAD_GONE:  # how rclone says that the bucket never had one
                raise
            return []
        return [item["UploadId"] for item in found if item["Key"] == key]

    def head(self, uri: str) -> ObjectInfo | None:
        """Returns the object's facts, or None if there is none."""
        try:
            size_bytes, content_type, _ = self._facts(uri)
        except RequestError:
            return None
        return ObjectInfo(uri, size_bytes, content_type)

    @contextmanager
    def read(self, uri: str) -> Iterator[Iterator[bytes]]:
        """Opens the whole object as a stream of chunks of 1 MiB."""
        bucket, key = split_bucket_uri(uri)
        body = self._call(
            uri, "s3:GetObject", lambda s3: s3.get_object(Bucket=bucket, Key=key)["Body"]
        )
        with closing(body):
            yield _chunks(body, uri)

    def open(self, uri: str) -> BinaryIO:
        """Opens the object as a seekable file that fetches blocks as they are read."""
        size_bytes, _, etag = self._facts(uri)
        fetch = functools.partial(self._range, uri, etag)
        return io.BufferedReader(RangeFile(size_bytes, fetch), _BUFFER_BYTES)

    def put(self, uri: str, data: bytes, *, content_type: str) -> None:
        """Writes a small object in one request."""
        bucket, key = split_bucket_uri(uri)
        self._call(
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
            self._call(uri, "s3:DeleteObject", lambda s3: s3.delete_object(Bucket=bucket, Key=key))

    def _facts(self, uri: str) -> tuple[int, str | None, str]:
        """Returns length in bytes, MIME type and ETag."""
        bucket, key = split_bucket_uri(uri)

        def request(s3: S3Client) -> tuple[int, str | None, str]:
            answer = s3.head_object(Bucket=bucket, Key=key)
            return answer["ContentLength"], answer.get("ContentType"), answer["ETag"]

        return self._call(uri, "s3:GetObject", request)

    def _range(self, uri: str, etag: str, start: int, end: int) -> bytes:
        """Fetches bytes of one version of an object.

        botocore tries again only until the answer begins, so a body that is cut is asked for
        anew here: a decoder has no way to come back to a read that failed.
        """
        bucket, key = split_bucket_uri(uri)

        def request(s3: S3Client) -> tuple[str, bytes]:
            answer = s3.get_object(
                Bucket=bucket, Key=key, Range=f"bytes={start}-{end - 1}", IfMatch=etag
            )
            with closing(answer["Body"]) as body:
                return answer["ETag"], body.read()

        for tries_left in reversed(range(_RANGE_TRIES)):
            try:
                found, data = self._call(uri, "s3:GetObject", request)
            except TransientError:
                if not tries_left:
                    raise
            else:
                break
        # Some servers do not know If-Match.
        if found != etag or len(data) != end - start:
            raise RequestError(f"{uri} changed while it was being read.", code="aws:s3:changed")
        return data

    def _call(self, uri: str, permission: str, request: Callable[[S3Client], T]) -> T:
        """Sends one request; temporary credentials that are over are fetched anew, once."""
        with translated(uri, permission):
            try:
                return request(self._connected())
            except ClientError as error:
                if code_of(error) not in _EXPIRED:
                    raise
            self._client = None
            return request(self._connected())

    def _connected(self) -> S3Client:
        if self._client is None:
            # Not boto3.client: its session keeps the first credentials for the process's life.
            session = boto3.session.Session()
            self._client = session.client("s3", region_name=self._region, config=_CONFIG)
        return self._client


def _chunks(body: StreamingBody, uri: str) -> Iterator[bytes]:
    with translated(uri, "s3:GetObject"):
        # Raises if fewer bytes come than Content-Length said.
        yield from body.iter_chunks(_CHUNK_BYTES)


def _md5(data: bytes) -> str:
    # The one checksum of a request body that every S3 server knows; not a matter of security.
    return b64encode(hashlib.md5(data, usedforsecurity=False).digest()).decode()
