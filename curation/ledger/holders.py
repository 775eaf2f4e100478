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


@dataclass(frozen=True)
class Sighting:
    """When an instance was last looked at; all times in seconds since the epoch, None if never.

    Attributes:
        seen_at: When EC2 last told its state.
        unheld_since: Since when it runs although no run holds it.
        tagged_at: When the end of the lease was last written into its tag.
        watchdog_told_at: When its watchdog was last sent the end of the lease.
        watchdog_failed: Whether the last try to do so has failed.
    """

    seen_at: float | None
    unheld_since: float | None
    tagged_at: float | None
    watchdog_told_at: float | None
    watchdog_failed: bool


def sighting(store: Store, instance_id: str) -> Sighting:
    """Returns when an instance was last looked at, and what its watchdog knows."""
    fields = store.hash_of(keys.instance_key(instance_id))
    told = fields.get("shell_renewed")
    return Sighting(
        seen_at=_time(fields.get("seen_at")),
        unheld_since=_time(fields.get("marked_at")),
        tagged_at=_renewed(fields.get("tag_renewed")),
        watchdog_told_at=_renewed(told),
        watchdog_failed=told == "failed",
    )


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
        [keys.instance_key(instance_id), keys.leases_key(instance_id), keys.BILLED],
        [store.now(), run_id, keys.run_key("")],
    )
    return bool(taken)


def _time(text: str | None) -> float | None:
    return float(text) if text else None


def _renewed(noted: str | None) -> float | None:
    """Returns the time of `boot time`, which claim_renewal.lua writes."""
    return float(noted.split()[1]) if noted and noted != "failed" else None
