"""What runs have cost: by run, by source, by day and by month, all from the ledger."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from curation.ledger.bill import Billed, day_of
from curation.links import public_url
from curation.states import StepState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from curation.models import Run
    from curation.price import Price


@dataclass(frozen=True)
class Span:
    """Some days (UTC), the first and the last included."""

    first: date = date.min
    last: date = date.max

    def runs(self, newest: Iterable[Run]) -> Iterator[Run]:
        """Yields those of the runs, newest first, that were asked for in this time."""
        for run in newest:
            if (day := day_of(run.created_at)) < self.first:
                return
            if day <= self.last:
                yield run

    def days(self, billed: Mapping[date, Billed]) -> dict[date, Billed]:
        """Returns those of the billed days that lie in this time."""
        return {day: sums for day, sums in billed.items() if self.first <= day <= self.last}


@dataclass(frozen=True)
class Line:
    """What some runs have cost together.

    Attributes:
        key: What they have in common.
        n_runs: How many they are.
        seconds: Instance-seconds.
        money: The same in money, None if no price is known.
        n_selected: Frames that they have selected, each frame counted once.
    """

    key: str
    n_runs: int
    seconds: float
    money: float | None
    n_selected: int

    @property
    def per_frame(self) -> float | None:
        """Money for each selected frame."""
        return self.money / self.n_selected if self.money is not None and self.n_selected else None


def by_run(runs: Iterable[Run], price: Price | None) -> list[Line]:
    """Returns a line for each run, in order; its key is the run's id."""
    return [_line(run.run_id, [run], price) for run in runs]


def by_source(runs: Iterable[Run], price: Price | None) -> list[Line]:
    """Returns a line for each source, the one that has cost most first."""
    groups = _grouped(runs, lambda run: public_url(run.request.source))
    lines = [_line(source, group, price) for source, group in groups.items()]
    return sorted(lines, key=lambda line: line.seconds, reverse=True)


def by_day(runs: Iterable[Run], days: Mapping[date, Billed], price: Price | None) -> list[Line]:
    """Returns a line for each day (UTC) with its billed seconds, the newest first.

    Runs and frames are those that were asked for on that day. The seconds are known for longer
    than the runs.
    """
    return _by_time(runs, days, price, name=str)


def by_month(runs: Iterable[Run], days: Mapping[date, Billed], price: Price | None) -> list[Line]:
    """Returns a line for each month (UTC), as `by_day`."""
    return _by_time(runs, days, price, name=lambda day: f"{day:%Y-%m}")


def unheld(days: Mapping[date, Billed], price: Price | None) -> Line:
    """Returns the line of what was paid for while no run held the instance."""
    seconds = sum(sums.unheld_s for sums in days.values())
    return Line("unheld", 0, seconds, price.of(seconds) if price else None, 0)


def total(lines: Iterable[Line]) -> Line:
    """Returns one line for all of them."""
    found = list(lines)
    money = [line.money for line in found if line.money is not None]
    return Line(
        key="total",
        n_runs=sum(line.n_runs for line in found),
        seconds=sum(line.seconds for line in found),
        money=sum(money) if money else None,
        n_selected=sum(line.n_selected for line in found),
    )


def _by_time(
    runs: Iterable[Run],
    days: Mapping[date, Billed],
    price: Price | None,
    *,
    name: Callable[[date], str],
) -> list[Line]:
    held: defaultdict[str, float] = defaultdict(float)
    for day, sums in days.items():
        held[name(day)] += sums.held_s
    groups = _grouped(runs, lambda run: name(day_of(run.created_at)))
    keys = sorted({*held, *groups}, reverse=True)
    return [_line(key, groups.get(key, []), price, seconds=held.get(key, 0.0)) for key in keys]


def _grouped(runs: Iterable[Run], key: Callable[[Run], str]) -> dict[str, list[Run]]:
    groups: defaultdict[str, list[Run]] = defaultdict(list)
    for run in runs:
        groups[key(run)].append(run)
    return dict(groups)


def _line(
    key: str, runs: Sequence[Run], price: Price | None, *, seconds: float | None = None
) -> Line:
    if seconds is None:
        seconds = sum(run.cost.instance_seconds or 0.0 for run in runs)
    money = price.of(seconds) if price else None
    return Line(key, len(runs), seconds, money, sum(map(_brought, runs)))


def _brought(run: Run) -> int:
    """Returns how many frames a run has selected itself, not taken over from an earlier run."""
    if run.same_as or run.steps.run_selection.state is StepState.SKIPPED:
        return 0
    return run.selection.n_selected or 0
