"""What a run takes over from the ended one that it resumes: all that need not be done again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from curation.ledger.records import selection_fields
from curation.states import Outcome, RunState, StepName, StepState

if TYPE_CHECKING:
    from curation.models import Run


def adopted_steps(ended: Run) -> list[StepName]:
    """Returns the steps of an ended run that a run which resumes it need not do again.

    The ingest if its video is still in the bucket, which the new run's own ingest step looks at.
    The selection only when its results are complete, and the run failed afterwards, because its
    instance could not be stopped. Any other selection run was canceled with its run.
    """
    if ended.outcome is Outcome.COMPLETED:
        return [StepName.INGEST_VIDEO, StepName.START_INSTANCE, StepName.RUN_SELECTION]
    return [StepName.INGEST_VIDEO] if ended.video else []


def adopted_fields(ended: Run | None) -> dict[str, str | int]:
    """Returns the fields that a new run begins with because of the one it resumes, if any."""
    if ended is None:
        return {}
    fields: dict[str, str | int] = {}
    if ended.video:
        fields["video"] = ended.video.model_dump_json()
    if ended.outcome is Outcome.COMPLETED:
        fields |= {f"{name}.state": StepState.SKIPPED for name in adopted_steps(ended)}
        # All that is left is to give the instance back.
        fields |= selection_fields(**ended.selection.model_dump(exclude={"backend"}))
        fields |= {"outcome": Outcome.COMPLETED, "state": RunState.FINISHING}
        if ended.instance:
            fields["instance_id"] = ended.instance.instance_id
    return fields | {"resumed_from": ended.run_id}
