"""Buckets as a whole: where they are, and which multipart uploads are open in them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from curation.adapters.storage.s3_calls import S3Calls
from curation.errors import TransientError
from curation.models import split_bucket_uri
from curation.ports import UPLOAD_GONE

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client


@dataclass(frozen=True)
class Place:
    """Where a bucket is.

    Attributes:
        asked: Region in which it was asked for.
        told: Region in which it says it is, or None.
        is_aws: Whether AWS was asked.
    """

    asked: str
    told: str | None
    is_aws: bool


class S3Buckets:
    """What `curate doctor` asks about a bucket.

    Args:
        region: Region of the buckets, or None for boto3's default.
    """

    def __init__(self, *, region: str | None) -> None:
        self._calls = S3Calls(region=region)

    def place(self, uri: str) -> Place:
        """Returns where a bucket is.

        It says so also to those who may not list it, and to those who ask in another region.
        """
        bucket, _ = split_bucket_uri(uri)

        def request(s3: S3Client) -> Place:
            try:
                headers = s3.head_bucket(Bucket=bucket)["ResponseMetadata"]["HTTPHeaders"]
            except ClientError as error:
                headers = error.response["ResponseMetadata"]["HTTPHeaders"]
            return Place(
                asked=s3.meta.region_name,
                told=headers.get("x-amz-bucket-region"),
                is_aws=".amazonaws.com" in s3.meta.endpoint_url,
            )

        return self._calls.send(uri, "s3:ListBucket", request)

    def count_uploads(self, uri: str) -> int:
        """Returns how many multipart uploads are open below a prefix, as far as one page says."""
        bucket, prefix = split_bucket_uri(uri)
        try:
            return self._calls.send(
                f"s3://{bucket}/",
                "s3:ListBucketMultipartUploads",
                lambda s3: len(
                    s3.list_multipart_uploads(Bucket=bucket, Prefix=prefix).get("Uploads", [])
                ),
            )
        except TransientError as error:
            if error.code != UPLOAD_GONE:  # how rclone says that the bucket never had one
                raise
            return 0
