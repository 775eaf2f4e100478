"""`curate serve` as a process over a real ledger and bucket, and a real browser."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from redis import Redis

from tests.support.servers import bare_s3_client, s3_environment, valkey_server
from tests.support.web import BUCKET, INSTANCE_ID, LOGIN, TOKEN, Seeds, Site, serve

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def broker() -> Iterator[str]:
    """URL of a broker that only the pages use: what they show stays."""
    with valkey_server() as url:
        yield url


@pytest.fixture(scope="session")
def variables(broker: str, rclone_endpoint: str) -> dict[str, str]:
    """The settings of an installation with pages and API."""
    return s3_environment(rclone_endpoint) | {
        "API_TOKEN": TOKEN,
        "BUDGET_PER_MONTH": "50",
        "EC2_INSTANCE_ID": INSTANCE_ID,
        "FLOWER_URL": "http://127.0.0.1:5555/",
        "INSTANCE_PRICE_PER_HOUR": "0.526",
        "REDIS_URL": broker,
        "S3_INPUT_BUCKET": f"s3://{BUCKET}/videos/",
        "S3_LIGHTLY_BUCKET": f"s3://{BUCKET}/results/",
        "SELECTION_BACKEND": "engine",
        "VIDEO_SOURCE": "pexels:popular",
        "WEB_BASIC_AUTH": ":".join(LOGIN),
    }


@pytest.fixture(scope="session")
def site(variables: dict[str, str], broker: str, rclone_endpoint: str) -> Iterator[Site]:
    """Pages and API, with a run of each kind."""
    bare_s3_client(rclone_endpoint).create_bucket(Bucket=BUCKET)
    with Redis.from_url(broker, decode_responses=True) as redis:
        runs = Seeds(redis, endpoint=rclone_endpoint, bucket=BUCKET).all()
    with serve(variables) as url:
        yield Site(url, runs)
