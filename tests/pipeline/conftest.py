"""Celery's app of this process, led to this session's broker once and for all."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pipeline import client
from pipeline.celery import app
from workers.base import wiring

if TYPE_CHECKING:
    from collections.abc import Iterator

    from redis import Redis

    from curation.ledger.ledger import Ledger


@pytest.fixture(scope="session")
def broker_url(valkey: str) -> str:
    """URL of the broker to which the app points; its connections are kept until the end."""
    app.conf.update(broker_url=valkey, result_backend=valkey)
    return valkey


@pytest.fixture
def ledger(
    broker_url: str, redis_client: Redis, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Ledger]:
    """An empty ledger, to which this process leads."""
    assert redis_client.dbsize() == 0
    monkeypatch.setenv("REDIS_URL", broker_url)
    for remembered in (client.settings, client.ledger, wiring):
        remembered.cache_clear()
    yield client.ledger()
    for remembered in (client.settings, client.ledger, wiring):
        remembered.cache_clear()
