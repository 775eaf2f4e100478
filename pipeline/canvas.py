"""In which order: the whole run on one screen.

ingest_video ──┐
               ├─► run_selection (again and again) ─► release_instance
start_instance ┘            └── on failure ─► fail_run ─► release_instance
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from celery import chain, chord, group

from pipeline.celery import app
from workers.compute import release_instance, start_instance
from workers.ingest import ingest_video
from workers.reaper import fail_run
from workers.selection import run_selection

if TYPE_CHECKING:
    from celery.canvas import Signature

__all__ = ["app", "build_run"]


def build_run(run_id: str) -> Signature[Any]:
    """Returns the canvas of a run. Only its id goes over the wire.

    The errback hangs on the chord's body: Celery calls it when all header tasks have returned, so
    nothing is stopped while it is still being started. It is one chain, because two errbacks would
    run at the same time. Callbacks are hints; what is done is decided from the ledger.
    """
    body = run_selection.si(run_id)
    body.link(release_instance.si(run_id))
    body.link_error(chain(fail_run.si(run_id), release_instance.si(run_id)))
    return chord(group(ingest_video.si(run_id), start_instance.si(run_id)), body)
