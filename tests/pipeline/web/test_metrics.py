from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client.parser import text_string_to_metric_families

if TYPE_CHECKING:
    from tests.support.web import Site


def test_metrics__are_there_for_who_has_the_password(site: Site) -> None:
    """A scraper comes with the login of the pages, and gets all metrics in its format."""
    answer = site.get("/metrics")

    families = list(text_string_to_metric_families(answer.text))
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=")
    assert {"curation_redis_up", "curation_runs_ended"} <= {family.name for family in families}


def test_metrics__are_for_nobody_else(site: Site) -> None:
    """What runs, and what it costs, is nobody else's business."""
    answer = site.ask("GET", "/metrics")

    assert answer.status_code == 401
    assert "curation_" not in answer.text


def test_metrics__are_only_read(site: Site) -> None:
    """Whoever sends something is led to the API, which has no such address."""
    assert site.api("POST", "/metrics").status_code == 404
