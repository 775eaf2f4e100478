from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from curation.ledger import keys
from curation.ledger.steps import Turn
from curation.models import Request
from curation.settings import Settings
from curation.states import Backend, StepName
from curation.steps.verdict import SUCCEEDED
from curation.wiring import Wiring
from tests.support.clips import small_clip
from workers.base import Delivery
from workers.ingest import _ingest

if TYPE_CHECKING:
    from pathlib import Path

    from redis import Redis
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


def test_ingest__keeps_the_lease_of_the_instance_that_waits(
    here: Wiring, redis_client: Redis, tmp_path: Path
) -> None:
    """While a video is on its way, its run does not lose the instance that waits for it."""
    clip = tmp_path / "clip.mp4"
    clip.write_bytes(small_clip())
    request = Request(source=str(clip), proportion_samples=0.1, selection_backend=Backend.ENGINE)
    run_id, _ = here.ledger.runs.create(request, deadline_s=1000)
    here.ledger.leases.acquire(run_id, BOX)
    now = here.ledger.store.now()
    redis_client.zadd(keys.leases_key(BOX), {run_id: now + 1})  # nearly over
    turn = Turn(run_id, StepName.INGEST_VIDEO, owner="a", number=0)
    here.ledger.steps.begin(turn, implies=None, after_outcome=False)

    verdict = _ingest(Delivery(here.ledger.runs.get(run_id), turn, here, now))

    assert verdict is SUCCEEDED
    assert here.ledger.leases.holders(BOX)[run_id] > now + 50
