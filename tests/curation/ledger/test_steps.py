from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from curation.errors import RunEnded
from curation.ledger.steps import HOLD_S, Admission, Turn
from curation.states import Outcome, RunState, StepName, StepState
from tests.support.requests import new_run

if TYPE_CHECKING:
    from curation.ledger.ledger import Ledger
    from tests.support.clock import Clock

STEP = StepName.RUN_SELECTION


def begin(
    ledger: Ledger, run_id: str, owner: str, number: int = 0, *, after_outcome: bool = False
) -> tuple[Admission, float]:
    """Asks for the step as the delivery `owner`."""
    turn = Turn(run_id, STEP, owner=owner, number=number)
    return ledger.steps.begin(turn, implies=RunState.SELECTING, after_outcome=after_outcome)


def test_begin__lets_one_delivery_in_at_a_time(ledger: Ledger) -> None:
    """While one delivery works on a step, a copy is told how long to wait."""
    run_id = new_run(ledger)

    first, _ = begin(ledger, run_id, "a")
    second, wait_s = begin(ledger, run_id, "b")

    assert first is Admission.GO
    assert second is Admission.BUSY
    assert wait_s == pytest.approx(HOLD_S)
    run = ledger.runs.get(run_id)
    assert run.state is RunState.SELECTING
    assert run.steps.run_selection.state is StepState.RUNNING
    assert run.steps.run_selection.attempts == 1


def test_begin__takes_over_from_a_dead_delivery(ledger: Ledger, clock: Clock) -> None:
    """A delivery that does not renew its hold is taken for dead, and its death is counted."""
    run_id = new_run(ledger)
    begin(ledger, run_id, "a")
    clock.forward(HOLD_S + 1)

    admission, deaths = begin(ledger, run_id, "b")

    assert (admission, deaths) == (Admission.GO, 1.0)


def test_begin__does_not_wait_for_a_delivery_that_is_known_to_be_dead(ledger: Ledger) -> None:
    """The hold of a process that has died is over; that of another one is respected."""
    run_id = new_run(ledger)
    turn = Turn(run_id, STEP, owner="b", number=0)
    begin(ledger, run_id, "a")

    def ask(dead: str) -> tuple[Admission, float]:
        return ledger.steps.begin(
            turn, implies=None, after_outcome=False, is_dead=lambda owner: owner == dead
        )

    assert ask("c")[0] is Admission.BUSY
    assert ask("a") == (Admission.GO, 1.0)


def test_begin__drops_copies_of_earlier_messages(ledger: Ledger) -> None:
    """Once the next message is sent, a copy of an earlier one is stale."""
    run_id = new_run(ledger)
    turn = Turn(run_id, STEP, owner="a", number=0)
    ledger.steps.begin(turn, implies=None, after_outcome=False)
    ledger.steps.leave(turn, StepState.WAITING, next_number=1)

    stale, _ = begin(ledger, run_id, "copy", number=0)
    live, _ = begin(ledger, run_id, "next", number=1)

    assert (stale, live) == (Admission.STALE, Admission.GO)
    assert ledger.runs.get(run_id).steps.run_selection.looks == 1
    assert ledger.steps.number(run_id, STEP) == 1


def test_leave__says_when_it_looks_again_and_why(ledger: Ledger, clock: Clock) -> None:
    """A step that waits tells until when, and what went wrong; at work it tells neither."""
    run_id = new_run(ledger)
    turn = Turn(run_id, STEP, owner="a", number=0)
    ledger.steps.begin(turn, implies=None, after_outcome=False)
    ledger.steps.leave(turn, StepState.WAITING, next_number=1, due_s=30.0, problem="HTTP 503")

    waiting = ledger.runs.get(run_id).steps.run_selection
    begin(ledger, run_id, "b", number=1)
    running = ledger.runs.get(run_id).steps.run_selection

    assert (waiting.due_at, waiting.problem) == (clock.now + 30.0, "HTTP 503")
    assert (waiting.attempts, waiting.looks) == (2, 0)
    assert (running.due_at, running.problem) == (None, None)


@pytest.mark.parametrize("state", [StepState.SUCCEEDED, StepState.SKIPPED, StepState.FAILED])
def test_begin__ended_step_is_done(ledger: Ledger, state: StepState) -> None:
    """A step that has ended is not worked on again."""
    run_id = new_run(ledger)
    turn = Turn(run_id, STEP, owner="a", number=0)
    ledger.steps.begin(turn, implies=None, after_outcome=False)
    ledger.steps.leave(turn, state)

    assert begin(ledger, run_id, "b", number=5)[0] is Admission.DONE
    assert ledger.runs.get(run_id).steps.run_selection.ended_at is not None


def test_begin__after_the_outcome_only_those_who_clean_up(ledger: Ledger) -> None:
    """From the outcome on, only steps that clean up are let in."""
    run_id = new_run(ledger)
    ledger.runs.decide(run_id, Outcome.CANCELED)

    assert begin(ledger, run_id, "a")[0] is Admission.ENDED
    assert begin(ledger, run_id, "a", after_outcome=True)[0] is Admission.GO


def test_begin__unknown_run_is_gone(ledger: Ledger) -> None:
    """A message of a run that the ledger has lost is dropped, and writes nothing."""
    assert begin(ledger, "nope", "a")[0] is Admission.GONE
    assert ledger.runs.newest(1) == []


def test_hold__ends_with_the_outcome_or_a_new_owner(ledger: Ledger, clock: Clock) -> None:
    """A delivery learns at its next sign of life that its work is no longer wanted."""
    run_id = new_run(ledger)
    turn = Turn(run_id, STEP, owner="a", number=0)
    ledger.steps.begin(turn, implies=None, after_outcome=False)
    ledger.steps.hold(turn)
    clock.forward(HOLD_S + 1)
    begin(ledger, run_id, "b")

    with pytest.raises(RunEnded):
        ledger.steps.hold(turn)

    ledger.runs.decide(run_id, Outcome.FAILED)
    with pytest.raises(RunEnded):
        ledger.steps.hold(Turn(run_id, STEP, owner="b", number=0))


def test_leave__thawed_delivery_changes_nothing(ledger: Ledger, clock: Clock) -> None:
    """A delivery that was frozen and taken over cannot write its result any more."""
    run_id = new_run(ledger)
    frozen = Turn(run_id, STEP, owner="a", number=0)
    ledger.steps.begin(frozen, implies=None, after_outcome=False)
    clock.forward(HOLD_S + 1)
    begin(ledger, run_id, "b")

    assert not ledger.steps.leave(frozen, StepState.FAILED)
    assert ledger.runs.get(run_id).steps.run_selection.state is StepState.RUNNING
