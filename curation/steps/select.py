"""Step `run_selection`: schedule once, then look once per delivery until it has ended."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from curation.errors import CurationError, LeaseLost, OperatorError, RunEnded, SelectionFailed
from curation.ledger.leases import Lease
from curation.states import Outcome
from curation.steps.verdict import LOOK_AGAIN, SUCCEEDED, Verdict
from curation.steps.watch import renew_on_instance, tag_lease

if TYPE_CHECKING:
    from curation.ledger.runs import RunLedger
    from curation.models import Run
    from curation.ports import SelectionBackend
    from curation.steps.instance import Machine

log = logging.getLogger(__name__)


def run_selection(
    run: Run, *, backend: SelectionBackend, runs: RunLedger, machine: Machine | None
) -> Verdict:
    """Does one look's work.

    Args:
        run: The run as the ledger has it now.
        backend: Who selects.
        runs: The ledger of runs.
        machine: The instance that the run holds, or None if this machine does the work.

    Raises:
        SelectionFailed: If the selection run ended badly.
        LeaseLost: If the run no longer holds the instance.
        RunEnded: If the run has its outcome; the selection run is canceled.
    """
    if run.outcome is Outcome.COMPLETED:
        return SUCCEEDED
    _honour_outcome(run, backend, runs)
    if not (run.steps.ingest_video.state.is_done and run.steps.start_instance.state.is_done):
        return LOOK_AGAIN
    if machine:
        _keep_instance(run, machine, runs)
    if run.selection.scheduled_run_id is None:
        runs.record_selection(run.run_id, scheduled_run_id=backend.schedule(run))
        run = runs.get(run.run_id)
        log.info("Selection run scheduled", extra=run.log_context())
        # It may have been canceled while it was being scheduled.
        _honour_outcome(run, backend, runs)
    return _look(run, backend, runs)


def abandon(run: Run, *, backend: SelectionBackend, runs: RunLedger) -> None:
    """Cancels the selection run, as well as that can be done now, and notes what became of it.

    The instance is stopped anyway, so a backend that does not answer must not hold that up.
    """
    try:
        backend.cancel(run)
        if run.selection.scheduled_run_id:
            runs.record_selection(run.run_id, state=backend.look(run).state)
    except CurationError as error:
        log.warning("Selection run could not be canceled: %s", error, extra=run.log_context())


def _honour_outcome(run: Run, backend: SelectionBackend, runs: RunLedger) -> None:
    if run.outcome:
        abandon(run, backend=backend, runs=runs)
        raise RunEnded(f"Run {run.run_id} is {run.outcome.value}; its selection run is canceled.")


def _look(run: Run, backend: SelectionBackend, runs: RunLedger) -> Verdict:
    look = backend.look(run)
    if look.state != run.selection.state:
        log.info(
            "Selection run changed state",
            extra=run.log_context() | {"state": look.state, "previous": run.selection.state},
        )
    runs.record_selection(
        run.run_id,
        state=look.state,
        n_frames=look.n_frames,
        n_selected=look.n_selected,
        filenames_uri=look.filenames_uri,
        report_uri=look.report_uri,
    )
    if not look.is_end:
        return LOOK_AGAIN
    if not look.succeeded:
        raise SelectionFailed(look.message, code=look.code)
    runs.decide(run.run_id, Outcome.COMPLETED)
    return SUCCEEDED


def _keep_instance(run: Run, machine: Machine, runs: RunLedger) -> None:
    """Renews the lease everywhere, and notices an instance that somebody else has stopped."""
    if machine.leases.renew(run.run_id, machine.instance_id) is Lease.LOST:
        raise LeaseLost(
            f"Run {run.run_id} lost its lease on {machine.instance_id}: it was not renewed within "
            "LEASE_TTL_S, and the instance was stopped. `curate resume` starts it again."
        )
    view = machine.look()
    if view.state.is_billed:
        runs.update(run.run_id, missed_looks=0)
        tag_lease(run.run_id, machine)
        renew_on_instance(run.run_id, machine, boot=view.launched_at)
        return
    # One such look may be EC2's lag; two in a row are not.
    if runs.count_missed_look(run.run_id) > 1:
        raise OperatorError(
            f"Instance {machine.instance_id} is {view.state.value} although run {run.run_id} "
            "holds it: somebody or something else stopped it. `curate resume` starts it again.",
            code="ec2:stopped-outside",
        )
