"""Selection backend `engine`: our own engine, a task on the queue `engine`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from curation.ports import SelectionLook

if TYPE_CHECKING:
    from collections.abc import Callable

    from curation.ledger.engine import EngineLedger, EngineTask
    from curation.ledger.store import Store
    from curation.models import Run

# A task that waits in the queue is sent again after twice as long each time, up to 2^this.
_MOST_DOUBLINGS = 6


class EngineQueue:
    """Schedules the engine's task and looks at what it writes into the ledger.

    Args:
        tasks: The ledger of engine tasks.
        store: For the time.
        send: Publishes the message `engine.select_frames` for a run id.
        silent_s: Seconds without a sign of life after which a task is taken for dead.
    """

    def __init__(
        self, tasks: EngineLedger, store: Store, *, send: Callable[[str], None], silent_s: float
    ) -> None:
        self._tasks = tasks
        self._store = store
        self._send = send
        self._silent_s = silent_s

    def schedule(self, run: Run) -> str:
        """Writes the task before it is sent; whoever finds it written does not send it twice."""
        if self._tasks.schedule(run.run_id):
            self._send(run.run_id)
        return f"engine-{run.run_id}"

    def look(self, run: Run) -> SelectionLook:
        """Reads the task, and sends its message again when nobody seems to work on it."""
        task = self._tasks.get(run.run_id)
        if task is None:  # the ledger lost it: begin anew, under the same id
            self.schedule(run)
            return SelectionLook(state="OPEN")
        if not task.is_end and self._is_silent(task):
            self._tasks.sent(run.run_id, task.n_sent + 1)
            self._send(run.run_id)
        return SelectionLook(
            state=task.state,
            is_end=task.is_end,
            succeeded=task.state == "COMPLETED",
            message=task.message,
            code=task.code or "engine:canceled",
            n_frames=task.n_frames,
            n_selected=task.n_selected,
            filenames_uri=task.filenames_uri,
            report_uri=task.report_uri,
        )

    def cancel(self, run: Run) -> None:
        """Tells whoever works on the task to stop."""
        self._tasks.cancel(run.run_id)

    def _is_silent(self, task: EngineTask) -> bool:
        """A copy does no harm (one generation works at a time), but many would fill the queue.

        Without a sign of life since it was sent, it or its segments wait behind other runs' work.
        """
        is_waiting = task.beat_at <= task.sent_at
        waits = min(task.n_sent - 1, _MOST_DOUBLINGS) if is_waiting else 0
        patience_s = self._silent_s * float(2**waits)
        return self._store.now() - max(task.sent_at, task.beat_at) > patience_s
