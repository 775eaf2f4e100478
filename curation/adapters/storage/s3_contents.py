"""What objects in S3 hold: looked at, listed, and fetched by ranges as long as it is the same."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from curation.errors import RequestError, TransientError
from curation.models import split_bucket_uri

if TYPE_CHECKING:
    from collections.abc import Iterator

    from types_boto3_s3 import S3Client
    from types_boto3_s3.type_defs import ListObjectsV2RequestTypeDef

    from curation.adapters.storage.s3_calls import S3Calls

_RANGE_TRIES = 3


@dataclass(frozen=True)
class Content:
    """What an object holds, as of one look.

    Attributes:
        uri: The object.
        size_bytes: Length in bytes.
        etag: Changes with the content.
        content_type: MIME type; a listing does not tell it.
    """

    uri: str
    size_bytes: int
    etag: str
    content_type: str | None = None


class S3Contents:
    """Reads objects."""

    def __init__(self, calls: S3Calls) -> None:
        self._calls = calls

    def look(self, uri: str) -> Content:
        """Returns what the object holds now.

        Raises:
            RequestError: If there is no such object.
        """
        bucket, key = split_bucket_uri(uri)

        def request(s3: S3Client) -> Content:
            found = s3.head_object(Bucket=bucket, Key=key)
            return Content(uri, found["ContentLength"], found["ETag"], found.get("ContentType"))

        return self._calls.send(uri, "s3:GetObject", request)

    def under(self, uri: str) -> Iterator[Content]:
        """Yields what the objects hold whose URIs begin with this one, by name."""
        token = ""
        while True:
            contents, token = self._page(uri, token)
            yield from contents
            if not token:
                return

    def fetch(self, content: Content, start: int, end: int) -> bytes:
        """Fetches the bytes from `start` (inclusive) to `end` (exclusive).

        botocore tries again only until the answer begins, so a body that is cut is asked for
        anew here: a decoder has no way to come back to a read that failed.

        Raises:
            RequestError: If the object is gone, or holds something else than at the look.
        """
        for tries_left in reversed(range(_RANGE_TRIES)):
            try:
                etag, data = self._range(content, start, end)
            except TransientError:
                if not tries_left:
                    raise
            else:
                break
        # Some servers do not know If-Match.
        if etag != content.etag or len(data) != end - start:
            raise RequestError(
                f"{content.uri} changed while it was being read.", code="aws:s3:changed"
            )
        return data

    def _page(self, uri: str, token: str) -> tuple[list[Content], str]:
        """Returns a page of a listing and the token of the next one, empty if there is none."""
        bucket, prefix = split_bucket_uri(uri)
        asked: ListObjectsV2RequestTypeDef = {"Bucket": bucket, "Prefix": prefix}
        if token:
            asked["ContinuationToken"] = token

        def request(s3: S3Client) -> tuple[list[Content], str]:
            page = s3.list_objects_v2(**asked)
            contents = [
                Content(f"s3://{bucket}/{item['Key']}", item["Size"], _quoted(item["ETag"]))
                for item in page.get("Contents", [])
            ]
            return contents, page["NextContinuationToken"] if page.get("IsTruncated") else ""

        return self._calls.send(f"s3://{bucket}/", "s3:ListBucket", request)

    def _range(self, content: Content, start: int, end: int) -> tuple[str, bytes]:
        bucket, key = split_bucket_uri(content.uri)

        def request(s3: S3Client) -> tuple[str, bytes]:
            answer = s3.get_object(
                Bucket=bucket, Key=key, Range=f"bytes={start}-{end - 1}", IfMatch=content.etag
            )
            with closing(answer["Body"]) as body:
                return answer["ETag"], body.read()

        return self._calls.send(content.uri, "s3:GetObject", request)


def _quoted(etag: str) -> str:
    # Some servers leave the quotes out of listings.
    return etag if etag.endswith('"') else f'"{etag}"'
