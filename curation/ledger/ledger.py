"""The ledger as a whole: the truth about runs, kept in Redis."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from curation.ledger import keys
from curation.ledger.engine import EngineLedger
from curation.ledger.leases import LeaseLedger
from curation.ledger.notices import NoticeLedger
from curation.ledger.runs import RunLedger
from curation.ledger.schedules import ScheduleLedger
from curation.ledger.steps import StepLedger
from curation.ledger.store import Store

if TYPE_CHECKING:
    from curation.price import Price
    from curation.settings import Settings


@dataclass(frozen=True)
class Ledger:
    """All parts of the ledger over one connection."""

    store: Store
    runs: RunLedger
    steps: StepLedger
    leases: LeaseLedger
    engine: EngineLedger
    schedules: ScheduleLedger
    notices: NoticeLedger

    @classmethod
    def connect(cls, settings: Settings) -> Self:
        """Returns the ledger at `REDIS_URL`; it connects on its first call."""
        store = Store.connect(settings.broker.redis_url.get_secret_value())
        return cls.over(
            store,
            retention_days=settings.run.run_retention_days,
            lease_ttl_s=settings.run.lease_ttl_s,
            price=settings.cost.price,
        )

    @classmethod
    def over(
        cls,
        store: Store,
        *,
        retention_days: float,
        lease_ttl_s: float,
        price: Price | None = None,
    ) -> Self:
        """Returns the ledger over a store.

        Args:
            store: The Redis connection.
            retention_days: Days that an ended run is kept.
            lease_ttl_s: Seconds that a lease lives without renewal.
            price: Of the instance, if it is known.
        """
        return cls(
            store=store,
            runs=RunLedger(store, retention_days=retention_days, price=price),
            steps=StepLedger(store),
            leases=LeaseLedger(store, ttl_s=lease_ttl_s),
            engine=EngineLedger(store),
            schedules=ScheduleLedger(store),
            notices=NoticeLedger(store),
        )

    def note_round(self, *, pause_s: float) -> None:
        """Notes that the reaper begins a round that beat asked for.

        Args:
            pause_s: Seconds without a round after which this one comes after a pause. A clock that
                was set looks the same, and must be borne in the same way.
        """
        now, last = self.store.now(), self.last_round()
        fields = {"last_round_at": repr(now)}
        if last is not None and not 0 <= now - last <= pause_s:
            fields["resumed_at"] = repr(now)
        self.store.set_fields(keys.REAPER, fields)

    def last_round(self) -> float | None:
        """Returns when that was, or None if it never was."""
        return self._noted("last_round_at")

    def since_pause_s(self) -> float:
        """Returns the seconds since the first round after a pause."""
        return self.store.now() - (self._noted("resumed_at") or 0.0)

    def _noted(self, field: str) -> float | None:
        noted = self.store.hash_of(keys.REAPER).get(field)
        return float(noted) if noted else None
