from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from curation.adapters.compute.ssm import LEASE_COMMENT
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
    from tests.support.cloud import Cloud


def test_ingest__keeps_the_lease_of_the_instance_that_waits(
    here: Wiring, redis_client: Redis, tmp_path: Path
) -> None:
    """While a video is on its way, its run does not lose the instance that waits for it."""
    delivery = delivered(here, tmp_path)
    run_id, now = delivery.run.run_id, delivery.now
    redis_client.zadd(keys.leases_key(BOX), {run_id: now + 1})  # nearly over

    verdict = _ingest(delivery)

    assert verdict is SUCCEEDED
    assert here.ledger.leases.holders(BOX)[run_id] > now + 50


@pytest.mark.usefixtures("redis_client")  # which empties the ledger
def test_ingest__keeps_the_instance_from_powering_itself_off(
    here: Wiring, cloud: Cloud, tmp_path: Path
) -> None:
    """Tag and watchdog hear of the lease too, from the time on when nobody else tells them."""
    cloud.boot()
    waiting, launched = delivered(here, tmp_path), delivered(here, tmp_path)

    _ingest(waiting)
    before = cloud.calls("CreateTags") + cloud.calls("SendCommand")
    here.ledger.leases.claim_launch(launched.run.run_id, BOX, 1.5)
    _ingest(launched)

    assert before == []
    assert len(cloud.calls("CreateTags")) == 1
    (renewal,) = cloud.calls("SendCommand")
    assert renewal["parameters"]["Comment"] == LEASE_COMMENT


@pytest.mark.usefixtures("redis_client")  # which empties the ledger
def test_ingest__goes_on_without_a_watchdog_to_tell(
    here: Wiring, cloud: Cloud, tmp_path: Path
) -> None:
    """An instance that cannot be told is no reason to lose the video; nor is it asked at each."""
    delivery = delivered(here, tmp_path)
    here.ledger.leases.claim_launch(delivery.run.run_id, BOX, 1.5)
    cloud.add_faults({"operation": "CreateTags", "code": "UnauthorizedOperation", "times": None})

    assert _ingest(delivery) is SUCCEEDED
    assert len(cloud.calls("CreateTags")) == 1


def delivered(here: Wiring, folder: Path) -> Delivery:
    """A delivery of the ingest of a run that holds the instance."""
    clip = folder / "clip.mp4"
    clip.write_bytes(small_clip())
    request = Request(source=str(clip), proportion_samples=0.1, selection_backend=Backend.ENGINE)
    run_id, _ = here.ledger.runs.create(request, deadline_s=1000)
    here.ledger.leases.acquire(run_id, BOX)
    turn = Turn(run_id, StepName.INGEST_VIDEO, owner="a", number=0)
    here.ledger.steps.begin(turn, implies=None, after_outcome=False)
    return Delivery(here.ledger.runs.get(run_id), turn, here, here.ledger.store.now())
