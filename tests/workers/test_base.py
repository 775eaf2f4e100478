from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from celery.exceptions import Ignore

from curation.errors import RequestError
from curation.ledger import keys
from curation.ledger.steps import Turn
from curation.states import Outcome, StepName, StepState
from tests.support.requests import new_run
from workers.base import Delivery
from workers.compute import release_instance, start_instance
from workers.selection import run_selection

if TYPE_CHECKING:
    from redis import Redis

    from curation.wiring import Wiring

ERROR = RequestError("The source is gone.", "source:gone")


def begun(here: Wiring) -> Delivery:
    """A delivery that is at work."""
    run_id = new_run(here.ledger)
    turn = Turn(run_id, StepName.START_INSTANCE, owner="a", number=0)
    here.ledger.steps.begin(turn, implies=None, after_outcome=False)
    return Delivery(here.ledger.runs.get(run_id), turn, here, here.ledger.store.now())


def test_fail__writes_the_outcome_before_the_task_fails(here: Wiring, redis_client: Redis) -> None:
    """A failure is in the ledger, with code and step, when Celery hears of it."""
    assert redis_client
    delivery = begun(here)

    with pytest.raises(RequestError):
        start_instance._fail(delivery, ERROR)

    run = here.ledger.runs.get(delivery.run.run_id)
    assert run.error is not None
    assert (run.error.code, run.error.step) == ("source:gone", "start_instance")
    assert run.steps.start_instance.state is StepState.FAILED


def test_fail__leaves_the_way_to_the_error_behind(here: Wiring, redis_client: Redis) -> None:
    """What Celery sends to the main process does not grow with the depth of the error."""
    assert redis_client
    delivery = begun(here)
    try:
        refuse_deep_down(20)
    except RequestError as error:
        with pytest.raises(RequestError) as raised:
            start_instance._fail(delivery, error)

    assert "refuse_deep_down" not in [entry.name for entry in raised.traceback]


def refuse_deep_down(depth: int) -> None:
    """Raises far from where it was called."""
    if depth:
        refuse_deep_down(depth - 1)
    raise ERROR


def test_fail__of_a_delivery_that_was_taken_over_fails_nothing(
    here: Wiring, redis_client: Redis
) -> None:
    """A delivery that was frozen cannot fail the run that another one goes on with."""
    delivery = begun(here)
    run_key = keys.run_key(delivery.run.run_id)
    redis_client.hset(run_key, f"{StepName.START_INSTANCE}.owner", "b")

    with pytest.raises(Ignore):
        start_instance._fail(delivery, ERROR)

    run = here.ledger.runs.get(delivery.run.run_id)
    assert run.outcome is None
    assert run.steps.start_instance.state is StepState.RUNNING


def test_longest_wait__lets_a_few_looks_fit_into_a_lease(here: Wiring, redis_client: Redis) -> None:
    """However rarely looks are wanted, the lease that they renew does not end between two."""
    assert redis_client
    delivery = begun(here)

    assert run_selection._longest_wait_s(delivery) <= here.settings.run.lease_ttl_s / 3


def test_longest_wait__a_refused_release_ends_with_the_deadline(
    here: Wiring, redis_client: Redis
) -> None:
    """A release looks for the last time just after the deadline, not a whole wait later."""
    assert redis_client
    delivery = begun(here)
    here.ledger.runs.decide(delivery.run.run_id, Outcome.FAILED)
    late = replace(
        delivery,
        run=here.ledger.runs.get(delivery.run.run_id),
        now=delivery.run.deadline_at - 3.0,
    )

    assert 3.0 < release_instance._longest_wait_s(late) < 4.0
