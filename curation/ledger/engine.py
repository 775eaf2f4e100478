"""The engine's tasks in the ledger: scheduled once, taken by one generation at a time.

A task has parts: its plan (in which a short video is done altogether), its segments, its choice.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from curation.errors import RunEnded
from curation.ledger import keys
from curation.models import Progress

if TYPE_CHECKING:
    from collections.abc import Mapping

    from curation.ledger.store import Store


@dataclass(frozen=True)
class EngineTask:
    """What the ledger knows of the engine's task of one run.

    Attributes:
        state: `OPEN`, `STARTED`, the engine's own words, then `COMPLETED`, `FAILED`, `CANCELED`.
        sent_at: When its message was last sent, seconds since the epoch.
        n_sent: How often it was sent.
        beat_at: Last sign of life, seconds since the epoch; 0 before it was taken.
        generation: Number of the taker that counts; 0 before it was taken.
        n_done: Frames embedded so far.
        n_frames: Frames in all, once known.
        n_segments: Segments that the video is cut into, or None while one task does it all.
        segments_done: Segments that are embedded.
        began_at: When the first frame was embedded, seconds since the epoch; 0 before.
        embedded_at: When the last frame was embedded, seconds since the epoch; 0 before.
        n_selected: Frames selected, at the end.
        filenames_uri: Object that lists the selected frames, at the end.
        report_uri: Object that shows the report, at the end, if there is one.
        code: Error code of a bad end, or an empty string.
        message: Why it ended badly, or an empty string.
    """

    state: str
    sent_at: float
    n_sent: int
    beat_at: float
    generation: int = 0
    n_done: int | None = None
    n_frames: int | None = None
    n_segments: int | None = None
    segments_done: int = 0
    began_at: float = 0.0
    embedded_at: float = 0.0
    n_selected: int | None = None
    filenames_uri: str | None = None
    report_uri: str | None = None
    code: str = ""
    message: str = ""

    @property
    def is_end(self) -> bool:
        """Whether nobody works on the task any more."""
        return self.state in ("COMPLETED", "FAILED", "CANCELED")

    @property
    def progress(self) -> Progress | None:
        """How far it is, or None before it was taken."""
        if not self.beat_at:
            return None
        elapsed_s = self.embedded_at - self.began_at
        rate = self.n_done / elapsed_s if self.n_done and elapsed_s > 0 else None
        left = max((self.n_frames or 0) - (self.n_done or 0), 0)
        is_embedding = rate and self.n_frames and self.state == "EMBEDDING"
        return Progress(
            state=self.state,
            frames_done=self.n_done,
            frames_total=self.n_frames,
            frames_per_s=rate and round(rate, 1),
            eta_s=round(left / rate, 1) if rate and is_embedding else None,
        )


@dataclass(frozen=True)
class Begun:
    """The answer to whoever wants to begin a part.

    Attributes:
        generation: Number to go on with, or 0 when the part is not to be done.
        deaths: Deliveries that began it and died.
    """

    generation: int
    deaths: int = 0


def to_engine_task(fields: Mapping[str, str]) -> EngineTask | None:
    """Returns what the hash of an engine task says, or None if there is none."""
    if not fields:
        return None
    return EngineTask(
        state=fields["state"],
        sent_at=float(fields["sent_at"]),
        n_sent=int(fields["n_sent"]),
        beat_at=float(fields.get("beat_at", "0")),
        generation=int(fields.get("generation", "0")),
        n_done=_count(fields.get("n_done")),
        n_frames=_count(fields.get("n_frames")),
        n_segments=_count(fields.get("n_segments")),
        segments_done=int(fields.get("segments_done", "0")),
        began_at=float(fields.get("began_at", "0")),
        embedded_at=float(fields.get("embedded_at", "0")),
        n_selected=_count(fields.get("n_selected")),
        filenames_uri=fields.get("filenames_uri"),
        report_uri=fields.get("report_uri"),
        code=fields.get("code", ""),
        message=fields.get("message", ""),
    )


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
        return to_engine_task(self._store.hash_of(keys.engine_key(run_id)))

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

    def begin(self, run_id: str, generation: int, part: str, *, take: bool = False) -> Begun:
        """Asks to do a part of the task.

        Args:
            run_id: The run.
            generation: The generation that published the part.
            part: `plan`, `choice`, or the number of a segment.
            take: Whether the part needs all segments, and becomes a new generation, so that no twin
                can begin it, too.

        Raises:
            RunEnded: If the task is canceled, or a later generation works on it.
        """
        answer: list[str] = self._store.script(
            "begin_engine_part",
            [keys.engine_key(run_id), keys.engine_parts_key(run_id)],
            [self._store.now(), generation, part, int(take), keys.WORK_TTL_S],
        )
        if answer[0] in ("done", "early"):
            return Begun(0)
        _check(run_id, answer[0])
        return Begun(int(answer[1]), deaths=int(answer[2]))

    def leave(self, run_id: str, part: str) -> None:
        """Notes that whoever began the part lives, although it has not come to its end."""
        self._store.drop_fields(keys.engine_parts_key(run_id), f"{part}.busy")

    def plan(
        self, run_id: str, generation: int, *, n_segments: int, n_frames: int | None
    ) -> list[int]:
        """Writes into how many segments the video is cut, and returns those that are not done.

        From now on there may be work files.

        Raises:
            RunEnded: If the task is canceled, or a later generation works on it.
        """
        answer: str = self._store.script(
            "plan_engine_task",
            [keys.engine_key(run_id), keys.ENGINE_WORK],
            [
                *(self._store.now(), generation, run_id),
                *(n_segments, "" if n_frames is None else n_frames),
            ],
        )
        _check(run_id, answer)
        parts = self._store.hash_of(keys.engine_parts_key(run_id))
        return [number for number in range(n_segments) if f"{number}.done" not in parts]

    def count(
        self, run_id: str, generation: int, segment: int, n_frames: int, *, is_end: bool = False
    ) -> None:
        """Gives a sign of life from a segment.

        Args:
            run_id: The run.
            generation: The generation that published the segment.
            segment: Its number.
            n_frames: Frames of it that are embedded.
            is_end: Whether these are all, and its work file is written.

        Raises:
            RunEnded: If the task is canceled, or a later generation works on it.
        """
        answer: str = self._store.script(
            "update_engine_part",
            [keys.engine_key(run_id), keys.engine_parts_key(run_id)],
            [self._store.now(), generation, segment, n_frames, int(is_end)],
        )
        _check(run_id, answer)

    def unclean(self) -> list[str]:
        """Returns the ids of all runs that may have work files."""
        return list(self._store.scores_of(keys.ENGINE_WORK))

    def is_clean(self, run_id: str) -> None:
        """Notes that a run has no work files any more."""
        self._store.remove_member(keys.ENGINE_WORK, run_id)

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
        _check(run_id, answer)


def _check(run_id: str, answer: str) -> None:
    if answer not in ("ok", "go"):
        raise RunEnded(f"The engine task of run {run_id} is {answer}; its work ends here.")


def _count(text: str | None) -> int | None:
    return int(text) if text else None
