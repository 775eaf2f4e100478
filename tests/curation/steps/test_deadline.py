from __future__ import annotations

import re

import pytest

from curation.models import Request, Run, Selection, Step, Steps
from curation.states import Backend, RunState, StepState
from curation.steps.deadline import deadline_error


def run_with(state: str | None, backend: Backend) -> Run:
    """Returns a run that waits for its selection run."""
    return Run(
        schema_version=1,
        run_id="20270115-080000-0123456789",
        state=RunState.SELECTING,
        created_at=0.0,
        updated_at=0.0,
        deadline_at=60.0,
        request=Request(source="/videos", proportion_samples=0.1, selection_backend=backend),
        steps=Steps(run_selection=Step(state=StepState.WAITING)),
        selection=Selection(backend=backend, state=state),
    )


@pytest.mark.parametrize(
    ("backend", "what"),
    [(Backend.LIGHTLY, "Lightly Worker.*LIGHTLY_RUNS_ON"), (Backend.ENGINE, "Celery worker")],
)
def test_deadline_error__nobody_took_the_selection_run(backend: Backend, what: str) -> None:
    """A selection run that stays OPEN failed for want of a worker, and the message says so."""
    error = deadline_error(run_with("OPEN", backend))

    assert error.code == "run:deadline"
    assert "(selection run OPEN). No " in error.message
    assert re.search(what, error.message)
    assert "SCRIPT_PATH" in error.message


@pytest.mark.parametrize("state", [None, "EMBEDDING"])
def test_deadline_error__otherwise(state: str | None) -> None:
    """A selection run that somebody works on did not fail for want of a worker."""
    error = deadline_error(run_with(state, Backend.LIGHTLY))

    assert "took the selection run" not in error.message
    assert "waiting for run_selection" in error.message
