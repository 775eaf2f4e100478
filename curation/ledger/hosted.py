"""Runs on the hosted service in the ledger: every id the moment it is known, and two locks."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from curation.errors import TransientError
from curation.ledger import keys
from curation.ledger.locks import locked

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from curation.ledger.store import Store

# How long a lock outlives its holder. Longer than what is done under one: two calls, each of which
# the adapter's time limit and its one repetition end within 20 s.
LOCK_HOLD_S = 60.0
# After this time whoever found a lock taken asks again; a delivery waits, not a process.
LOCK_PAUSE_S = 1.0
# What must be left of a lock when a selection run is scheduled under it: as long as the call takes.
CALL_S = 20.0


@dataclass(frozen=True)
class HostedRun:
    """What the ledger knows of a run on the hosted service; None is not known yet.

    Attributes:
        dataset_id: The dataset.
        config_id: The configuration; the one fact by which a scheduled run is found again.
        scheduled_run_id: The selection run.
        lightly_run_id: The same, once a Lightly Worker has picked it up.
        n_doubts: Looks in a row whose answer was hard to believe.
        n_calls: Calls that schedule the selection run which were begun, whatever became of them.
        n_seen: Selection runs of this run that the service has listed.
    """

    dataset_id: str | None = None
    config_id: str | None = None
    scheduled_run_id: str | None = None
    lightly_run_id: str | None = None
    n_doubts: int = 0
    n_calls: int = 0
    n_seen: int = 0

    @property
    def may_have_more(self) -> bool:
        """Whether a call may have scheduled, or may do so yet, what nobody has seen."""
        return self.n_calls > max(self.n_seen, self.scheduled_run_id is not None)


class HostedLedger:
    """Runs on the hosted service."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def get(self, run_id: str) -> HostedRun:
        """Returns what is known of the run."""
        return _to_hosted(self._store.hash_of(keys.hosted_key(run_id)))

    def note(self, run_id: str, **ids: str) -> HostedRun:
        """Writes ids of `HostedRun`; one that is known already stands.

        Returns:
            What is known now, which may be what another delivery has found out.
        """
        parts = [part for pair in ids.items() for part in pair]
        answer: list[str] = self._store.script(
            "note_hosted", [keys.hosted_key(run_id)], [keys.WORK_TTL_S, *parts]
        )
        return _to_hosted(dict(zip(answer[::2], answer[1::2], strict=True)))

    def doubt(self, run_id: str) -> int:
        """Counts a look whose answer is hard to believe; returns how many in a row."""
        return self._store.count_up(keys.hosted_key(run_id), "n_doubts")

    def trust(self, run_id: str) -> None:
        """Forgets the doubts, because a look was answered as it should be."""
        self._store.drop_fields(keys.hosted_key(run_id), "n_doubts")

    def begin_call(self, run_id: str, lock: str, owner: str) -> None:
        """Counts a call that schedules, right before it is sent.

        Args:
            run_id: The run.
            lock: Name of the lock under which it is sent.
            owner: The caller's name as the lock's owner.

        Raises:
            TransientError: If the lock is lost or nearly over, because this process stood still.
        """
        begun: int = self._store.script(
            "begin_call",
            [keys.lock_key(lock), keys.hosted_key(run_id), keys.HOSTED_CALLS],
            [self._store.now(), owner, run_id, CALL_S],
        )
        if not begun:
            raise _busy(lock)

    def saw(self, run_id: str, n_seen: int) -> None:
        """Notes how many selection runs of this run the service has listed."""
        self._store.update_fields(keys.hosted_key(run_id), {"n_seen": n_seen})

    def called(self) -> dict[str, float]:
        """Returns the runs for which a call was begun, with the time of the last one."""
        return self._store.scores_of(keys.HOSTED_CALLS)

    def forget_calls(self, run_id: str) -> None:
        """Takes a run out of those."""
        self._store.remove_member(keys.HOSTED_CALLS, run_id)

    @contextmanager
    def lock(self, name: str) -> Iterator[str]:
        """Keeps others out, across processes and machines.

        Yields:
            The caller's name as the lock's owner.

        Raises:
            TransientError: If somebody else is at it; to be asked again a moment later.
        """
        with locked(self._store, name, hold_s=LOCK_HOLD_S) as owner:
            if not owner:
                raise _busy(name)
            yield owner


def _busy(name: str) -> TransientError:
    return TransientError(
        f"Another delivery is working on {name} right now.",
        code="lightly:busy",
        retry_after_s=LOCK_PAUSE_S,
    )


def _to_hosted(fields: Mapping[str, str]) -> HostedRun:
    return HostedRun(
        dataset_id=fields.get("dataset_id"),
        config_id=fields.get("config_id"),
        scheduled_run_id=fields.get("scheduled_run_id"),
        lightly_run_id=fields.get("lightly_run_id"),
        n_doubts=int(fields.get("n_doubts", "0")),
        n_calls=int(fields.get("n_calls", "0")),
        n_seen=int(fields.get("n_seen", "0")),
    )
