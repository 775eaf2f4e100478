"""Queue `selection`: schedules the selection run and looks at it until it has ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

from celery import shared_task

from curation.states import Outcome, RunState, StepName
from curation.steps import select
from workers.base import StepTask, wiring

if TYPE_CHECKING:
    from curation.steps.verdict import Verdict
    from workers.base import Delivery


class SelectionTask(StepTask):
    """A step that has somebody else at work when it does not come to its end."""

    abstract = True

    def give_up(self, run_id: str) -> None:
        """Cancels the selection run, so that no later boot takes it."""
        here = wiring()
        run = here.ledger.runs.get(run_id)
        if run.outcome is not Outcome.COMPLETED:
            select.abandon(
                run,
                backend=here.backend(run.request.selection_backend),
                runs=here.ledger.runs,
            )


@shared_task(
    bind=True,
    base=SelectionTask,
    name="selection.run_selection",
    step=StepName.RUN_SELECTION,
    implies=RunState.SELECTING,
    after_outcome=True,
    interval="poll_interval_s",
)
def run_selection(self: SelectionTask, run_id: str) -> None:
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
