"""Metrics of the month's budget: what it is, what is spent of it, and which share that is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client.core import GaugeMetricFamily

from curation.budget import this_month

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_client import Metric

    from curation.ledger.store import Store
    from curation.setting_groups import CostSettings


def spent(store: Store, cost: CostSettings) -> Iterator[Metric]:
    """Yields the metrics, read in two round trips; none without a price and a budget.

    Args:
        store: The Redis connection.
        cost: Price and budget.
    """
    budget = this_month(store, cost)
    if budget is None:
        return
    yield _money("curation_budget_money", "Budget of a month", budget.limit, budget.currency)
    yield _money(
        "curation_budget_spent_money",
        "What all instances have cost since the month (UTC) began, held by runs or not",
        budget.spent,
        budget.currency,
    )
    yield GaugeMetricFamily(
        "curation_budget_spent_ratio",
        "Share of the month's budget that is spent; above 1 when it is exceeded",
        value=budget.percent / 100,
    )


def _money(name: str, meaning: str, value: float, currency: str) -> Metric:
    family = GaugeMetricFamily(name, meaning, labels=["currency"])
    family.add_metric([currency], value)
    return family
