from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from curation.errors import OperatorError
from curation.ledger.ledger import Ledger
from curation.models import Cost
from curation.price import Price
from curation.settings import Settings
from tests.support.requests import new_run

if TYPE_CHECKING:
    from redis import Redis

PRICE = Price(per_hour=0.36, currency="EUR", source="an invoice of 2026-11")


def cost_of(ledger: Ledger, **facts: float) -> Cost:
    """What a run with these facts has cost."""
    run_id = new_run(ledger)
    ledger.runs.update(run_id, **facts)
    return ledger.runs.get(run_id).cost


@pytest.fixture
def priced(ledger: Ledger) -> Ledger:
    """A ledger that knows the price."""
    return Ledger.over(ledger.store, retention_days=1, lease_ttl_s=100, price=PRICE)


def test_of__is_by_the_second() -> None:
    """An hour costs its price, and a second its part of it."""
    assert PRICE.of(3600) == pytest.approx(0.36)
    assert PRICE.of(1) == pytest.approx(0.0001)


def test_cost__is_money_by_run_and_frame(priced: Ledger) -> None:
    """A run's share of the instance has its price, and so has each frame that it selected."""
    cost = cost_of(priced, instance_seconds=1000.0, **{"selection.n_selected": 50})

    assert cost.model_dump() == {
        "instance_seconds": 1000.0,
        "money": pytest.approx(0.1),
        "currency": "EUR",
        "per_frame": pytest.approx(0.002),
    }


def test_cost__without_frames_has_none_per_frame(priced: Ledger) -> None:
    """A run that has selected nothing (yet) divides by nothing."""
    assert cost_of(priced, instance_seconds=1000.0).per_frame is None
    assert cost_of(priced, **{"selection.n_selected": 0}, instance_seconds=1.0).per_frame is None


def test_cost__without_price_or_seconds_is_no_money(ledger: Ledger, priced: Ledger) -> None:
    """What is not known is null, and not nought."""
    assert cost_of(ledger, instance_seconds=9.0) == Cost(instance_seconds=9.0)
    assert cost_of(priced) == Cost()


def test_connect__takes_the_price_from_the_settings(
    valkey: str, redis_client: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever reads the ledger by the settings sees money."""
    assert redis_client.dbsize() == 0
    monkeypatch.setenv("REDIS_URL", valkey)
    monkeypatch.setenv("INSTANCE_PRICE_PER_HOUR", "3.6")
    monkeypatch.setenv("PRICE_CURRENCY", "CHF")

    cost = cost_of(Ledger.connect(Settings()), instance_seconds=10.0)

    assert cost.money == pytest.approx(0.01)
    assert cost.currency == "CHF"


def test_settings__a_budget_needs_a_price(monkeypatch: pytest.MonkeyPatch) -> None:
    """A budget that nobody can reckon with is refused, and the message names what is missing."""
    monkeypatch.setenv("BUDGET_PER_MONTH", "50")

    with pytest.raises(OperatorError, match="not known without INSTANCE_PRICE_PER_HOUR"):
        _ = Settings().cost

    monkeypatch.setenv("INSTANCE_PRICE_PER_HOUR", "0.5")
    assert Settings().cost.budget_per_month == 50.0


def test_settings__a_wrong_price_is_one_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the price is complained of, not the budget that needs it."""
    monkeypatch.setenv("BUDGET_PER_MONTH", "50")
    monkeypatch.setenv("INSTANCE_PRICE_PER_HOUR", "cheap")

    with pytest.raises(OperatorError) as caught:
        _ = Settings().cost

    assert "INSTANCE_PRICE_PER_HOUR: 'cheap' is not usable" in str(caught.value)
    assert "BUDGET_PER_MONTH" not in str(caught.value)
