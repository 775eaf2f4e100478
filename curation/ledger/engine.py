"""The engine's tasks in the ledger: scheduled once, taken by one generation at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from curation.errors import RunEnded
from curation.ledger import keys

if TYPE_CHECKING:
    from curation.ledger.store import Store


@dataclass(frozen=True)
class EngineTask:
    """What the ledger knows of the engine's task of one run.

    Attributes:
        state: `OPEN`, `STARTED`, the engine's own words, then `COMPLETED`, `FAILED`, `CANCELED`.
        sent_at: When its message was last sent, seconds since the epoch.
        n_sent: How often it was sent.
        beat_at: Last sign of life, seconds since the epoch; 0 before it was taken.
        n_done: Frames embedded so far.
        n_frames: Frames in all, once known.
        n_selected: Frames selected, at the end.
        filenames_uri: Object that lists the selected frames, at the end.
        code: Error code of a bad end, or an empty string.
        message: Why it ended badly, or an empty string.
    """

    state: str
    sent_at: float
    n_sent: int
    beat_at: float
    n_done: int | None = None
    n_frames: int | None = None
    n_selected: int | None = None
    filenames_uri: str | None = None
    code: str = ""
    message: str = ""

    @property
    def is_end(self) -> bool:
        """Whether nobody works on the task any more."""
        return self.state in ("COMPLETED", "FAILED", "CANCELED")


class EngineLedger:
    """Engine tasks, one for each run."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def schedule(self, run_id: str) -> bool:
        """Writes an open task; False if the run has one already."""
        opened: int = self._store.script(
            "open_engine_task", [keys.engine_key(run_id)], [self._store.now(), keys.WORK_TTL_S]
        )
        return bool(opened)

    def get(self, run_id: str) -> EngineTask | None:
        """Returns the run's engine task, or None."""
        fields = self._store.hash_of(keys.engine_key(run_id))
        if not fields:
            return None
        return EngineTask(
            state=fields["state"],
            sent_at=float(fields["sent_at"]),
            n_sent=int(fields["n_sent"]),
            beat_at=float(fields.get("beat_at", "0")),
            n_done=_count(fields.get("n_done")),
            n_frames=_count(fields.get("n_frames")),
            n_selected=_count(fields.get("n_selected")),
            filenames_uri=fields.get("filenames_uri"),
            code=fields.get("code", ""),
            message=fields.get("message", ""),
        )

    def sent(self, run_id: str, n_sent: int) -> None:
        """Notes that the task's message was sent for the `n_sent`th time."""
        self._store.set_fields(
            keys.engine_key(run_id), {"sent_at": repr(self._store.now()), "n_sent": n_sent}
        )

    def take(self, run_id: str, *, silent_s: float) -> int:
        """Asks to work on the task.

        Args:
            run_id: The run.
            silent_s: Seconds without a sign of life after which the last taker is taken for dead.

        Returns:
            The generation, or 0 when there is nothing to do or somebody else is at it.
        """
        generation: int = self._store.script(
            "take_engine_task", [keys.engine_key(run_id)], [self._store.now(), silent_s]
        )
        return generation

    def beat(self, run_id: str, generation: int, **facts: str | int | None) -> None:
        """Gives a sign of life, with progress.

        Raises:
            RunEnded: If the task is canceled, or a later generation works on it.
        """
        self._update(run_id, generation, end=False, facts=facts)

    def end(self, run_id: str, generation: int, **facts: str | int | None) -> None:
        """Writes how the task ended.

        Raises:
            RunEnded: If the task is canceled, or a later generation works on it.
        """
        self._update(run_id, generation, end=True, facts=facts)

    def cancel(self, run_id: str) -> None:
        """Tells whoever works on the task to stop; nobody takes it any more. An end stays."""
        task = self.get(run_id)
        if task and not task.is_end:
            self._store.set_fields(keys.engine_key(run_id), {"canceled": "1", "state": "CANCELED"})

    def _update(
        self, run_id: str, generation: int, *, end: bool, facts: dict[str, str | int | None]
    ) -> None:
        known = [
            part for name, value in facts.items() if value is not None for part in (name, value)
        ]
        answer: str = self._store.script(
            "update_engine_task",
            [keys.engine_key(run_id)],
            [self._store.now(), generation, int(end), *known],
        )
        if answer != "ok":
            raise RunEnded(f"The engine task of run {run_id} is {answer}; its work ends here.")


def _count(text: str | None) -> int | None:
    return int(text) if text else None
