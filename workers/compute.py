"""Queue `compute`: starts the instance and gives it back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from celery import shared_task

from curation.errors import CurationError, TransientError
from curation.states import RunState, StepName, StepState
from curation.steps import finish, instance
from curation.steps.verdict import SKIPPED, SUCCEEDED
from workers.base import StepTask, bearing_the_ledger, wiring
from workers.messages import send_end_notice

if TYPE_CHECKING:
    from curation.steps.verdict import Verdict
    from workers.base import Delivery


@shared_task(
    bind=True,
    base=StepTask,
    name="compute.start_instance",
    step=StepName.START_INSTANCE,
    implies=RunState.PREPARING,
)
def start_instance(self: StepTask, run_id: str) -> None:
    """Starts the instance and launches its worker, one look per delivery.

    Twice is safe: the lease is the run's own, and start and launch are claimed in the ledger.
    """
    self.perform(run_id, _start)


@shared_task(
    bind=True,
    base=StepTask,
    name="compute.release_instance",
    step=StepName.RELEASE_INSTANCE,
    after_outcome=True,
    # An instance that runs costs money: EC2 is asked again soon, however often it has refused.
    longest_wait_s=15.0,
)
def release_instance(self: StepTask, run_id: str) -> None:
    """Gives the instance back; the last one out stops it. Nothing while the run has no outcome.

    Twice is safe: the ledger gives the stop to one holder, and an ended run is left alone.
    """
    with bearing_the_ledger(self, run_id):
        if wiring().ledger.runs.has_outcome(run_id):
            self.perform(run_id, _release)


def _start(delivery: Delivery) -> Verdict:
    machine = delivery.wiring.machine
    if machine is None:
        return SKIPPED
    return instance.start_instance(delivery.run, machine, now=delivery.now)


def _release(delivery: Delivery) -> Verdict:
    verdict = _give_back(delivery)
    if verdict in (SKIPPED, SUCCEEDED):
        send_end_notice(delivery.run.run_id)
    return verdict


def _give_back(delivery: Delivery) -> Verdict:
    run, runs, machine = delivery.run, delivery.wiring.ledger.runs, delivery.wiring.machine
    if machine is None:
        finish.end(run, runs, released=StepState.SKIPPED)
        return SKIPPED
    try:
        verdict = finish.release_instance(run, machine, now=delivery.now)
    except CurationError as error:
        if not finish.is_patience_over(run, now=delivery.now):
            # Whatever EC2 says, an instance that may run is worth another try.
            raise TransientError(error.message, error.code) from error
        finish.end_unstopped(run, machine, runs, error)
        return SUCCEEDED
    if verdict is SUCCEEDED:
        finish.end(run, runs, released=StepState.SUCCEEDED)
    elif finish.is_patience_over(run, now=delivery.now):
        state = machine.leases.look(machine.instance_id).state
        late = TransientError(f"EC2 took the stop, and it is still {state}.", code="ec2:stop")
        finish.end_unstopped(run, machine, runs, late)
        return SUCCEEDED
    return verdict
