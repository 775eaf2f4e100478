"""Hosted Lightly with a ledger and a bucket."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.hosted import Hosted

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

    from curation.ledger.ledger import Ledger
    from tests.support.lightly import Lightly


@pytest.fixture
def hosted(lightly: Lightly, ledger: Ledger, s3_client: S3Client, bucket: str) -> Hosted:
    """The backend's surroundings."""
    return Hosted.over(lightly, ledger, s3_client, bucket)
