"""Messages that are sent outside a run's chord: for a run that went silent, or was canceled."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from celery import chain, current_app

from curation.states import StepName
from workers.base import wiring

if TYPE_CHECKING:
    from celery.canvas import Signature

    from curation.models import Run

_TASKS = {
    StepName.INGEST_VIDEO: "ingest.ingest_video",
    StepName.START_INSTANCE: "compute.start_instance",
    StepName.RUN_SELECTION: "selection.run_selection",
    StepName.RELEASE_INSTANCE: "compute.release_instance",
}


def send_step(run: Run, step: StepName) -> None:
    """Sends a step's message, numbered so that the ledger lets it in and drops older copies.

    What follows the step in the canvas follows it here too; a copy that the chord sends later
    finds its work done.

    Args:
        run: The run.
        step: The step that it needs to go on.
    """
    message = _message(run.run_id, step)
    if step in (StepName.INGEST_VIDEO, StepName.START_INSTANCE):
        message.link(_selection(run.run_id))
    if step is StepName.RUN_SELECTION:
        message = _selection(run.run_id)
    message.apply_async(retries=wiring().ledger.steps.number(run.run_id, step))


def _selection(run_id: str) -> Signature[Any]:
    message = _message(run_id, StepName.RUN_SELECTION)
    release = _message(run_id, StepName.RELEASE_INSTANCE)
    message.link(release)
    fail_run = current_app.signature("reaper.fail_run", args=(run_id,), immutable=True)
    message.link_error(chain(fail_run, release))
    return message


def _message(run_id: str, step: StepName) -> Signature[Any]:
    return current_app.signature(_TASKS[step], args=(run_id,), immutable=True)
