"""What runs have cost: by day, by source and by run, all from the ledger."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from curation.links import public_url

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from curation.models import Run


@dataclass(frozen=True)
class Line:
    """What some runs have cost together.

    Attributes:
        key: What they have in common.
        n_runs: How many they are.
        seconds: Instance-seconds.
        money: The same in money, None if no price is known.
        n_selected: Frames that they have selected.
    """

    key: str
    n_runs: int
    seconds: float
    money: float | None
    n_selected: int


def by_day(runs: Iterable[Run]) -> list[Line]:
    """Returns a line for each day (UTC) on which a run was asked for, the newest first."""
    lines = _lines(runs, lambda run: f"{datetime.fromtimestamp(run.created_at, tz=UTC):%Y-%m-%d}")
    return sorted(lines, key=lambda line: line.key, reverse=True)


def by_source(runs: Iterable[Run]) -> list[Line]:
    """Returns a line for each source, the one that has cost most first."""
    lines = _lines(runs, lambda run: public_url(run.request.source))
    return sorted(lines, key=lambda line: line.seconds, reverse=True)


def total(runs: Iterable[Run]) -> Line:
    """Returns one line for all of them."""
    return _line("all", list(runs))


def money_of(run: Run) -> float | None:
    """Returns what a run has cost in money, if a price is known."""
    money: float | None = run.cost.model_dump().get("money")
    return money


def currency_of(runs: Iterable[Run]) -> str:
    """Returns the currency in which they were priced, or an empty string."""
    found = (run.cost.model_dump().get("currency") for run in runs)
    return next((str(currency) for currency in found if currency), "")


def _lines(runs: Iterable[Run], key: Callable[[Run], str]) -> list[Line]:
    groups: defaultdict[str, list[Run]] = defaultdict(list)
    for run in runs:
        groups[key(run)].append(run)
    return [_line(name, group) for name, group in groups.items()]


def _line(key: str, runs: list[Run]) -> Line:
    sums = [money for run in runs if (money := money_of(run)) is not None]
    return Line(
        key=key,
        n_runs=len(runs),
        seconds=sum(run.cost.instance_seconds or 0.0 for run in runs),
        money=sum(sums) if sums else None,
        n_selected=sum(run.selection.n_selected or 0 for run in runs),
    )
