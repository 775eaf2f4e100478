"""Looks at our engine on this machine: its packages, and its network."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from curation.doctor.check import Answer, Check, ok
from curation.states import Backend

if TYPE_CHECKING:
    from curation.wiring import Wiring


def engine_checks(wiring: Wiring) -> list[Check]:
    """Returns the check on the engine."""
    return [Check("engine", partial(_engine, wiring), "Look again: the first time takes longest.")]


def _engine(wiring: Wiring) -> Answer | None:
    is_here = wiring.settings.ec2.ec2_instance_id is None
    if wiring.settings.run.selection_backend is not Backend.ENGINE or not is_here:
        return None
    wiring.selector.prepare()
    return ok("The engine's packages and its network are ready on this machine.")
