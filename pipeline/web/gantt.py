"""The timeline of a run: which step took which part of its time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from curation.states import StepName

if TYPE_CHECKING:
    from curation.models import Run
    from curation.states import StepState

# The width of the drawing, in its own units.
WIDTH = 1000.0
# A step that took no time can still be seen.
_LEAST = 4.0
_NICE_S = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14400)
_MOST_TICKS = 5


@dataclass(frozen=True)
class Bar:
    """One step's part of the time; `x` and `width` in units of the drawing.

    Attributes:
        step: The step.
        state: Where it is.
        x: Where it began, None if it has not.
        width: How long it took, or has taken so far.
        seconds: The same in seconds, None if it has not begun.
    """

    step: StepName
    state: StepState
    x: float | None
    width: float
    seconds: float | None


@dataclass(frozen=True)
class Tick:
    """A mark on the axis: where, and how many seconds after the beginning."""

    x: float
    seconds: float


def bars(run: Run, *, now: float) -> list[Bar]:
    """Returns a bar for each step.

    Args:
        run: The run.
        now: The present by the ledger's clock, in seconds since the epoch.
    """
    scale = WIDTH / _span_s(run, now)
    found: list[Bar] = []
    for name in StepName:
        step = run.steps.get(name)
        if step.started_at is None:
            found.append(Bar(name, step.state, None, 0.0, None))
            continue
        seconds = max((step.ended_at or run.ended_at or now) - step.started_at, 0.0)
        width = max(seconds * scale, _LEAST)
        x = min((step.started_at - run.created_at) * scale, WIDTH - width)
        found.append(Bar(name, step.state, round(max(x, 0.0), 1), round(width, 1), seconds))
    return found


def ticks(run: Run, *, now: float) -> list[Tick]:
    """Returns the marks of the axis, at round numbers of seconds."""
    span_s = _span_s(run, now)
    apart_s = next((nice for nice in _NICE_S if span_s / nice <= _MOST_TICKS), span_s)
    count = int(span_s / apart_s)
    return [Tick(round(i * apart_s * WIDTH / span_s, 1), i * apart_s) for i in range(count + 1)]


def _span_s(run: Run, now: float) -> float:
    return max((run.ended_at or now) - run.created_at, 0.1)
