"""Billed seconds of the instance by day, as `settle.lua` adds them; they outlive the runs."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

from curation.ledger import keys

if TYPE_CHECKING:
    from curation.ledger.store import Store

_EPOCH = date(1970, 1, 1)


@dataclass(frozen=True)
class Billed:
    """Billed seconds of one day.

    Attributes:
        held_s: Those in which runs held the instance.
        unheld_s: Those in which none did: it came up, went down, or was forgotten.
    """

    held_s: float = 0.0
    unheld_s: float = 0.0

    @property
    def seconds(self) -> float:
        """All of them."""
        return self.held_s + self.unheld_s


def day_of(moment: float) -> date:
    """Returns the day (UTC) in which a moment lies, in seconds since the epoch."""
    return datetime.fromtimestamp(moment, tz=UTC).date()


def billed_days(store: Store) -> dict[date, Billed]:
    """Returns what each day has cost, of all instances together; days without cost are left out."""
    found: defaultdict[date, dict[str, float]] = defaultdict(dict)
    for field, seconds in store.hash_of(keys.BILLED).items():
        number, _, word = field.partition("|")
        found[_EPOCH + timedelta(days=int(number))][f"{word}_s"] = float(seconds)
    return {day: Billed(**seconds) for day, seconds in sorted(found.items())}
