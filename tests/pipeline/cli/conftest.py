"""The command line in this process, over a real broker."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from pipeline import client
from pipeline.cli import app
from workers.base import wiring

if TYPE_CHECKING:
    from collections.abc import Iterator

    from redis import Redis

    from curation.ledger.ledger import Ledger
    from tests.support.cli import Curate


@pytest.fixture
def curate(monkeypatch: pytest.MonkeyPatch) -> Iterator[Curate]:
    """The command line, each time with its settings read anew; stderr is no terminal."""
    monkeypatch.setenv("PYTHON_DOTENV_DISABLED", "1")
    forget()
    yield lambda *arguments: CliRunner().invoke(app, arguments)
    forget()


@pytest.fixture
def ledger(
    broker_url: str, redis_client: Redis, curate: Curate, monkeypatch: pytest.MonkeyPatch
) -> Ledger:
    """An empty ledger, to which the command line points."""
    assert redis_client.dbsize() == 0
    assert curate
    monkeypatch.setenv("REDIS_URL", broker_url)
    return client.ledger()


def forget() -> None:
    """Lets the next command read its settings."""
    for remembered in (client.settings, client.ledger, wiring):
        remembered.cache_clear()
