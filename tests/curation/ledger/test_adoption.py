from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from curation.ledger.adoption import adopted_steps
from curation.models import RunError, Video
from curation.states import Outcome, RunState, StepName, StepState
from curation.steps.reap import next_steps
from tests.support.requests import REQUEST, new_run

if TYPE_CHECKING:
    from curation.ledger.ledger import Ledger
    from curation.models import Run

VIDEO = Video(uri="s3://in/clip.mp4", size_bytes=1, sha256="0", source_url="/clip.mp4")
UNSTOPPED = RunError(code="ec2:stop", message="EC2 refused.", step=StepName.RELEASE_INSTANCE)


def ended(ledger: Ledger, outcome: Outcome, *, has_video: bool = True) -> Run:
    """A run that has ended failed or canceled."""
    run_id = new_run(ledger)
    if has_video:
        ledger.runs.record_video(run_id, VIDEO)
    ledger.leases.acquire(run_id, "i-0123456789abcdef0")
    ledger.runs.record_selection(run_id, scheduled_run_id="s-1", state="COMPLETED", n_selected=3)
    ledger.runs.decide(run_id, outcome)
    state = RunState.FAILED if outcome is Outcome.COMPLETED else None
    run = ledger.runs.get(run_id)
    ledger.runs.end(run, released=StepState.FAILED, state=state, error=UNSTOPPED)
    return ledger.runs.get(run_id)


def resumed(ledger: Ledger, run: Run) -> Run:
    """The run that resumes it."""
    run_id, _ = ledger.runs.create(REQUEST, deadline_s=60, resumed_from=run)
    return ledger.runs.get(run_id)


@pytest.mark.parametrize("outcome", [Outcome.FAILED, Outcome.CANCELED])
def test_adopted__the_video_of_a_run_that_did_not_come_to_its_end(
    ledger: Ledger, outcome: Outcome
) -> None:
    """The verified object is looked at again; the selection run was canceled with its run."""
    run = resumed(ledger, ended(ledger, outcome))

    assert (run.video, run.steps.ingest_video.state) == (VIDEO, StepState.PENDING)
    assert (run.state, run.outcome) == (RunState.PENDING, None)
    assert run.selection.scheduled_run_id is None
    assert next_steps(run) == [StepName.INGEST_VIDEO, StepName.START_INSTANCE]


def test_adopted__nothing_of_a_run_without_a_video(ledger: Ledger) -> None:
    """A run that failed at its first step is done again from there."""
    failed = ended(ledger, Outcome.FAILED, has_video=False)

    assert adopted_steps(failed) == []
    assert next_steps(resumed(ledger, failed)) == [StepName.INGEST_VIDEO, StepName.START_INSTANCE]


def test_adopted__a_selection_that_was_complete(ledger: Ledger) -> None:
    """What failed after its selection, because EC2 did not stop, needs nothing but the stop."""
    failed = ended(ledger, Outcome.COMPLETED)
    run = resumed(ledger, failed)

    assert (failed.state, run.state, run.outcome) == (
        RunState.FAILED,
        RunState.FINISHING,
        Outcome.COMPLETED,
    )
    assert (run.selection, run.instance) == (failed.selection, failed.instance)
    assert next_steps(run) == [StepName.RELEASE_INSTANCE]
    assert run.error is None
