"""The reaper: closes what was left behind, taking its list of instances from EC2."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Literal

from curation.errors import CurationError
from curation.ledger.leases import Release
from curation.states import Outcome, StepName, StepState
from curation.steps.clear import clear_upload
from curation.steps.deadline import deadline_error, is_over
from curation.steps.finish import stop

if TYPE_CHECKING:
    from collections.abc import Callable

    from curation.ledger.leases import LeaseLedger
    from curation.ledger.runs import RunLedger
    from curation.ledger.uploads import UploadLedger
    from curation.models import Run
    from curation.ports import InstanceView, Objects, Uploads
    from curation.steps.instance import Machine

log = logging.getLogger(__name__)

REAPER = "reaper"
# A tag with a time (seconds since the epoch) until which nobody may stop the instance: people
# install things over SSH.
KEEP_TAG = "curation:keep-until"


def reap_instance(machine: Machine, *, now: float, mark_s: float, boot_grace_s: float) -> str:
    """Stops an instance that runs although no run holds it.

    Two phases: what is unheld is marked, and stopped only if a later round finds it still so.

    Args:
        machine: The instance.
        now: Seconds since the epoch.
        mark_s: Seconds for which it must have been marked.
        boot_grace_s: Seconds after boot for which an instance that no run used is left alone.

    Returns:
        What was found or done: `off`, `held`, `kept`, `marked`, `stopping` or `stopped`.
    """
    view = machine.look()
    leases = machine.leases
    if not view.state.is_billed:
        leases.confirm_stopped(REAPER, machine.instance_id)
        return "off"
    hold = hold_on(view, leases, now=now, boot_grace_s=boot_grace_s)
    marked_for_s = leases.mark_unheld(machine.instance_id, unheld=not hold)
    if hold:
        return hold
    if marked_for_s < mark_s:
        return "marked"
    released = leases.release(REAPER, machine.instance_id, unused_too=True)
    if released is not Release.STOP:
        return "held"
    log.warning(
        "Instance that nobody holds is being stopped", extra={"instance_id": view.instance_id}
    )
    return "stopped" if stop(machine, holder=REAPER, now=now) else "stopping"


def hold_on(
    view: InstanceView, leases: LeaseLedger, *, now: float, boot_grace_s: float
) -> Literal["held", "kept", ""]:
    """Returns why a running instance is to be left alone, or an empty string.

    Args:
        view: The instance.
        leases: Who holds it.
        now: Seconds since the epoch.
        boot_grace_s: Seconds after boot for which an instance that no run used is left alone.

    Returns:
        `held` by a run, or for one that will soon ask for it; or `kept` by a person.
    """
    claims = leases.holders(view.instance_id) | leases.expected(view.instance_id)
    if any(until > now for until in claims.values()):
        return "held"
    is_new = now - view.launched_at < boot_grace_s and not leases.look(view.instance_id).in_use
    return "kept" if is_new or float(view.tags.get(KEEP_TAG, "0")) > now else ""


def reap_runs(
    runs: RunLedger,
    *,
    now: float,
    silent_s: float,
    send: Callable[[Run, StepName], None],
) -> list[str]:
    """Fails runs whose deadline is over, and sends the message of silent ones again.

    One run's error does not stop the others.

    Args:
        runs: The ledger of runs.
        now: Seconds since the epoch.
        silent_s: Seconds without a sign of life before a message is sent again.
        send: Sends the message of a step.

    Returns:
        One word and run id for each run that something was done about.
    """
    done: list[str] = []
    for run in runs.active():
        try:
            if is_over(run, now=now) and runs.decide(
                run.run_id, Outcome.FAILED, deadline_error(run)
            ):
                done.append(f"overdue {run.run_id}")
            if revive(run.run_id, runs, silent_s=silent_s, send=send):
                done.append(f"revived {run.run_id}")
        except CurationError:
            log.exception("Run could not be reaped", extra=run.log_context())
    return done


def reap_uploads(
    ledger: UploadLedger, runs: RunLedger, *, uploads: Uploads, objects: Objects
) -> list[str]:
    """Removes what is left in the bucket of uploads whose run has ended.

    One upload's error does not stop the others.

    Args:
        ledger: The ledger of uploads.
        runs: The ledger of runs.
        uploads: The bucket.
        objects: The bucket.

    Returns:
        One word and run id for each upload that was removed.
    """
    done: list[str] = []
    for run_id in ledger.unfinished():
        if not runs.is_over(run_id):
            continue
        try:
            clear_upload(run_id, uploads=uploads, objects=objects, ledger=ledger)
            done.append(f"cleared {run_id}")
        except CurationError:
            log.exception("Upload could not be removed", extra={"run_id": run_id})
    return done


def revive(
    run_id: str,
    runs: RunLedger,
    *,
    silent_s: float,
    send: Callable[[Run, StepName], None],
) -> bool:
    """Sends the messages that a silent run needs to go on; False if it gives signs of life.

    A copy of a message that is still alive does no harm: the ledger lets only one go on.
    """
    if not runs.claim_revival(run_id, silent_s=silent_s):
        return False
    run = runs.get(run_id)
    for step in next_steps(run):
        log.warning("Step sent again: its run was silent", extra=run.log_context() | {"step": step})
        send(run, step)
    return True


def next_steps(run: Run) -> list[StepName]:
    """Returns the steps whose messages a run needs to go on from where it is."""
    selection = run.steps.run_selection.state
    if run.state.is_end:
        return []
    if run.outcome:
        open_selection = selection in (StepState.RUNNING, StepState.WAITING)
        return [StepName.RUN_SELECTION if open_selection else StepName.RELEASE_INSTANCE]
    header = (StepName.INGEST_VIDEO, StepName.START_INSTANCE)
    return [step for step in header if not run.steps.get(step).state.is_done] or [
        StepName.RUN_SELECTION
    ]
