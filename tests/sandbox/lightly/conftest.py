"""The stand-in as the real client sees it, and as a run of the pipeline does."""

from __future__ import annotations

import logging
import uuid
from typing import TYPE_CHECKING, Any

import pytest

from curation.ledger.ledger import Ledger
from curation.ledger.store import Store
from tests.support.hosted import Hosted

if TYPE_CHECKING:
    from redis import Redis
    from types_boto3_s3 import S3Client

    from tests.support.lightly import Lightly


@pytest.fixture
def hosted(lightly: Lightly, redis_client: Redis, s3_client: S3Client, bucket: str) -> Hosted:
    """Runs with a ledger and a bucket, by the server's clock."""
    ledger = Ledger.over(Store(redis_client), retention_days=1, lease_ttl_s=100)
    return Hosted.over(lightly, ledger, s3_client, bucket)


@pytest.fixture
def client(lightly: Lightly, monkeypatch: pytest.MonkeyPatch) -> Any:  # noqa: ANN401  # untyped
    """The client as its documentation uses it, with a new dataset of videos."""
    monkeypatch.setenv("LIGHTLY_DID_VERSION_CHECK", "True")
    for name in ("urllib3", "lightly.openapi_generated.swagger_client"):
        monkeypatch.setattr(logging.getLogger(name), "handlers", [])
    from lightly.api import ApiWorkflowClient  # noqa: PLC0415  # calls home if it comes first

    client = ApiWorkflowClient(token=lightly.environment["LIGHTLY_TOKEN"])
    client.create_dataset(f"videos-{uuid.uuid4().hex[:8]}", "Videos")
    return client


def set_datasources(client: Any) -> None:  # noqa: ANN401  # the same
    """Gives the client's dataset both datasources."""
    for purpose in ("INPUT", "LIGHTLY"):
        client.set_s3_delegated_access_config(
            resource_path="s3://bucket/prefix/",
            region="eu-central-1",
            role_arn="arn:aws:iam::123456789012:role/lightly",
            external_id="external-id",
            purpose=purpose,
        )
