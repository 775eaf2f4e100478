"""Metrics of the broker: messages that wait, messages at work, and whether beat ticks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client.core import GaugeMetricFamily

from curation.ledger import keys

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_client import Metric

    from curation.ledger.store import Store

QUEUES = ("ingest", "compute", "selection", "engine", "reaper", "reports")
# kombu's Redis transport keeps the messages of each priority in a list of its own; the list of
# priority 0 has the queue's own name (kombu/transport/redis.py: PRIORITY_STEPS, Channel.sep).
_PRIORITIES = ("", "\x06\x163", "\x06\x166", "\x06\x169")
_UNACKED = "unacked"


def messages(store: Store) -> Iterator[Metric]:
    """Yields the metrics, read in three round trips."""
    lists = [f"{queue}{priority}" for queue in QUEUES for priority in _PRIORITIES]
    *waiting, unacked = store.lengths_of(lists=lists, hashes=[_UNACKED])
    family = GaugeMetricFamily(
        "curation_queue_messages", "Messages that wait for a Celery worker", labels=["queue"]
    )
    for number, queue in enumerate(QUEUES):
        first = number * len(_PRIORITIES)
        family.add_metric([queue], sum(waiting[first : first + len(_PRIORITIES)]))
    yield family
    yield GaugeMetricFamily(
        "curation_unacked_messages",
        "Messages that Celery workers have taken and not acknowledged: at work, or due later",
        value=unacked,
    )
    yield _round_age(store)


def _round_age(store: Store) -> Metric:
    family = GaugeMetricFamily(
        "curation_reaper_round_age_seconds",
        "Seconds since the reaper began its last round, which beat asks for all the time",
    )
    noted = store.hash_of(keys.REAPER).get("last_round_at")
    if noted:
        family.add_metric([], max(store.now() - float(noted), 0.0))
    return family
