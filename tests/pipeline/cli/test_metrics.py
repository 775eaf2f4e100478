from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client.parser import text_string_to_metric_families

from sandbox.processes import free_port

if TYPE_CHECKING:
    import pytest

    from curation.ledger.ledger import Ledger
    from tests.support.cli import Curate


def test_metrics__prints_one_scrape(ledger: Ledger, curate: Curate) -> None:
    """Stdout is what a scraper would get, and nothing else."""
    assert ledger

    result = curate("metrics")

    families = {family.name for family in text_string_to_metric_families(result.stdout)}
    assert result.exit_code == 0
    assert {"curation_redis_up", "curation_runs_active"} <= families


def test_metrics__without_redis(curate: Curate, monkeypatch: pytest.MonkeyPatch) -> None:
    """That Redis is away is what the metrics say then, and the command has done its work."""
    monkeypatch.setenv("REDIS_URL", f"redis://127.0.0.1:{free_port()}/0")

    result = curate("metrics")

    assert result.exit_code == 0
    assert "curation_redis_up 0.0" in result.stdout
