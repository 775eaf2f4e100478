"""Step `release_instance`: give the lease back; the last one out stops the instance."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from curation.errors import CurationError
from curation.ledger.leases import START_LAG_S, Release
from curation.models import RunError
from curation.states import InstanceState, Outcome, RunState, StepName, StepState
from curation.steps.verdict import LOOK_AGAIN, SUCCEEDED, Verdict

if TYPE_CHECKING:
    from curation.ledger.runs import RunLedger
    from curation.models import Run
    from curation.steps.instance import Machine

log = logging.getLogger(__name__)

# An instance that still runs this long after EC2 accepted the stop is told again.
STOP_AGAIN_S = 60.0
# From the first refused stop on, EC2 gets at least this long, even when the deadline is over; but
# no longer than the run itself may take.
STOP_PATIENCE_S = 60.0

_GONE = (InstanceState.STOPPED, InstanceState.TERMINATED)


def release_instance(run: Run, machine: Machine, *, now: float) -> Verdict:
    """Does one delivery's work towards a lease given back and, if it was the last, a stop.

    Args:
        run: The run; it has its outcome.
        machine: The instance.
        now: Seconds since the epoch.

    Raises:
        CurationError: If EC2 refused; to be tried again until `is_patience_over`.
    """
    is_holder = run.run_id in machine.leases.holders(machine.instance_id)
    released = machine.leases.release(run.run_id, machine.instance_id)
    if released is not Release.STOP:
        what = "Lease given back" if is_holder else "Stale release: the run holds no lease"
        log.info("%s; the instance is %s", what, released, extra=run.log_context())
        return SUCCEEDED
    before = machine.leases.look(machine.instance_id)
    is_stopped = stop(machine, holder=run.run_id, now=now)
    if run.outcome is Outcome.CANCELED and before.stop_sent_at is None and before.command_id:
        _cancel_launch(run, machine, before.command_id)
    if is_stopped:
        log.info("Instance stopped", extra=run.log_context())
        return SUCCEEDED
    return LOOK_AGAIN


def stop(machine: Machine, *, holder: str, now: float) -> bool:
    """Sends the stop once, then looks; whether the instance is stopped.

    Args:
        machine: The instance, whose stop the ledger has given to `holder`.
        holder: Run id, or the reaper's name.
        now: Seconds since the epoch.
    """
    sent_at = machine.leases.look(machine.instance_id).stop_sent_at
    state = machine.look().state if sent_at else None
    overdue = sent_at is not None and now - sent_at > STOP_AGAIN_S
    if state is None or (state is InstanceState.RUNNING and overdue):
        state = _send_stop(machine, now)
    return state in _GONE and machine.leases.confirm_stopped(holder, machine.instance_id)


def is_patience_over(run: Run, *, now: float) -> bool:
    """Whether a stop that is refused, or takes for ever, may no longer delay the run's end state.

    Args:
        run: The run.
        now: Seconds since the epoch.
    """
    since = run.steps.release_instance.started_at or now
    patience_s = min(STOP_PATIENCE_S, run.deadline_at - run.created_at)
    return now > max(run.deadline_at, since + patience_s)


def end(run: Run, runs: RunLedger, *, released: StepState) -> None:
    """Moves the run into the end state of its outcome.

    Args:
        run: The run.
        runs: The ledger of runs.
        released: `succeeded`, or `skipped` when there is no instance.
    """
    if runs.end(run, released=released):
        log.info("Run ended", extra=run.log_context() | {"state": run.outcome})


def end_unstopped(run: Run, machine: Machine, runs: RunLedger, error: CurationError) -> None:
    """Ends a run whose instance could not be stopped; the reaper goes on with the stop.

    Args:
        run: The run.
        machine: The instance.
        runs: The ledger of runs.
        error: EC2's last refusal.
    """
    machine.leases.forsake_stop(run.run_id, machine.instance_id)
    message = (
        f"Instance {machine.instance_id} could not be stopped and may still run: {error.message}"
    )
    code = "ec2:stop"
    if run.error:
        message, code = f"{run.error.message} {message}", run.error.code
    log.error("Run ended, instance not stopped: %s", error.message, extra=run.log_context())
    failure = RunError(code=code, message=message, step=StepName.RELEASE_INSTANCE)
    runs.end(run, released=StepState.FAILED, state=RunState.FAILED, error=failure)


def _send_stop(machine: Machine, now: float) -> InstanceState:
    """Sends StopInstances. What EC2 refuses may have happened all the same: by the watchdog."""
    try:
        state = machine.instances.stop(machine.instance_id)
    except CurationError:
        started_at = machine.leases.look(machine.instance_id).started_at or 0.0
        # Until then `stopped` may be EC2's lag behind a start.
        if now - started_at <= START_LAG_S or machine.look().state not in _GONE:
            raise
        log.warning("Stop refused, but the instance is stopped", exc_info=True)
        return InstanceState.STOPPED
    machine.leases.record_stop(machine.instance_id)
    machine.leases.observe(machine.instance_id, state)
    return state


def _cancel_launch(run: Run, machine: Machine, command_id: str) -> None:
    """Cancels the launch if it is still going, so that SSM brings it to no later boot.

    After the stop and once: an SSM that hangs must not keep the instance on.
    """
    try:
        machine.shell.cancel(machine.instance_id, command_id)
    except CurationError as error:
        log.warning("Launch could not be canceled: %s", error, extra=run.log_context())
