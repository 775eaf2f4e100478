"""Leases for whoever looks after the pipeline: since when and until when, and taking one away."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from curation.ledger import keys

if TYPE_CHECKING:
    from curation.ledger.store import Store


@dataclass(frozen=True)
class LeaseTerm:
    """One run's lease; all times in seconds since the epoch.

    Attributes:
        run_id: The run that holds it.
        granted_at: Since when it has held the instance without a break; None if that is not known.
        renewed_at: When its work last prolonged the lease; None if that is not known.
        ends_at: When it is over, unless it is renewed.
        age_s: Seconds since it was granted.
    """

    run_id: str
    granted_at: float | None
    renewed_at: float | None
    ends_at: float
    age_s: float | None


def lease_terms(store: Store, instance_id: str) -> list[LeaseTerm]:
    """Returns all leases on an instance, the one that ends first in front."""
    ends = store.scores_of(keys.leases_key(instance_id))
    runs = store.hashes_of([keys.run_key(run_id) for run_id in ends])
    now = store.now()
    terms: list[LeaseTerm] = []
    for (run_id, ends_at), fields in zip(ends.items(), runs, strict=True):
        granted_at = _time(fields.get("lease_granted_at"))
        terms.append(
            LeaseTerm(
                run_id=run_id,
                granted_at=granted_at,
                renewed_at=_time(fields.get("lease_renewed_at")),
                ends_at=ends_at,
                age_s=None if granted_at is None else now - granted_at,
            )
        )
    return terms


def take_lease(store: Store, run_id: str, instance_id: str) -> bool:
    """Takes a run's lease away; False if it has none. The run's outcome must be written before."""
    taken: int = store.script(
        "take_lease",
        [keys.instance_key(instance_id), keys.leases_key(instance_id)],
        [store.now(), run_id, keys.run_key("")],
    )
    return bool(taken)


def _time(text: str | None) -> float | None:
    return float(text) if text else None
