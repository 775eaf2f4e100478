"""Hosted Lightly with a ledger and a bucket."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from curation.ledger.ledger import Ledger
from curation.ledger.store import Store
from tests.support.clock import Clock
from tests.support.hosted import Hosted

if TYPE_CHECKING:
    from redis import Redis
    from types_boto3_s3 import S3Client

    from tests.support.lightly import Lightly


@pytest.fixture
def clock() -> Clock:
    """The ledger's time, as the test says."""
    return Clock()


@pytest.fixture
def ledger(redis_client: Redis, clock: Clock) -> Ledger:
    """An empty ledger."""
    return Ledger.over(Store(redis_client, clock=clock), retention_days=1, lease_ttl_s=100)


@pytest.fixture
def hosted(lightly: Lightly, ledger: Ledger, s3_client: S3Client, bucket: str) -> Hosted:
    """The backend's surroundings."""
    return Hosted.over(lightly, ledger, s3_client, bucket)
