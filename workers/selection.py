"""Queue `selection`: schedules the selection run and looks at it until it has ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

from celery import shared_task

from curation.states import RunState, StepName
from curation.steps import select
from workers.base import StepTask

if TYPE_CHECKING:
    from curation.steps.verdict import Verdict
    from workers.base import Delivery


@shared_task(
    bind=True,
    base=StepTask,
    name="selection.run_selection",
    step=StepName.RUN_SELECTION,
    implies=RunState.SELECTING,
    after_outcome=True,
    interval="poll_interval_s",
)
def run_selection(self: StepTask, run_id: str) -> None:
    """Schedules the selection run, then looks once per delivery until it has ended.

    Twice is safe: the scheduled run id is in the ledger, and the backend finds its run again.
    """
    self.perform(run_id, _look)


def _look(delivery: Delivery) -> Verdict:
    here, run = delivery.wiring, delivery.run
    return select.run_selection(
        run,
        backend=here.backend(run.request.selection_backend),
        runs=here.ledger.runs,
        machine=here.machine,
    )
