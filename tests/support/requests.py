"""Run requests for tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

from curation.models import Request
from curation.states import Backend

if TYPE_CHECKING:
    from curation.ledger.ledger import Ledger

REQUEST = Request(source="/clip.mp4", proportion_samples=0.1, selection_backend=Backend.ENGINE)


def new_run(ledger: Ledger, *, instance_id: str | None = None, deadline_s: float = 1000.0) -> str:
    """Writes a run into the ledger and returns its id."""
    run_id, _ = ledger.runs.create(
        REQUEST,
        deadline_s=deadline_s,
        expects_instance=(instance_id, 100.0) if instance_id else None,
    )
    return run_id
