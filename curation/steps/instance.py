"""Step `start_instance`: lease, start, wait for the SSM agent of this boot, launch the worker."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from curation.errors import CurationError, OperatorError, RunEnded
from curation.ledger.leases import Lease, Release
from curation.states import InstanceState
from curation.steps.verdict import LOOK_AGAIN, SUCCEEDED, Verdict
from curation.steps.watch import renew_on_instance, tag_lease

if TYPE_CHECKING:
    from curation.ledger.leases import LeaseLedger
    from curation.models import Run
    from curation.ports import Instances, InstanceView, Shell

log = logging.getLogger(__name__)

# The agent registers within a minute or two of the boot; AWS's own advice is to wait 10 minutes.
AGENT_TIMEOUT_S = 600.0
# A launch that SSM does not know after this time is lost (SendCommand is eventually consistent).
LAUNCH_UNKNOWN_S = 60.0
# A launch that still runs after this time did not fail at once: its script stays in the foreground.
LAUNCH_SETTLED_S = 15.0
OFFLINE_ADVICE = (
    "Check that the agent is installed, that the instance profile has "
    "AmazonSSMManagedInstanceCore, and that port 443 is open to the outside."
)


@dataclass(frozen=True)
class Machine:
    """The instance and everything that speaks to it or keeps account of it."""

    instance_id: str
    instances: Instances
    shell: Shell
    leases: LeaseLedger

    def look(self) -> InstanceView:
        """Asks EC2, and notes the answer."""
        view = self.instances.describe(self.instance_id)
        self.leases.observe(self.instance_id, view.state)
        return view


def start_instance(run: Run, machine: Machine, *, now: float) -> Verdict:
    """Does one delivery's work towards a running instance with a launched worker.

    Args:
        run: The run that needs it.
        machine: The instance.
        now: Seconds since the epoch.

    Raises:
        RunEnded: If the run got its outcome meanwhile; what was started is stopped again.
        OperatorError: If the instance cannot be used as it is.
        TransientError: If AWS could not answer.
    """
    lease = machine.leases.acquire(run.run_id, machine.instance_id)
    if lease is Lease.ENDED:
        raise RunEnded(f"Run {run.run_id} has its outcome; no lease is granted any more.")
    if lease is Lease.STOPPING:
        return LOOK_AGAIN
    view = machine.look()
    if view.state in (InstanceState.TERMINATED, InstanceState.SHUTTING_DOWN):
        raise OperatorError(
            f"Instance {machine.instance_id} is {view.state.value} and can never run again. "
            "Create another one and set EC2_INSTANCE_ID to its id.",
            code="ec2:terminated",
        )
    if view.state is InstanceState.STOPPED:
        _start(run, machine)
    if view.state is not InstanceState.RUNNING:
        return LOOK_AGAIN
    tag_lease(run.run_id, machine)
    if not machine.shell.is_online(machine.instance_id, since=view.launched_at):
        _check_agent_patience(run, machine, now)
        return LOOK_AGAIN
    # Before the launch: what is launched must not run unwatched.
    renew_on_instance(run.run_id, machine, boot=view.launched_at)
    return _launch(run, machine, boot=view.launched_at, now=now)


def _start(run: Run, machine: Machine) -> None:
    if not machine.leases.claim_start(run.run_id, machine.instance_id):
        return  # another run has sent it a moment ago; EC2 may still show the old state
    # First of all, so that whatever follows, the instance never runs without it.
    tag_lease(run.run_id, machine, at_once=True)
    try:
        state = machine.instances.start(machine.instance_id)
    except CurationError:
        machine.leases.forget_start(machine.instance_id)
        raise
    machine.leases.record_start(machine.instance_id)
    machine.leases.observe(machine.instance_id, state)
    log.info("Instance started", extra=run.log_context())
    # Fencing: while StartInstances was under way the run may have ended and its lease been given
    # back. Then nobody will stop what was just started, unless we do.
    if machine.leases.renew(run.run_id, machine.instance_id) is not Lease.HELD:
        _undo_start(run, machine)
        raise RunEnded(f"Run {run.run_id} ended while its instance was being started.")


def _undo_start(run: Run, machine: Machine) -> None:
    released = machine.leases.release(run.run_id, machine.instance_id, unused_too=True)
    if released is Release.STOP:
        log.warning("Instance stopped again: its run had ended", extra=run.log_context())
        try:
            state = machine.instances.stop(machine.instance_id)
        except CurationError:
            # EC2 stops nothing that is still booting, and no later delivery comes back to this.
            machine.leases.forsake_stop(run.run_id, machine.instance_id)
            return
        machine.leases.record_stop(machine.instance_id)
        machine.leases.observe(machine.instance_id, state)


def _check_agent_patience(run: Run, machine: Machine, now: float) -> None:
    since = max(
        run.steps.start_instance.started_at or now,
        machine.leases.look(machine.instance_id).started_at or 0.0,
    )
    if now - since > AGENT_TIMEOUT_S:
        raise OperatorError(
            f"The SSM agent of {machine.instance_id} has not come online within "
            f"{AGENT_TIMEOUT_S:g} s. {OFFLINE_ADVICE}",
            code="ssm:agent-offline",
        )


def _launch(run: Run, machine: Machine, *, boot: float, now: float) -> Verdict:
    answer, command_id = machine.leases.claim_launch(run.run_id, machine.instance_id, boot)
    if answer == "sent":
        return _check_launch(machine, command_id, now)
    if answer != "busy":
        machine.leases.record_launch(
            machine.instance_id, _send_launch(machine, boot, unsure=answer == "unsure")
        )
    return LOOK_AGAIN


def _send_launch(machine: Machine, boot: float, *, unsure: bool) -> str:
    """Sends the launch, or finds the one whose answer was lost."""
    try:
        found = machine.shell.find_launch(machine.instance_id, boot=boot) if unsure else None
        return found or machine.shell.launch(machine.instance_id, boot=boot)
    except BaseException:  # a time limit too, which raises in the middle of the call
        machine.leases.doubt_launch(machine.instance_id)
        raise


def _check_launch(machine: Machine, command_id: str, now: float) -> Verdict:
    age_s = now - (machine.leases.look(machine.instance_id).launched_at or now)
    invocation = machine.shell.invocation(machine.instance_id, command_id)
    if invocation is None:
        if age_s > LAUNCH_UNKNOWN_S:
            machine.leases.forget_launch(machine.instance_id)
        return LOOK_AGAIN
    if invocation.succeeded:
        return SUCCEEDED
    if invocation.is_end:
        machine.leases.forget_launch(machine.instance_id)
        raise OperatorError(
            f"The launch command {command_id} on {machine.instance_id} ended "
            f"{invocation.status}: {invocation.detail} Check SCRIPT_PATH and the script there.",
            code="ssm:launch-failed",
        )
    return SUCCEEDED if age_s > LAUNCH_SETTLED_S else LOOK_AGAIN
