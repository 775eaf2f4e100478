"""What an hour of the instance costs, and so what its seconds do."""

from __future__ import annotations

from dataclasses import dataclass

_HOUR_S = 3600.0


@dataclass(frozen=True)
class Price:
    """A price of the instance, as somebody has looked it up.

    Attributes:
        per_hour: Money for an hour of `pending` or `running`.
        currency: Three letters, ISO 4217.
        source: Where the price is from, to be named beside what is reckoned with it.
    """

    per_hour: float
    currency: str
    source: str | None = None

    def of(self, seconds: float) -> float:
        """Returns what so many billed seconds cost."""
        return seconds * self.per_hour / _HOUR_S
