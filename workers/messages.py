"""Messages outside a run's chord: for a run that went silent or was canceled, and for people."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from celery import chain, current_app
from kombu.exceptions import OperationalError

from curation.errors import CurationError
from curation.states import Event, RunState, StepName, StepState
from workers.base import wiring

if TYPE_CHECKING:
    from celery.canvas import Signature

    from curation.models import Run

log = logging.getLogger(__name__)

# A message to people that nobody took for so long is of no use any more.
_NEWS_S = 86_400.0
_EVENT_OF = {
    RunState.COMPLETED: Event.COMPLETED,
    RunState.FAILED: Event.FAILED,
    RunState.CANCELED: Event.CANCELED,
}
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


def send_notice(event: Event, subject: str, detail: str = "", *, once: str = "") -> None:
    """Asks for a message to people, if they want one of this kind. It never raises.

    Args:
        event: Its kind.
        subject: Run id, instance id, or the month of a budget.
        detail: A sentence with the facts, where there is no run to tell them.
        once: What one message is sent about; without it, the subject.
    """
    here = wiring()
    try:
        wanted = event in here.settings.notify.events
        if wanted and here.ledger.notices.claim(event, once or subject):
            task = current_app.signature("reports.notify", args=(event, subject, detail))
            task.apply_async(expires=_NEWS_S, retry=False)
    except (CurationError, OperationalError) as error:
        log.warning("No message is sent: %s", error, extra={"event": event, "subject": subject})


def send_end_notice(run_id: str) -> None:
    """Asks for a message about the end of a run. It never raises."""
    here = wiring()
    try:
        run = here.ledger.runs.get(run_id)
        if not run.state.is_end:
            return
        is_on = run.steps.release_instance.state is StepState.FAILED
        stop_too = is_on and Event.STOP in here.settings.notify.events
    except CurationError as error:
        log.warning("No message is sent: %s", error, extra={"run_id": run_id})
        return
    # One message a run: that the instance may still run is the worse news, and has the other in it.
    send_notice(Event.STOP if stop_too else _EVENT_OF[run.state], run_id)


def _selection(run_id: str) -> Signature[Any]:
    message = _message(run_id, StepName.RUN_SELECTION)
    release = _message(run_id, StepName.RELEASE_INSTANCE)
    message.link(release)
    fail_run = current_app.signature("reaper.fail_run", args=(run_id,), immutable=True)
    message.link_error(chain(fail_run, release))
    return message


def _message(run_id: str, step: StepName) -> Signature[Any]:
    return current_app.signature(_TASKS[step], args=(run_id,), immutable=True)
