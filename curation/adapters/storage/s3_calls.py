"""Calls of S3: one client, errors translated, credentials fetched anew when they are over."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from curation.adapters.storage.s3_errors import code_of, translated

if TYPE_CHECKING:
    from collections.abc import Callable

    from types_boto3_s3 import S3Client

T = TypeVar("T")

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


class S3Calls:
    """Sends requests to S3.

    Endpoint and credentials come from boto3's own variables. With an endpoint of one's own
    (`AWS_ENDPOINT_URL_S3`) botocore puts the bucket into the path by itself, which servers
    without a wildcard DNS name need; towards AWS it stays in the host name.

    Args:
        region: Region of the buckets, or None for boto3's default.
    """

    def __init__(self, *, region: str | None) -> None:
        self._region = region
        self._client: S3Client | None = None

    def send(self, uri: str, permission: str, request: Callable[[S3Client], T]) -> T:
        """Sends one request; temporary credentials that are over are fetched anew, once.

        Args:
            uri: `s3://bucket/key` that is asked for.
            permission: IAM action that the call needs, e.g. `s3:PutObject`.
            request: The call.
        """
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
