"""The reaper of runs and uploads: sends silent runs on, and removes what ended ones have left."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from curation.errors import CurationError
from curation.states import Outcome, StepName, StepState
from curation.steps.clear import clear_upload
from curation.steps.deadline import deadline_error, is_over

if TYPE_CHECKING:
    from collections.abc import Callable

    from curation.ledger.hosted import HostedLedger
    from curation.ledger.runs import RunLedger
    from curation.ledger.uploads import UploadLedger
    from curation.models import Run
    from curation.ports import Objects, Uploads

log = logging.getLogger(__name__)

# A process that stood still in the middle of a call is not waited for any longer.
LATE_CALL_S = 3600.0


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
                # What is left of its time is for the stop; no silence is waited for.
                _send_on(runs.get(run.run_id), send)
                done.append(f"overdue {run.run_id}")
            elif revive(run.run_id, runs, silent_s=silent_s, send=send):
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


def reap_selections(
    hosted: HostedLedger, runs: RunLedger, *, now: float, cancel: Callable[[Run], None]
) -> list[str]:
    """Cancels selection runs that came too late for their run, which has ended.

    While a run goes on, each of its looks does that.

    Args:
        hosted: The ledger of runs on the hosted service.
        runs: The ledger of runs.
        now: Seconds since the epoch.
        cancel: Cancels what is scheduled for a run.

    Returns:
        `selection` and run id for each run that was looked at.
    """
    done: list[str] = []
    for run_id, called_at in hosted.called().items():
        if not runs.is_over(run_id):
            continue
        if now - called_at > LATE_CALL_S or not hosted.get(run_id).may_have_more:
            hosted.forget_calls(run_id)
            continue
        try:
            cancel(runs.get(run_id))
            done.append(f"selection {run_id}")
        except CurationError as error:
            facts = {"run_id": run_id}
            log.warning("Selection run could not be canceled: %s", error.message, extra=facts)
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
    log.warning("Run was silent", extra=run.log_context())
    _send_on(run, send)
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


def _send_on(run: Run, send: Callable[[Run, StepName], None]) -> None:
    for step in next_steps(run):
        log.info("Step sent again", extra=run.log_context() | {"step": step})
        send(run, step)
