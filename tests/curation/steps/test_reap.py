from __future__ import annotations

from typing import TYPE_CHECKING

from curation.states import Outcome, RunState, StepName, StepState
from curation.steps.reap import next_steps, reap_runs
from tests.support.requests import new_run

if TYPE_CHECKING:
    from curation.ledger.ledger import Ledger
    from curation.models import Run
    from tests.support.clock import Clock


def sent_of(ledger: Ledger, clock: Clock) -> tuple[list[str], list[tuple[str, StepName]]]:
    """One round over all runs: what was done, and which messages were sent."""
    sent: list[tuple[str, StepName]] = []

    def send(run: Run, step: StepName) -> None:
        sent.append((run.run_id, step))

    done = reap_runs(ledger.runs, now=clock.now, silent_s=10, send=send)
    return done, sent


def test_reap_runs__fails_what_is_overdue_and_sends_it_on(ledger: Ledger, clock: Clock) -> None:
    """A run past its deadline is failed, and its release is sent at once: its time is short."""
    run_id = new_run(ledger, deadline_s=100)
    clock.forward(95)
    overdue, sent = sent_of(ledger, clock)

    run = ledger.runs.get(run_id)
    assert overdue == [f"overdue {run_id}"]
    assert run.outcome is Outcome.FAILED
    assert run.error is not None
    assert run.error.code == "run:deadline"
    assert "RUN_DEADLINE_S (100 s)" in run.error.message
    assert sent == [(run_id, StepName.RELEASE_INSTANCE)]


def test_reap_runs__sends_a_silent_run_on(ledger: Ledger, clock: Clock) -> None:
    """A run without a sign of life gets the messages of its next steps again; a live one none."""
    run_id = new_run(ledger)
    clock.forward(5)
    quiet = sent_of(ledger, clock)
    clock.forward(5)
    _, sent = sent_of(ledger, clock)

    assert quiet == ([], [])
    assert sent == [(run_id, StepName.INGEST_VIDEO), (run_id, StepName.START_INSTANCE)]


def test_next_steps__follow_the_canvas(ledger: Ledger) -> None:
    """Wherever a run is, its next steps are those that the canvas would send."""
    run = ledger.runs.get(new_run(ledger))

    def at(**states: StepState) -> Run:
        steps = {
            name: run.steps.get(StepName(name)).model_copy(update={"state": state})
            for name, state in states.items()
        }
        return run.model_copy(update={"steps": run.steps.model_copy(update=steps)})

    prepared = at(ingest_video=StepState.SUCCEEDED, start_instance=StepState.SKIPPED)
    half = at(ingest_video=StepState.SUCCEEDED, start_instance=StepState.WAITING)
    looking = at(run_selection=StepState.WAITING).model_copy(update={"outcome": Outcome.CANCELED})
    failed = at().model_copy(update={"outcome": Outcome.FAILED})
    ended = at().model_copy(update={"state": RunState.COMPLETED})
    assert next_steps(prepared) == [StepName.RUN_SELECTION]
    assert next_steps(half) == [StepName.START_INSTANCE]
    assert next_steps(looking) == [StepName.RUN_SELECTION]
    assert next_steps(failed) == [StepName.RELEASE_INSTANCE]
    assert next_steps(ended) == []
