"""What a step says after one delivery's work: it has ended, or it wants to look again."""

from __future__ import annotations

from dataclasses import dataclass

from curation.states import StepState


@dataclass(frozen=True)
class Verdict:
    """Result of one delivery. "Still going" is an answer, not an error.

    Attributes:
        state: What the step is now: waiting, succeeded or skipped.
        at_once: Whether the next delivery is to follow without a wait (the next slice of work).
    """

    state: StepState
    at_once: bool = False


SUCCEEDED = Verdict(StepState.SUCCEEDED)
SKIPPED = Verdict(StepState.SKIPPED)
LOOK_AGAIN = Verdict(StepState.WAITING)
GO_ON = Verdict(StepState.WAITING, at_once=True)
