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


@dataclass(frozen=True)
class HostedRun:
    """What the ledger knows of a run on the hosted service; None is not known yet.

    Attributes:
        dataset_id: The dataset.
        config_id: The configuration; the one fact by which a scheduled run is found again.
        scheduled_run_id: The selection run.
        lightly_run_id: The same, once a Lightly Worker has picked it up.
        n_doubts: Looks in a row whose answer was hard to believe.
    """

    dataset_id: str | None = None
    config_id: str | None = None
    scheduled_run_id: str | None = None
    lightly_run_id: str | None = None
    n_doubts: int = 0


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

    @contextmanager
    def lock(self, name: str) -> Iterator[None]:
        """Keeps others out, across processes and machines.

        Raises:
            TransientError: If somebody else is at it; to be asked again a moment later.
        """
        with locked(self._store, name, hold_s=LOCK_HOLD_S) as claimed:
            if not claimed:
                raise TransientError(
                    f"Another delivery is working on {name} right now.",
                    code="lightly:busy",
                    retry_after_s=LOCK_PAUSE_S,
                )
            yield


def _to_hosted(fields: Mapping[str, str]) -> HostedRun:
    return HostedRun(
        dataset_id=fields.get("dataset_id"),
        config_id=fields.get("config_id"),
        scheduled_run_id=fields.get("scheduled_run_id"),
        lightly_run_id=fields.get("lightly_run_id"),
        n_doubts=int(fields.get("n_doubts", "0")),
    )
