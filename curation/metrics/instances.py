"""Metrics of the instance: its state, who holds it, and the seconds that cost money."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

from curation.ledger import keys
from curation.ledger.holders import lease_terms, sighting
from curation.states import InstanceState

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_client import Metric

    from curation.ledger.store import Store


def instance(store: Store, instance_id: str) -> Iterator[Metric]:
    """Yields the metrics, read in six round trips.

    Args:
        store: The Redis connection.
        instance_id: The instance.
    """
    fields = store.hash_of(keys.instance_key(instance_id))
    yield _state(instance_id, fields.get("state"))
    yield _billed(instance_id, fields)
    yield from _leases(store, instance_id)
    seen, now = sighting(store, instance_id), store.now()
    since = {
        "curation_instance_seen_age_seconds": (
            "Seconds since EC2 last told the instance's state",
            seen.seen_at,
        ),
        "curation_instance_unheld_age_seconds": (
            "Seconds for which the instance has run although no run held it; 0 when it does not",
            seen.unheld_since or now,
        ),
    }
    for name, (meaning, moment) in since.items():
        if moment is not None:
            yield _gauge(name, meaning, instance_id, max(now - moment, 0.0))
    yield _gauge(
        "curation_instance_watchdog_failed",
        "Whether the last try to tell the watchdog the end of the lease has failed (1)",
        instance_id,
        float(seen.watchdog_failed),
    )


def _state(instance_id: str, now_in: str | None) -> Metric:
    family = GaugeMetricFamily(
        "curation_instance_state",
        "Whether this is the state in which EC2 last showed the instance (1); all 0: not seen yet",
        labels=["instance_id", "state"],
    )
    for state in InstanceState:
        family.add_metric([instance_id, state.value], float(state == now_in))
    return family


def _billed(instance_id: str, fields: dict[str, str]) -> Metric:
    family = CounterMetricFamily(
        "curation_instance_billed_seconds",
        "Seconds that the instance was pending or running, and whether runs held it",
        labels=["instance_id", "held"],
    )
    for held, field in (("yes", "held_seconds"), ("no", "unheld_seconds")):
        family.add_metric([instance_id, held], float(fields.get(field, "0")))
    return family


def _leases(store: Store, instance_id: str) -> Iterator[Metric]:
    terms = lease_terms(store, instance_id)
    yield _gauge("curation_leases", "Runs that hold the instance", instance_id, len(terms))
    yield _gauge(
        "curation_lease_oldest_age_seconds",
        "Seconds for which the oldest lease has been held; 0 without one",
        instance_id,
        max((term.age_s or 0.0 for term in terms), default=0.0),
    )


def _gauge(name: str, meaning: str, instance_id: str, value: float) -> Metric:
    family = GaugeMetricFamily(name, meaning, labels=["instance_id"])
    family.add_metric([instance_id], value)
    return family
