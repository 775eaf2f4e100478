"""What surrounds an engine in a bench: no datapool, nobody to tell, and lines on the screen."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from curation.engine.datapool import Datapool


def no_pool(name: str) -> Datapool:
    """There is no datapool in a bench."""
    raise LookupError(f"There is no datapool {name!r} in a bench.")


def nothing(*_: object) -> None:
    """Takes progress and results and does nothing with them."""


def say(line: str) -> None:
    """Prints a figure as soon as it is known."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
