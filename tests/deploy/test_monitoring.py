"""Dashboard, alert rules and their documentation speak of metrics that really exist."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families
from starlette.routing import Route

from curation.budget import MILESTONES
from curation.ledger.ledger import Ledger
from curation.ledger.store import Store
from curation.metrics.collector import exposition
from curation.setting_groups import CostSettings
from curation.states import InstanceState
from pipeline.web.metrics import router
from tests.support.requests import new_run

if TYPE_CHECKING:
    from collections.abc import Iterator

    from redis import Redis

ROOT = Path(__file__).parents[2]
RULES = ROOT / "deploy/prometheus/alerts.yaml"
BOX = "i-0123456789abcdef0"
METRIC = re.compile(r"\bcuration_\w+")
# Labels in a selector, and those that a sum keeps, drops or ignores.
LABELS = re.compile(r"[{,]\s*(\w+)\s*[=!]~?|\b(?:by|without|ignoring|on)\s*\(([^)]*)\)")


@pytest.fixture
def samples(redis_client: Redis) -> dict[str, set[str]]:
    """Every sample of an installation at work, with the labels it has."""
    ledger = Ledger.over(Store(redis_client), retention_days=1, lease_ttl_s=100)
    ledger.leases.observe(BOX, InstanceState.RUNNING)
    ledger.leases.acquire(new_run(ledger), BOX)
    ledger.note_round(pause_s=60)
    cost = CostSettings(instance_price_per_hour=1, budget_per_month=100)
    text, _ = exposition(ledger.store, BOX, cost)
    return {
        sample.name: set(sample.labels)
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }


def alerts() -> list[dict[str, Any]]:
    """The alert rules."""
    rules = yaml.safe_load(RULES.read_text(encoding="utf-8"))
    return [rule for group in rules["groups"] for rule in group["rules"]]


def panels() -> list[dict[str, Any]]:
    """The panels of the dashboard, without the headings between them."""
    dashboard = json.loads((ROOT / "deploy/grafana/dashboard.json").read_text(encoding="utf-8"))
    return [panel for panel in dashboard["panels"] if panel["type"] != "row"]


def expressions() -> Iterator[str]:
    """All queries of alerts and dashboard."""
    yield from (rule["expr"] for rule in alerts())
    yield from (target["expr"] for panel in panels() for target in panel["targets"])


def labels_in(expression: str) -> set[str]:
    """The labels that a query names."""
    found = {
        name for pair in LABELS.findall(expression) for part in pair for name in part.split(",")
    }
    return {name.strip() for name in found} - {""}


def test_queries__name_metrics_that_exist(samples: dict[str, set[str]]) -> None:
    """No alert waits, and no panel is empty, because of a name that nobody exports."""
    named = {name for expression in expressions() for name in METRIC.findall(expression)}

    assert named - samples.keys() == set()


def test_queries__name_labels_that_exist(samples: dict[str, set[str]]) -> None:
    """A selector or a sum names labels of the metrics in its query."""
    for expression in expressions():
        known = set().union(*(samples[name] for name in METRIC.findall(expression)))
        assert labels_in(expression) - known == set(), expression


def test_labels_in__finds_them() -> None:
    """Selectors and sums are both read."""
    found = labels_in('sum by (le, step) (rate(a{x="1",y!~"2"}[5m])) / ignoring(z) b')

    assert found == {"le", "step", "x", "y", "z"}


def test_alerts__each_has_its_paragraph() -> None:
    """Whoever is woken up finds what the alert means and what to do."""
    document = (ROOT / "docs/monitoring.md").read_text(encoding="utf-8")

    for rule in alerts():
        name = rule["alert"]
        assert f"\n### {name}\n" in document
        assert rule["annotations"]["runbook"] == f"docs/monitoring.md#{name.lower()}"
        assert rule["labels"]["severity"] in {"critical", "warning"}


def test_alerts__of_the_budget_fire_where_messages_are_sent() -> None:
    """Whoever reads messages and whoever reads alerts hears of the same shares, in percent."""
    expressions = [rule["expr"] for rule in alerts() if rule["alert"].startswith("CurationBudget")]

    shares = {float(share) for text in expressions for share in re.findall(r">= ([\d.]+)", text)}

    assert {round(100 * share) for share in shares} == set(MILESTONES)


def test_document__lists_every_metric(samples: dict[str, set[str]]) -> None:
    """What is exported is documented with its labels, and nothing else is."""
    document = (ROOT / "docs/monitoring.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(curation_\w+)` \| (.*?) \|", document, re.MULTILINE)

    documented = {name: set(re.findall(r"`(\w+)`", labels)) for name, labels in rows}

    exported = {
        re.sub(r"_(bucket|count|sum)$", "", name): labels - {"le"}
        for name, labels in samples.items()
        if not name.endswith("_created")
    }
    assert documented == exported


def test_panels__do_not_overlap() -> None:
    """Each panel has a title, a unit and a place of its own."""
    taken: set[tuple[int, int]] = set()
    for panel in panels():
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        assert place["x"] + place["w"] <= 24
        assert panel["fieldConfig"]["defaults"]["unit"]
        taken |= cells


def test_prometheus__scrapes_what_there_is() -> None:
    """The example of a configuration loads our rules and asks the address that answers."""
    config = yaml.safe_load(RULES.with_name("prometheus.yml").read_text(encoding="utf-8"))

    (job,) = config["scrape_configs"]
    assert [RULES.with_name(name).exists() for name in config["rule_files"]] == [True]
    assert job["metrics_path"] in {
        route.path for route in router.routes if isinstance(route, Route)
    }
    assert "password" not in job["basic_auth"]  # in a file, never in here


def test_alert_tests__cover_every_alert() -> None:
    """Each alert is seen firing in the rules' own tests, which Prometheus carries out."""
    tests = RULES.with_name("alerts_test.yaml").read_text(encoding="utf-8")

    fired = set(re.findall(r'alertname="(\w+)"', tests))

    assert fired == {rule["alert"] for rule in alerts()}


def test_rules__hold_where_prometheus_is_installed(tmp_path: Path) -> None:
    """Prometheus' own tool accepts all queries, and sees each alert fire when it should."""
    queries = [
        {"record": "query", "expr": expression.replace("$__range", "1h")}
        for expression in expressions()
    ]
    written = tmp_path / "queries.yaml"
    written.write_text(json.dumps({"groups": [{"name": "all", "rules": queries}]}))
    promtool = shutil.which("promtool")

    done = [
        subprocess.run([promtool, *arguments], cwd=RULES.parent, capture_output=True, check=False)
        for arguments in (["check", "rules", written], ["test", "rules", "alerts_test.yaml"])
        if promtool  # a package of Debian's; where it is missing, the tests above must do
    ]

    assert [process.stdout for process in done if process.returncode] == []
