"""The budget of a month: how much of it is spent, what is told, and what is refused."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from curation.errors import OperatorError
from curation.ledger.bill import billed_days, day_of

if TYPE_CHECKING:
    from curation.ledger.store import Store
    from curation.setting_groups import CostSettings

# Shares of the budget, in percent, at which a message is sent, once in a month.
MILESTONES = (80, 100)


@dataclass(frozen=True)
class Budget:
    """A month's budget, as far as it is spent.

    Attributes:
        month: The month (UTC), `2026-11`.
        spent: What all instances have cost in it, held by runs or not.
        limit: What they may cost.
        currency: Of both.
    """

    month: str
    spent: float
    limit: float
    currency: str

    @property
    def percent(self) -> float:
        """The share that is spent."""
        return 100 * self.spent / self.limit

    @property
    def milestone(self) -> int | None:
        """The highest milestone that is reached, in percent."""
        return max((mark for mark in MILESTONES if self.percent >= mark), default=None)

    def __str__(self) -> str:
        return (
            f"{self.spent:.2f} of {self.limit:.2f} {self.currency} "
            f"({self.percent:.0f} %) of the budget for {self.month} are spent"
        )


def this_month(store: Store, settings: CostSettings) -> Budget | None:
    """Returns the budget of the present month (UTC), or None without one."""
    if settings.budget_per_month is None or settings.price is None:
        return None
    month = f"{day_of(store.now()):%Y-%m}"
    seconds = sum(
        billed.seconds for day, billed in billed_days(store).items() if f"{day:%Y-%m}" == month
    )
    return Budget(
        month=month,
        spent=settings.price.of(seconds),
        limit=settings.budget_per_month,
        currency=settings.price_currency,
    )


def check_budget(store: Store, settings: CostSettings) -> None:
    """Refuses a run that would need the instance when the month's budget is spent.

    Raises:
        OperatorError: If it is spent, and `BUDGET_ACTION` is `refuse`.
    """
    if settings.budget_action != "refuse":
        return
    budget = this_month(store, settings)
    if budget and budget.spent >= budget.limit:
        raise OperatorError(
            f"{budget}, so no run that needs the instance is taken on (BUDGET_ACTION=refuse). "
            "Raise BUDGET_PER_MONTH, set BUDGET_ACTION=warn, or wait for the next month; runs "
            "that have begun go on. `curate cost --by day` shows what it went for.",
            code="budget:reached",
        )
