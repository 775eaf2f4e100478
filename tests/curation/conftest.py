"""A ledger over a real server, with a clock that the test moves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from curation.ledger.ledger import Ledger
from curation.ledger.store import Store
from tests.support.clock import Clock

if TYPE_CHECKING:
    from redis import Redis


@pytest.fixture
def clock() -> Clock:
    """The ledger's time, as the test says."""
    return Clock()


@pytest.fixture
def ledger(redis_client: Redis, clock: Clock) -> Ledger:
    """An empty ledger: leases live 100 s, runs are kept 1 day."""
    return Ledger.over(Store(redis_client, clock=clock), retention_days=1, lease_ttl_s=100)
