"""The run's deadline: by then it must be in an end state, so its work ends a little earlier."""

from __future__ import annotations

from typing import TYPE_CHECKING

from curation.models import RunError
from curation.states import Backend, StepName, StepState

if TYPE_CHECKING:
    from curation.models import Run

# What is kept of the deadline for giving the instance back: a tenth, and at most two minutes.
_RELEASE_SHARE = 0.1
_RELEASE_MOST_S = 120.0
_NEAR_SHARE = 0.2
_NEAR_MOST_S = 900.0
_OPEN = (StepState.RUNNING, StepState.WAITING)
# Both backends' word for a selection run that is scheduled and that nobody has begun.
_NOT_TAKEN = "OPEN"
_NO_WORKER = {
    Backend.LIGHTLY: (
        "No Lightly Worker took the selection run. Check that the script on the instance "
        "(SCRIPT_PATH) starts one, and that it has the labels in LIGHTLY_RUNS_ON."
    ),
    Backend.ENGINE: (
        "No Celery worker took the selection run. Check that the script on the instance "
        "(SCRIPT_PATH) starts one that reads the queue `engine`."
    ),
}


def is_over(run: Run, *, now: float) -> bool:
    """Whether the time for work is over, so that the rest suffices to stop the instance.

    Args:
        run: The run.
        now: Seconds since the epoch.
    """
    return remaining_s(run, now=now) < 0


def remaining_s(run: Run, *, now: float) -> float:
    """Returns the seconds left for work; negative when its time is over.

    Args:
        run: The run.
        now: Seconds since the epoch.
    """
    allowed_s = run.deadline_at - run.created_at
    return run.deadline_at - min(allowed_s * _RELEASE_SHARE, _RELEASE_MOST_S) - now


def is_near(run: Run, *, now: float) -> bool:
    """Whether little of the time for work is left: a fifth, and at most a quarter of an hour.

    Args:
        run: The run.
        now: Seconds since the epoch.
    """
    allowed_s = run.deadline_at - run.created_at
    return remaining_s(run, now=now) < min(allowed_s * _NEAR_SHARE, _NEAR_MOST_S)


def deadline_error(run: Run) -> RunError:
    """Returns why the run fails at its deadline: what it was waiting for."""
    allowed_s = run.deadline_at - run.created_at
    open_steps = [name for name in StepName if run.steps.get(name).state in _OPEN]
    waiting_for = " and ".join(open_steps) or "a Celery worker to take its messages"
    if run.selection.state:
        waiting_for += f" (selection run {run.selection.state})"
    advice = "See what holds that up, or raise RUN_DEADLINE_S."
    if run.selection.state == _NOT_TAKEN:
        advice = _NO_WORKER[run.selection.backend]
    return RunError(
        code="run:deadline",
        message=(
            f"The run was not done within RUN_DEADLINE_S ({allowed_s:g} s): it was waiting for "
            f"{waiting_for}. {advice}"
        ),
        step=open_steps[0] if open_steps else None,
    )
