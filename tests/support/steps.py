"""Carries a step through its deliveries, as its task would."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from curation.errors import TransientError
from curation.states import StepState

if TYPE_CHECKING:
    from collections.abc import Callable

    from curation.steps.verdict import Verdict

_LIMIT_S = 90.0
_PAUSE_S = 0.03


def carry(look: Callable[[], Verdict], *, tries: int = 20) -> Verdict:
    """Looks again and again until the step says that it has ended.

    Args:
        look: One delivery's work.
        tries: Transient errors that are borne; the next one is raised.
    """
    ends = time.monotonic() + _LIMIT_S
    while time.monotonic() < ends:
        try:
            verdict = look()
        except TransientError:
            tries -= 1
            if tries < 0:
                raise
        else:
            if verdict.state is not StepState.WAITING:
                return verdict
        time.sleep(_PAUSE_S)
    message = f"The step has not ended within {_LIMIT_S:g} s."
    raise AssertionError(message)
