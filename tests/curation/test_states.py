from __future__ import annotations

from curation.states import (
    END_STATES,
    STATE_RANK,
    InstanceState,
    Outcome,
    RunState,
    StepState,
)


def test_state_rank__orders_every_state() -> None:
    """States rank in the order in which they are listed, and every state has a rank."""
    assert list(STATE_RANK) == list(RunState)
    assert list(STATE_RANK.values()) == sorted(STATE_RANK.values())


def test_state_rank__leaves_no_way_out_of_an_end_state() -> None:
    """No state ranks above an end state, and no two end states differ: none becomes another."""
    highest = max(STATE_RANK.values())

    assert {state for state, rank in STATE_RANK.items() if rank == highest} == END_STATES


def test_is_end__holds_for_the_outcomes_alone() -> None:
    """A run ends as exactly one of the outcomes."""
    assert [state.value for state in RunState if state.is_end] == [item.value for item in Outcome]


def test_step_state__is_done_only_when_the_next_step_may_begin() -> None:
    """A step that failed or was given up has ended, but nothing may build upon it."""
    done = [state for state in StepState if state.is_done]
    ended_badly = [state for state in StepState if state.is_end and not state.is_done]

    assert done == [StepState.SUCCEEDED, StepState.SKIPPED]
    assert ended_badly == [StepState.FAILED, StepState.CANCELED]


def test_instance_state__is_billed_from_pending_on() -> None:
    """EC2 charges while an instance comes up and runs, not while it stops."""
    billed = [state for state in InstanceState if state.is_billed]

    assert billed == [InstanceState.PENDING, InstanceState.RUNNING]
