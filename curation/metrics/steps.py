"""Metrics of what has ended: runs and steps, how long they took, and what they brought."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily

from curation.ledger.counters import BOUNDS_S, Counters
from curation.states import END_STATES, Outcome, StepName, StepState

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from prometheus_client import Metric

    from curation.ledger.counters import Histogram
    from curation.ledger.store import Store

# There from the start, because Prometheus sees no increase in a series that begins with 1.
_FORESEEN = {
    (Outcome.COMPLETED.value, ""): 0,
    (Outcome.CANCELED.value, ""): 0,
    (Outcome.FAILED.value, "ec2:stop"): 0,
}
_STEP_SUMS = {
    "attempts": ("curation_step_retries", "Deliveries of a step that met an error and try again"),
    "looks": ("curation_step_looks", "Deliveries of a step that looked and will look again"),
    "deaths": ("curation_step_deaths", "Deliveries of a step whose Celery worker died"),
}
_SUMS = {
    "bytes": ("curation_ingested_bytes", "Bytes of video ingested by runs that have ended"),
    "frames_seen": ("curation_frames_seen", "Frames that completed runs chose from"),
    "frames_selected": ("curation_frames_selected", "Frames that completed runs have selected"),
}


def ended(store: Store) -> Iterator[Metric]:
    """Yields the metrics, read in one round trip."""
    counters = Counters.read(store)
    yield _runs(counters)
    yield _durations(
        "curation_run_duration_seconds",
        "Seconds from a run's request to its end state",
        ["state"],
        {(state.value,): counters.histogram("run_seconds", state) for state in sorted(END_STATES)},
    )
    yield _durations(
        "curation_step_duration_seconds",
        "Seconds from a step's first delivery to its end, waiting included",
        ["step", "state"],
        {
            (step.value, state.value): counters.histogram("step_seconds", step, state)
            for step in StepName
            for state in StepState
            if state.is_end
        },
    )
    for key, (name, meaning) in _STEP_SUMS.items():
        yield _step_sum(name, meaning, {step.value: counters.total(key, step) for step in StepName})
    for key, (name, meaning) in _SUMS.items():
        yield CounterMetricFamily(name, meaning, value=counters.total(key))


def _runs(counters: Counters) -> Metric:
    family = CounterMetricFamily(
        "curation_runs_ended",
        "Runs in an end state, by state and by the code of their error",
        labels=["state", "code"],
    )
    for labels, number in (_FORESEEN | counters.labelled("ended")).items():
        family.add_metric(list(labels), number)
    return family


def _step_sum(name: str, meaning: str, sums: Mapping[str, int]) -> Metric:
    family = CounterMetricFamily(name, meaning, labels=["step"])
    for step, value in sums.items():
        family.add_metric([step], value)
    return family


def _durations(
    name: str,
    meaning: str,
    labels: list[str],
    histograms: Mapping[tuple[str, ...], Histogram],
) -> Metric:
    family = HistogramMetricFamily(name, meaning, labels=labels)
    bounds = [*(f"{bound:.1f}" for bound in BOUNDS_S), "+Inf"]
    for values, histogram in histograms.items():
        buckets = list(zip(bounds, map(float, histogram.counts), strict=True))
        family.add_metric(list(values), buckets, sum_value=histogram.sum_s)
    return family
