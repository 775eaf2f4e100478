from __future__ import annotations

from typing import TYPE_CHECKING

from curation.ledger import keys
from curation.ledger.steps import Turn
from curation.models import Request
from curation.states import Backend, StepName
from curation.steps.verdict import SUCCEEDED
from tests.support.clips import small_clip
from tests.workers.conftest import BOX
from workers.base import Delivery
from workers.ingest import _ingest

if TYPE_CHECKING:
    from pathlib import Path

    from redis import Redis

    from curation.wiring import Wiring


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
