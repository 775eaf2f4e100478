"""Carries checks out and returns what they found, by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from curation.doctor.examine import examine
from curation.settings import Settings
from curation.wiring import Wiring

if TYPE_CHECKING:
    from collections.abc import Sequence

    from curation.doctor.check import Check, Finding, Health

# More than any call to a server on this machine takes.
_LIMIT_S = 120.0


def new_wiring() -> Wiring:
    """Returns the wiring of the present environment; nothing is sent to the engine."""
    return Wiring(Settings(), send_engine_task=lambda _: None)


def found(checks: Sequence[Check]) -> dict[str, Finding]:
    """Returns the finding of each check that is needed."""
    return {it.name: it for it in examine(checks, limit_s=_LIMIT_S, tell=lambda _: None)}


def states(checks: Sequence[Check]) -> dict[str, Health]:
    """Returns the state of each."""
    return {name: finding.state for name, finding in found(checks).items()}
