"""Adapters over real servers, as a Celery worker has them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from curation.settings import Settings
from curation.wiring import Wiring

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

BOX = "i-0123456789abcdef0"


@pytest.fixture
def here(valkey: str, bucket: str, s3_client: S3Client, monkeypatch: pytest.MonkeyPatch) -> Wiring:
    """Adapters over real servers, with an instance configured."""
    assert s3_client
    for name, value in {
        "REDIS_URL": valkey,
        "S3_INPUT_BUCKET": f"s3://{bucket}/in/",
        "S3_LIGHTLY_BUCKET": f"s3://{bucket}/out/",
        "EC2_INSTANCE_ID": BOX,
        "EC2_REGION": "us-east-1",
        "LEASE_TTL_S": "100",
    }.items():
        monkeypatch.setenv(name, value)
    return Wiring(Settings(), send_engine_task=lambda _: None)
