"""Sums over all runs and steps that ever ended, as `count.lua` writes them; metrics read them."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, Self

from curation.ledger import keys

if TYPE_CHECKING:
    from collections.abc import Mapping

    from curation.ledger.store import Store

# Bucket k holds what took at most 2^k seconds; the one after these has all that took longer.
BOUNDS_S = tuple(2**k for k in range(17))


@dataclass(frozen=True)
class Histogram:
    """How long something took.

    Attributes:
        counts: For each of `BOUNDS_S`, and then for all, how many took no longer.
        sum_s: Seconds that all of them took together.
    """

    counts: tuple[int, ...]
    sum_s: float


@dataclass(frozen=True)
class Counters:
    """The sums, as they were read at one time.

    Attributes:
        fields: Their hash. The words of a field are separated by `|`; the first says what it sums.
    """

    fields: Mapping[str, str]

    @classmethod
    def read(cls, store: Store) -> Self:
        """Reads all of them in one round trip."""
        return cls(store.hash_of(keys.COUNTERS))

    def total(self, *words: str) -> int:
        """Returns one sum; 0 if nothing was counted yet."""
        return int(self.fields.get("|".join(words), "0"))

    def labelled(self, name: str) -> dict[tuple[str, ...], int]:
        """Returns the sums of this name by the words that follow it."""
        split = [(field.split("|"), value) for field, value in self.fields.items()]
        return {tuple(words): int(value) for (first, *words), value in split if first == name}

    def histogram(self, *words: str) -> Histogram:
        """Returns how long something took; zeros if it never was."""
        own = [self.total(*words, str(bucket)) for bucket in range(len(BOUNDS_S) + 1)]
        sum_s = float(self.fields.get("|".join([*words, "sum"]), "0"))
        return Histogram(counts=tuple(accumulate(own)), sum_s=sum_s)
