from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from curation.adapters.selection.queue import EngineQueue
from curation.errors import LeaseLost, RunEnded
from curation.states import Outcome, StepName, StepState
from curation.steps.select import abandon, run_selection
from tests.support.requests import new_run

if TYPE_CHECKING:
    from collections.abc import Callable

    from curation.ledger.ledger import Ledger
    from curation.models import Run
    from curation.steps.instance import Machine
    from tests.support.clock import Clock

BOTH = (StepName.INGEST_VIDEO, StepName.START_INSTANCE)


def prepared(ledger: Ledger) -> str:
    """A run whose video is there and whose instance has a worker."""
    run_id = new_run(ledger)
    ledger.runs.update(run_id, **{f"{step}.state": StepState.SUCCEEDED for step in BOTH})
    return run_id


def engine(ledger: Ledger, *, then: Callable[[], object] = list) -> EngineQueue:
    """The engine's queue; something happens as soon as a message is sent."""

    def send(_: str) -> None:
        then()

    return EngineQueue(ledger.engine, ledger.store, send=send, silent_s=60)


def look(ledger: Ledger, run_id: str, backend: EngineQueue, machine: Machine | None = None) -> Run:
    """One look; returns the run."""
    run = ledger.runs.get(run_id)
    run_selection(run, backend=backend, runs=ledger.runs, machine=machine)
    return ledger.runs.get(run_id)


def test_run_selection__canceled__notes_what_became_of_the_selection_run(ledger: Ledger) -> None:
    """A canceled run shows its selection run as the backend shows it after the cancel."""
    run_id, backend = prepared(ledger), engine(ledger)
    before = look(ledger, run_id, backend).selection.state
    ledger.runs.decide(run_id, Outcome.CANCELED)

    with pytest.raises(RunEnded):
        look(ledger, run_id, backend)

    assert (before, ledger.runs.get(run_id).selection.state) == ("OPEN", "CANCELED")


def test_run_selection__canceled_while_it_is_scheduled(ledger: Ledger) -> None:
    """A selection run whose run was canceled meanwhile is canceled as soon as it is scheduled."""
    run_id = prepared(ledger)
    backend = engine(ledger, then=lambda: ledger.runs.decide(run_id, Outcome.CANCELED))

    with pytest.raises(RunEnded):
        look(ledger, run_id, backend)

    task = ledger.engine.get(run_id)
    assert task is not None
    assert task.is_end
    assert ledger.runs.get(run_id).selection.state == "CANCELED"


def test_abandon__schedules_nothing(ledger: Ledger) -> None:
    """A run that was canceled before it had a selection run gets none by the look at it."""
    run_id = prepared(ledger)

    abandon(ledger.runs.get(run_id), backend=engine(ledger), runs=ledger.runs)

    assert ledger.engine.get(run_id) is None


def test_run_selection__a_lost_lease_ends_the_work(
    ledger: Ledger, machine: Machine, clock: Clock
) -> None:
    """A run whose lease was taken away neither looks nor renews, and says how to go on."""
    run_id = prepared(ledger)
    ledger.leases.acquire(run_id, machine.instance_id)
    clock.forward(101)
    ledger.leases.release("reaper", machine.instance_id)

    with pytest.raises(LeaseLost, match="curate resume") as caught:
        look(ledger, run_id, engine(ledger), machine)

    assert caught.value.code == "lease:lost"
    assert ledger.engine.get(run_id) is None
