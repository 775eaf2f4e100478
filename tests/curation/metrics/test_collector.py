from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from prometheus_client.parser import text_string_to_metric_families

from curation.ledger import keys
from curation.ledger.leases import Lease
from curation.ledger.steps import Turn
from curation.ledger.store import Store
from curation.metrics.collector import exposition
from curation.metrics.runs import MOST_READ
from curation.models import RunError
from curation.setting_groups import CostSettings
from curation.states import InstanceState, Outcome, RunState, StepName, StepState
from sandbox.processes import free_port
from tests.support.requests import new_run

if TYPE_CHECKING:
    from redis import Redis

    from curation.ledger.ledger import Ledger
    from tests.support.clock import Clock

BOX = "i-0123456789abcdef0"
NO_PRICE = CostSettings()


def scrape(
    store: Store, instance_id: str | None = BOX, cost: CostSettings = NO_PRICE
) -> dict[str, float]:
    """Returns each sample of a scrape under its name and labels."""
    text, _ = exposition(store, instance_id, cost)
    return {
        name_of(sample.name, sample.labels): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }


def name_of(name: str, labels: dict[str, str]) -> str:
    """Returns a sample's name as Prometheus writes it, without the instance."""
    kept = sorted(labels.keys() - {"instance_id"})
    shown = ",".join(f"{key}={labels[key]}" for key in kept)
    return f"{name}{{{shown}}}" if shown else name


def test_scrape__of_active_runs(ledger: Ledger, clock: Clock) -> None:
    """Each active run counts in its state; the oldest and the next deadline are seen."""
    old = new_run(ledger, deadline_s=50)
    turn = Turn(old, StepName.INGEST_VIDEO, owner="a", number=0)
    ledger.steps.begin(turn, implies=RunState.PREPARING, after_outcome=False)
    clock.forward(20)
    new_run(ledger, deadline_s=1000)
    clock.forward(10)

    found = scrape(ledger.store)

    assert found["curation_runs_active{state=preparing}"] == 1
    assert found["curation_runs_active{state=pending}"] == 1
    assert found["curation_runs_active{state=selecting}"] == 0
    assert found["curation_run_oldest_age_seconds{state=preparing}"] == pytest.approx(30)
    assert found["curation_run_next_deadline_seconds"] == pytest.approx(20)


def test_scrape__of_ended_runs_and_steps(ledger: Ledger, clock: Clock) -> None:
    """Ends are counted by state and code, durations lie in their buckets."""
    run_id = new_run(ledger)
    turn = Turn(run_id, StepName.INGEST_VIDEO, owner="a", number=0)
    ledger.steps.begin(turn, implies=None, after_outcome=False)
    clock.forward(3)
    ledger.steps.leave(turn, StepState.FAILED)
    ledger.runs.decide(run_id, Outcome.FAILED, RunError(code="source:gone", message="Gone."))
    ledger.runs.end(ledger.runs.get(run_id), released=StepState.SKIPPED)

    found = scrape(ledger.store)

    step = "state=failed,step=ingest_video"
    assert found["curation_runs_ended_total{code=source:gone,state=failed}"] == 1
    assert found["curation_runs_ended_total{code=ec2:stop,state=failed}"] == 0
    assert found["curation_run_duration_seconds_count{state=failed}"] == 1
    assert found[f"curation_step_duration_seconds_bucket{{le=2.0,{step}}}"] == 0
    assert found[f"curation_step_duration_seconds_bucket{{le=4.0,{step}}}"] == 1
    assert found[f"curation_step_duration_seconds_sum{{{step}}}"] == pytest.approx(3)
    assert found["curation_runs_active{state=pending}"] == 0


def test_scrape__of_the_instance(ledger: Ledger, clock: Clock) -> None:
    """State, leases and billed seconds, those that nobody held apart from the others."""
    run_id = new_run(ledger)
    ledger.leases.observe(BOX, InstanceState.RUNNING)
    ledger.leases.mark_unheld(BOX, unheld=True)
    clock.forward(7)
    unheld = scrape(ledger.store)
    assert ledger.leases.acquire(run_id, BOX) is Lease.HELD
    clock.forward(5)
    ledger.leases.observe(BOX, InstanceState.RUNNING)

    held = scrape(ledger.store)

    assert unheld["curation_instance_unheld_age_seconds"] == pytest.approx(7)
    assert held["curation_instance_unheld_age_seconds"] == 0
    assert held["curation_instance_state{state=running}"] == 1
    assert held["curation_instance_state{state=stopped}"] == 0
    assert held["curation_instance_billed_seconds_total{held=no}"] == pytest.approx(7)
    assert held["curation_instance_billed_seconds_total{held=yes}"] == pytest.approx(5)
    assert held["curation_leases"] == 1
    assert held["curation_lease_oldest_age_seconds"] == pytest.approx(5)


def test_scrape__without_an_instance(ledger: Ledger) -> None:
    """Where this machine does the work there is nothing to say of an instance."""
    found = scrape(ledger.store, instance_id=None)

    assert not [name for name in found if re.match("curation_(instance|lease)", name)]


def test_scrape__of_the_broker(ledger: Ledger, redis_client: Redis, clock: Clock) -> None:
    """Messages of every priority count in their queue; beat is seen by the reaper's rounds."""
    redis_client.lpush("ingest", "a", "b")
    redis_client.lpush("ingest\x06\x169", "c")
    redis_client.hset("unacked", "tag", "message")
    never = scrape(ledger.store)
    ledger.note_round(pause_s=1)
    clock.forward(90)

    found = scrape(ledger.store)

    assert found["curation_queue_messages{queue=ingest}"] == 3
    assert found["curation_queue_messages{queue=engine}"] == 0
    assert found["curation_unacked_messages"] == 1
    assert "curation_reaper_round_age_seconds" not in never
    assert found["curation_reaper_round_age_seconds"] == pytest.approx(90)


def test_scrape__reads_a_bounded_number_of_runs(ledger: Ledger, redis_client: Redis) -> None:
    """However many runs wait, a scrape asks Redis no more; all of them are counted."""
    redis_client.zadd(keys.ACTIVE, {f"run-{n}": n for n in range(2 * MOST_READ)})
    redis_client.hset(keys.run_key("run-0"), mapping={"state": "pending", "created_at": "1"})
    before = redis_client.info("stats")["total_commands_processed"]

    found = scrape(ledger.store)

    asked = redis_client.info("stats")["total_commands_processed"] - before
    assert asked < MOST_READ + 60
    assert found["curation_runs_active{state=pending}"] == 1
    assert found["curation_runs_active{state=unread}"] == MOST_READ


def test_scrape__of_the_budget(ledger: Ledger, clock: Clock) -> None:
    """Budget, what is spent of it in this month, and the share, in the currency that is set."""
    cost = CostSettings(instance_price_per_hour=3600.0, budget_per_month=80.0, price_currency="EUR")
    ledger.leases.observe(BOX, InstanceState.RUNNING)
    clock.forward(100)
    ledger.leases.observe(BOX, InstanceState.STOPPED)

    found = scrape(ledger.store, cost=cost)

    assert found["curation_budget_money{currency=EUR}"] == 80
    assert found["curation_budget_spent_money{currency=EUR}"] == pytest.approx(100)
    assert found["curation_budget_spent_ratio"] == pytest.approx(1.25)


def test_scrape__without_a_budget_says_nothing_of_one(ledger: Ledger) -> None:
    """Nobody has to have a budget, and no alert fires for one that is not there."""
    found = scrape(ledger.store)

    assert [name for name in found if "budget" in name] == []


def test_scrape__without_redis() -> None:
    """A Redis that is away is one metric, and no error."""
    store = Store.connect(f"redis://:canary@127.0.0.1:{free_port()}/0")

    assert scrape(store) == {"curation_redis_up": 0}


def test_names__follow_prometheus(ledger: Ledger) -> None:
    """All have our prefix and a meaning; counters end in `_total`, units stand in the name."""
    text, content_type = exposition(ledger.store, BOX, NO_PRICE)

    for family in text_string_to_metric_families(text.decode()):
        assert re.fullmatch(r"curation_[a-z0-9_]+", family.name)
        assert family.documentation
        if family.type == "histogram" or "Seconds" in family.documentation:
            assert family.name.endswith("_seconds"), family.name
    assert content_type.startswith("text/plain")


def test_names__no_run_is_a_label(ledger: Ledger) -> None:
    """A label with a value for each run would make Prometheus grow without end."""
    run_id = new_run(ledger)
    ledger.leases.acquire(run_id, BOX)

    text, _ = exposition(ledger.store, BOX, NO_PRICE)

    assert run_id not in text.decode()


def test_exposition__in_openmetrics_where_the_scraper_asks_for_it(ledger: Ledger) -> None:
    """Prometheus asks for OpenMetrics first."""
    text, content_type = exposition(
        ledger.store, BOX, NO_PRICE, accept="application/openmetrics-text; version=1.0.0"
    )

    assert content_type.startswith("application/openmetrics-text")
    assert text.endswith(b"# EOF\n")
