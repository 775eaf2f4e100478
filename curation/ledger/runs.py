"""Runs in the ledger: written before anything is published, moved only forward."""

from __future__ import annotations

from typing import TYPE_CHECKING

from curation.errors import RequestError, RunUnknown
from curation.ledger import keys
from curation.ledger.adoption import adopted_fields
from curation.ledger.curated import CuratedIndex
from curation.ledger.engine import to_engine_task
from curation.ledger.lookup import find_run_id
from curation.ledger.records import request_fields, selection_fields, to_run
from curation.models import new_run_id
from curation.states import Backend, Outcome, StepName

if TYPE_CHECKING:
    from collections.abc import Mapping

    from curation.ledger.store import Store
    from curation.models import Progress, Request, Run, RunError, Video
    from curation.price import Price
    from curation.states import RunState, StepState

_DAY_S = 86_400.0
# No step of a run waits longer for its next delivery, whatever the other side asks for.
LONGEST_WAIT_S = 300.0


class RunLedger:
    """Creates, reads and ends runs.

    Args:
        store: The Redis connection.
        retention_days: Days that an ended run is kept.
        price: Of the instance, if it is known.
    """

    def __init__(self, store: Store, *, retention_days: float, price: Price | None = None) -> None:
        self._store = store
        self._price = price
        self._retention_s = int(retention_days * _DAY_S)
        self._curated = CuratedIndex(store, retention_s=self._retention_s)

    def create(
        self,
        request: Request,
        *,
        deadline_s: float,
        idempotency_key: str | None = None,
        expects_instance: tuple[str, float] | None = None,
        resumed_from: Run | None = None,
    ) -> tuple[str, bool]:
        """Writes a new run, or finds the one that the idempotency key already has.

        Args:
            request: What to do.
            deadline_s: Seconds the run may take in all.
            idempotency_key: The same key gives the same run.
            expects_instance: Instance id that the run will ask for, and the seconds for which
                other runs leave it running in the meantime.
            resumed_from: An ended run whose `adopted_steps` this one takes over.

        Returns:
            The run id, and whether the run is new. It is on the server's disk then, if the server
            keeps the ledger there.

        Raises:
            RequestError: If the key belongs to a run with another request.
        """
        now = self._store.now()
        run_id = new_run_id(now)
        instance_id, expected_s = expects_instance or ("", 0.0)
        touched = [keys.run_key(run_id), keys.idempotency_key(idempotency_key or "")]
        touched += [keys.RUNS, keys.ACTIVE, keys.expected_key(instance_id)]
        expected_until = now + expected_s if instance_id else ""
        fields = request_fields(request) | adopted_fields(resumed_from)
        flat = [part for field in fields.items() for part in field]
        found: str = self._store.script_to_disk(
            "create_run",
            touched,
            [run_id, now, now + deadline_s, idempotency_key or "", expected_until, *flat],
        )
        if found != run_id:
            self._check_same(found, request, idempotency_key)
        return found, found == run_id

    def get(self, run_id: str) -> Run:
        """Returns the run's status object.

        Raises:
            RunUnknown: If there is no such run.
        """
        fields = self._store.hash_of(keys.run_key(run_id))
        if not fields:
            raise RunUnknown(
                f"There is no run {run_id!r}. `curate list` shows the runs that are known."
            )
        return self._to_run(fields)

    def find(self, text: str) -> Run:
        """Returns the run of an id or a name, or of a unique beginning of one.

        Raises:
            RunUnknown: If there is none.
            RequestError: If there are several.
        """
        try:
            return self.get(text)
        except RunUnknown:
            known = list(self._store.scores_of(keys.RUNS))
            return self.get(find_run_id(text, known[::-1]))

    def has_key(self, idempotency_key: str | None) -> bool:
        """Whether a run was made for this idempotency key."""
        key = keys.idempotency_key(idempotency_key or "")
        return bool(idempotency_key) and self._store.value_of(key) is not None

    def has_outcome(self, run_id: str) -> bool:
        """Whether it is known what the run will end as.

        Raises:
            RunUnknown: If there is no such run.
        """
        return self.get(run_id).outcome is not None

    def is_over(self, run_id: str) -> bool:
        """Whether the run has ended, or the ledger does not know it any more."""
        fields = self._store.hash_of(keys.run_key(run_id))
        return not fields or "ended_at" in fields

    def newest(self, count: int, *, skip: int = 0) -> list[Run]:
        """Returns the `count` runs created last, newest first, without the first `skip`.

        They may be fewer than there are, where the retention of some has just ended.
        """
        return self._existing(self._store.newest_of(keys.RUNS, count, skip=skip))

    def active(self) -> list[Run]:
        """Returns all runs that have not ended, the one with the next deadline first."""
        return self._existing(list(self._store.scores_of(keys.ACTIVE)))

    def update(self, run_id: str, **fields: str | float | None) -> None:
        """Writes facts that a step has found out; None values are left out.

        Like all facts, they are written only while the run is known and has not ended.
        """
        known = {name: value for name, value in fields.items() if value is not None}
        self._write(run_id, known)

    def record_video(self, run_id: str, video: Video) -> None:
        """Writes the verified object."""
        self._write(run_id, {"video": video.model_dump_json()})

    def record_selection(self, run_id: str, **facts: str | int | None) -> None:
        """Writes facts of the run's `Selection`; None values are left out."""
        self._write(run_id, selection_fields(**facts))

    def count_missed_look(self, run_id: str) -> int:
        """Counts a look that found the run's instance not running; returns how many in a row."""
        counted: int = self._store.script("count_up", [keys.run_key(run_id)], ["missed_looks"])
        return counted

    def decide(self, run_id: str, outcome: Outcome, error: RunError | None = None) -> bool:
        """Writes what the run will end as; False if it already had an outcome, which stands."""
        first: int = self._store.script(
            "decide_outcome",
            [keys.run_key(run_id)],
            [self._store.now(), outcome, error.model_dump_json() if error else ""],
        )
        return bool(first)

    def claim_revival(self, run_id: str, *, silent_s: float) -> bool:
        """Asks to send a silent run's message again.

        Args:
            run_id: The run.
            silent_s: Seconds of silence before the first revival; each later one needs twice
                as many, so that a long backlog is not multiplied.
        """
        claimed: int = self._store.script(
            "claim_revival",
            [keys.run_key(run_id)],
            [self._store.now(), silent_s, LONGEST_WAIT_S],
        )
        return bool(claimed)

    def end(
        self,
        run: Run,
        *,
        released: StepState,
        state: RunState | None = None,
        error: RunError | None = None,
    ) -> bool:
        """Moves a run with an outcome into its end state; False if it was there already.

        Args:
            run: The run.
            released: How its last step, `release_instance`, ended.
            state: End state, if it is not that of the outcome.
            error: Why it is not.
        """
        touched = [keys.run_key(run.run_id), keys.ACTIVE]
        touched += [keys.idempotency_key(run.idempotency_key or ""), keys.COUNTERS]
        why = error.model_dump_json() if error else ""
        moved: int = self._store.script(
            "end_run",
            touched,
            [
                *(self._store.now(), run.run_id, self._retention_s, state or "", why, released),
                *StepName,
            ],
        )
        if moved:
            self._curated.note(self.get(run.run_id))
        return bool(moved)

    def curated(self, sha256: str, request: Request) -> Run | None:
        """Returns the completed run that has curated this video in the same way, or None."""
        return self._curated.find(sha256, request, self.get)

    def take_over(self, run_id: str, earlier: Run) -> None:
        """Gives a run the selection of an earlier one, and the outcome; a run that has one stays.

        Whatever is still being done for it gives up, as for a canceled run.
        """
        if self.has_outcome(run_id):
            return
        facts = earlier.selection.model_dump(exclude={"backend", "progress"})
        self.record_selection(run_id, **facts)
        self.update(run_id, same_as=earlier.run_id)
        self.decide(run_id, Outcome.COMPLETED)

    def _write(self, run_id: str, fields: Mapping[str, str | float | int]) -> None:
        self._store.update_fields(
            keys.run_key(run_id), {**fields, "updated_at": repr(self._store.now())}
        )

    def _existing(self, run_ids: list[str]) -> list[Run]:
        hashes = self._store.hashes_of([keys.run_key(run_id) for run_id in run_ids])
        for run_id, fields in zip(run_ids, hashes, strict=True):
            if not fields:  # its retention is over
                self._store.remove_member(keys.RUNS, run_id)
                self._store.remove_member(keys.ACTIVE, run_id)
        return [self._to_run(fields) for fields in hashes if fields]

    def _to_run(self, fields: Mapping[str, str]) -> Run:
        instance_id = fields.get("instance_id")
        seen = self._store.hash_of(keys.instance_key(instance_id)) if instance_id else {}
        return to_run(fields, seen.get("state"), self._progress(fields), self._price)

    def _progress(self, fields: Mapping[str, str]) -> Progress | None:
        if fields["selection_backend"] != Backend.ENGINE:
            return None
        task = to_engine_task(self._store.hash_of(keys.engine_key(fields["run_id"])))
        return task.progress if task else None

    def _check_same(self, run_id: str, request: Request, key: str | None) -> None:
        known = self.get(run_id).request
        if known.model_dump() != request.model_dump():
            raise RequestError(
                f"The idempotency key {key!r} belongs to run {run_id}, which asks for "
                f"{known.model_dump_json()}, not {request.model_dump_json()}. "
                "Use another key for another request.",
                code="request:idempotency-key",
            )
