"""Buckets as a whole: where they are, and which multipart uploads are open in them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from curation.adapters.storage.s3_calls import S3Calls
from curation.errors import TransientError
from curation.models import split_bucket_uri
from curation.ports import UPLOAD_GONE

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client


class S3Buckets:
    """What `curate doctor` asks about a bucket.

    Args:
        region: Region of the buckets, or None for boto3's default.
    """

    def __init__(self, *, region: str | None) -> None:
        self._calls = S3Calls(region=region)

    def regions(self, uri: str) -> tuple[str, str | None]:
        """Returns the region that is asked, and the one the bucket says it is in, if it does.

        A bucket says so also to those who may not list it, and to those who ask elsewhere.
        """
        bucket, _ = split_bucket_uri(uri)

        def request(s3: S3Client) -> tuple[str, str | None]:
            try:
                headers = s3.head_bucket(Bucket=bucket)["ResponseMetadata"]["HTTPHeaders"]
            except ClientError as error:
                headers = error.response["ResponseMetadata"]["HTTPHeaders"]
            return s3.meta.region_name, headers.get("x-amz-bucket-region")

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
