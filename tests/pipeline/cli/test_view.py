from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest
from rich.console import Console

from curation.ledger.steps import Turn
from curation.models import RunError
from curation.states import InstanceState, Outcome, StepName, StepState
from pipeline.cli import watch
from pipeline.cli.table import runs_view
from pipeline.cli.view import RunView
from tests.support.cli import end, new_run

if TYPE_CHECKING:
    from rich.console import RenderableType

    from curation.ledger.ledger import Ledger

WIDTHS = [40, 60, 61, 80, 120, 240]


@pytest.mark.parametrize("width", WIDTHS)
def test_run_view__fits_the_terminal(width: int, ledger: Ledger) -> None:
    """At every width all is there: no line is longer, and no word is cut."""
    run_id = waiting_run(ledger, problem="EC2 has no capacity. " * 9)
    ledger.runs.decide(run_id, Outcome.FAILED, RunError(code="ec2:capacity", message="word " * 50))

    text = drawn(RunView(watch.look_at(run_id)), width)

    assert max(len(line.rstrip()) for line in text.splitlines()) <= width
    assert "…" not in text
    assert [step for step in StepName if step not in text] == []
    assert text.count("word") == 50


@pytest.mark.parametrize("width", WIDTHS)
def test_runs_view__fits_the_terminal(width: int, ledger: Ledger) -> None:
    """A narrow table has fewer columns, never cut ones."""
    for _ in range(3):
        end(ledger, new_run(ledger, source="/videos/" + 9 * "long-"), Outcome.FAILED)
    runs = ledger.runs.newest(9)

    text = drawn(runs_view(runs, now=ledger.store.now(), width=width), width)

    assert len(text.splitlines()) == 4
    assert [run.name for run in runs if run.name not in text] == []
    assert "…" not in text


def test_run_view__says_what_a_step_waits_for(ledger: Ledger) -> None:
    """A waiting step tells what for, what its last try met, and when it looks again."""
    run_id = waiting_run(ledger, problem="EC2 has no capacity.", due_s=90.0)
    instance_id = "i-0123456789abcdef0"
    ledger.leases.acquire(run_id, instance_id)
    ledger.leases.observe(instance_id, InstanceState.PENDING)

    text = drawn(RunView(watch.look_at(run_id)), 120)

    assert "try 1: EC2 has no capacity." in text
    assert "try 2, the instance is starting, looks again in 1 min " in text


def test_run_view__draws_when_each_step_was_at_work(ledger: Ledger) -> None:
    """A bar begins where its step began, so what comes later stands further right."""
    run_id = new_run(ledger)
    look = watch.look_at(run_id)
    steps = {
        "ingest_video": span(look.now, 0.0, 5.0),
        "start_instance": span(look.now, 5.0, 10.0),
        "run_selection": span(look.now, 10.0, 20.0),
    }
    run = type(look.run).model_validate(
        look.run.model_dump() | {"created_at": look.now, "steps": steps}
    )

    text = drawn(RunView(watch.Look(run, None, look.now + 20.0)), 120)

    bars = [line[47:].rstrip() for line in text.splitlines()[1:4]]
    assert bars == [15 * "━", 15 * " " + 15 * "━", 30 * " " + 30 * "━"]


def test_run_view__a_step_that_was_given_up_ends_with_its_run(ledger: Ledger) -> None:
    """Its time stands still, however much later somebody looks."""
    run_id = waiting_run(ledger, problem="")
    end(ledger, run_id, Outcome.COMPLETED)
    look = watch.look_at(run_id)

    now, later = (
        drawn(RunView(watch.Look(look.run, None, look.now + seconds)), 120)
        for seconds in (0.0, 3600.0)
    )

    assert "start_instance    canceled" in later
    assert now == later


def span(start: float, begin_s: float, end_s: float) -> dict[str, object]:
    """A step that was at work for a while."""
    return {
        "state": StepState.SUCCEEDED,
        "started_at": start + begin_s,
        "ended_at": start + end_s,
    }


def waiting_run(ledger: Ledger, *, problem: str, due_s: float = 30.0) -> str:
    """Writes a run whose instance is not there yet."""
    run_id = new_run(ledger)
    turn = Turn(run_id, StepName.START_INSTANCE, owner="a", number=0)
    ledger.steps.begin(turn, implies=None, after_outcome=False)
    ledger.steps.leave(turn, StepState.WAITING, next_number=1, due_s=due_s, problem=problem)
    return run_id


def drawn(view: RenderableType, width: int) -> str:
    """Returns what a terminal of that width would show."""
    console = Console(file=io.StringIO(), width=width)
    console.print(view)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()
