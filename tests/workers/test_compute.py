from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from curation.ledger.steps import Turn
from curation.states import InstanceState, Outcome, RunState, StepName
from curation.steps.verdict import LOOK_AGAIN, SUCCEEDED
from tests.support.cloud import INSTANCE_ID
from tests.support.requests import new_run
from workers.base import Delivery
from workers.compute import _release

if TYPE_CHECKING:
    from redis import Redis

    from curation.wiring import Wiring
    from tests.support.cloud import Cloud


@pytest.mark.parametrize("cloud", [{"stop_s": 60.0}], indirect=True)
def test_release__a_stop_that_takes_for_ever_does_not_keep_the_run_from_its_end(
    here: Wiring, redis_client: Redis, cloud: Cloud
) -> None:
    """At the deadline a run ends although EC2 is still stopping; the reaper watches the rest."""
    assert redis_client.dbsize() == 0
    cloud.boot()
    run_id = new_run(here.ledger, deadline_s=5)
    here.ledger.leases.acquire(run_id, INSTANCE_ID)
    here.ledger.runs.decide(run_id, Outcome.COMPLETED)
    turn = Turn(run_id, StepName.RELEASE_INSTANCE, owner="a", number=0)
    here.ledger.steps.begin(turn, implies=None, after_outcome=True)
    run = here.ledger.runs.get(run_id)

    before = _release(Delivery(run, turn, here, run.created_at + 4))
    after = _release(Delivery(run, turn, here, run.created_at + 11))

    assert (before, after) == (LOOK_AGAIN, SUCCEEDED)
    ended = here.ledger.runs.get(run_id)
    assert (ended.state, ended.outcome) == (RunState.FAILED, Outcome.COMPLETED)
    assert ended.error is not None
    assert ended.error.code == "ec2:stop"
    assert "it is still stopping" in ended.error.message
    assert ended.instance is not None
    assert ended.instance.state == InstanceState.STOPPING
