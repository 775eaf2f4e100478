"""Computes all metrics at scrape time, so that no process has to keep or to merge any."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from prometheus_client.core import CollectorRegistry, GaugeMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from curation.errors import CurationError
from curation.metrics import broker, budget, instances, runs, steps

if TYPE_CHECKING:
    from collections.abc import Iterable

    from prometheus_client import Metric

    from curation.ledger.store import Store
    from curation.setting_groups import CostSettings

log = logging.getLogger(__name__)


class LedgerCollector(Collector):
    """All metrics of the pipeline. A scrape costs about a dozen round trips, however many runs.

    Args:
        store: The Redis connection.
        instance_id: The instance, if there is one.
        cost: Price and budget.
    """

    def __init__(self, store: Store, instance_id: str | None, cost: CostSettings) -> None:
        self._store = store
        self._instance_id = instance_id
        self._cost = cost

    def collect(self) -> Iterable[Metric]:
        """Returns the metrics; without Redis only that it is away."""
        try:
            found = list(self._read())
        except CurationError as error:
            log.warning("No metrics: %s", error)
            found = []
        answers = GaugeMetricFamily(
            "curation_redis_up", "Whether Redis answered this scrape (1) or not (0)"
        )
        answers.add_metric([], float(bool(found)))
        return [answers, *found]

    def describe(self) -> Iterable[Metric]:
        """Returns nothing: what there is to measure is not asked before the first scrape."""
        return []

    def _read(self) -> Iterable[Metric]:
        yield from runs.active(self._store)
        yield from steps.ended(self._store)
        yield from broker.messages(self._store)
        yield from budget.spent(self._store, self._cost)
        if self._instance_id:
            yield from instances.instance(self._store, self._instance_id)


def exposition(
    store: Store, instance_id: str | None, cost: CostSettings, *, accept: str = ""
) -> tuple[bytes, str]:
    """Returns one scrape as text, and its content type.

    Args:
        store: The Redis connection.
        instance_id: The instance, if there is one.
        cost: Price and budget.
        accept: The scraper's Accept header; by default it gets Prometheus' text format.
    """
    registry = CollectorRegistry()
    registry.register(LedgerCollector(store, instance_id, cost))
    encode, content_type = choose_encoder(accept)
    return encode(registry), content_type
