from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from curation.budget import Budget, check_budget, this_month
from curation.errors import OperatorError
from curation.setting_groups import CostSettings
from curation.states import InstanceState

if TYPE_CHECKING:
    from curation.ledger.ledger import Ledger
    from tests.support.clock import Clock

BOX = "i-0123456789abcdef0"
DAY_S = 86_400.0


@pytest.fixture
def costs() -> CostSettings:
    """Settings by which a day of the instance costs 24, and a month may cost 48."""
    return CostSettings(instance_price_per_hour=1.0, budget_per_month=48.0, budget_action="refuse")


def spend(ledger: Ledger, clock: Clock, *, seconds: float) -> None:
    """Lets the instance run."""
    ledger.leases.observe(BOX, InstanceState.RUNNING)
    clock.forward(seconds)
    ledger.leases.observe(BOX, InstanceState.STOPPED)


def test_this_month__counts_what_nobody_held_too(
    ledger: Ledger, clock: Clock, costs: CostSettings
) -> None:
    """What is spent is what is paid for: all billed seconds of the month."""
    spend(ledger, clock, seconds=DAY_S)

    budget = this_month(ledger.store, costs)

    # The fixture's clock begins on 2027-01-15.
    assert budget is not None
    assert str(budget) == "24.00 of 48.00 USD (50 %) of the budget for 2027-01 are spent"


def test_this_month__begins_anew(ledger: Ledger, clock: Clock, costs: CostSettings) -> None:
    """A new month (UTC) has spent nothing."""
    spend(ledger, clock, seconds=DAY_S)
    clock.forward(20 * DAY_S)

    budget = this_month(ledger.store, costs)

    assert budget is not None
    assert (budget.month, budget.spent) == ("2027-02", 0.0)


def test_this_month__without_a_budget_is_none(ledger: Ledger) -> None:
    """Nobody has to have a budget."""
    assert this_month(ledger.store, CostSettings(instance_price_per_hour=1.0)) is None
    check_budget(ledger.store, CostSettings(budget_action="refuse"))


@pytest.mark.parametrize(
    ("spent", "milestone"), [(0.0, None), (79.9, None), (80.0, 80), (99.9, 80), (100.0, 100)]
)
def test_milestone__is_the_highest_reached(spent: float, milestone: int | None) -> None:
    """There is a message at 80 and at 100 percent."""
    assert Budget("2026-11", spent, 100.0, "USD").milestone == milestone


def test_check_budget__refuses_what_would_be_beyond(
    ledger: Ledger, clock: Clock, costs: CostSettings
) -> None:
    """A spent budget refuses; the message names month, amount and what to do."""
    spend(ledger, clock, seconds=2 * DAY_S - 60)
    check_budget(ledger.store, costs)
    spend(ledger, clock, seconds=60)

    with pytest.raises(OperatorError, match=r"48.00 of 48.00 USD .* 2027-01.* Raise BUDGET_PER_M"):
        check_budget(ledger.store, costs)


def test_check_budget__only_warns_by_default(
    ledger: Ledger, clock: Clock, costs: CostSettings
) -> None:
    """Unless refusing is asked for, nothing is refused."""
    spend(ledger, clock, seconds=9 * DAY_S)

    check_budget(ledger.store, costs.model_copy(update={"budget_action": "warn"}))
