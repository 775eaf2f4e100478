"""Metrics of runs that have not ended: how many, how old, how near to their deadline."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from prometheus_client.core import GaugeMetricFamily

from curation.ledger import keys
from curation.states import RunState

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_client import Metric

    from curation.ledger.store import Store

# Of more runs than this, those with the latest deadlines are counted, but not looked at.
MOST_READ = 500
UNREAD = "unread"


def active(store: Store) -> Iterator[Metric]:
    """Yields the metrics, read in four round trips."""
    now = store.now()
    deadlines = store.scores_of(keys.ACTIVE, most=MOST_READ)
    (number,) = store.lengths_of(sorted_sets=[keys.ACTIVE])
    ages: dict[str, list[float]] = defaultdict(list)
    read = store.fields_of([keys.run_key(run_id) for run_id in deadlines], "state", "created_at")
    for state, created_at in read:
        if state and created_at:
            ages[state].append(now - float(created_at))
    yield _numbers({state: len(of) for state, of in ages.items()}, number - len(deadlines))
    yield _oldest({state: max(of) for state, of in ages.items()})
    yield _next_deadline(deadlines, now)


def _numbers(known: dict[str, int], unread: int) -> Metric:
    family = GaugeMetricFamily(
        "curation_runs_active",
        f"Runs that have not ended, by state; beyond {MOST_READ} the state is '{UNREAD}'",
        labels=["state"],
    )
    states = [state.value for state in RunState if not state.is_end]
    for state, number in (dict.fromkeys(states, 0) | known | {UNREAD: max(unread, 0)}).items():
        family.add_metric([state], number)
    return family


def _oldest(ages_s: dict[str, float]) -> Metric:
    family = GaugeMetricFamily(
        "curation_run_oldest_age_seconds",
        "Seconds since the oldest active run of each state was created",
        labels=["state"],
    )
    for state, age_s in ages_s.items():
        family.add_metric([state], age_s)
    return family


def _next_deadline(deadlines: dict[str, float], now: float) -> Metric:
    family = GaugeMetricFamily(
        "curation_run_next_deadline_seconds",
        "Seconds until the first deadline of an active run; below 0 when it has passed",
    )
    if deadlines:
        family.add_metric([], min(deadlines.values()) - now)
    return family
