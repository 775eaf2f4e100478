from __future__ import annotations

import io
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from rich.console import Console

from curation.ledger import keys
from curation.names import run_name
from curation.states import Outcome
from pipeline.cli import cost, output
from pipeline.cli.cost import By
from pipeline.costs import Span
from tests.support.cli import end, new_run

if TYPE_CHECKING:
    from curation.ledger.ledger import Ledger
    from tests.support.cli import Curate

DAY_S = 86_400


@pytest.fixture
def _price(monkeypatch: pytest.MonkeyPatch) -> None:
    # Before the ledger, which reads the settings.
    monkeypatch.setenv("INSTANCE_PRICE_PER_HOUR", "0.36")
    monkeypatch.setenv("PRICE_CURRENCY", "EUR")
    monkeypatch.setenv("PRICE_SOURCE", "invoice of 2026-10")
    monkeypatch.setenv("BUDGET_PER_MONTH", "50")


def new_cost(ledger: Ledger, *, seconds: float, source: str = "/clip.mp4", ago: int = 0) -> str:
    """Writes a completed run of some days ago that has used the instance and chosen 25 frames."""
    run_id = new_run(ledger, source=source)
    ledger.runs.update(run_id, instance_seconds=seconds)
    end(ledger, run_id, Outcome.COMPLETED)
    began_at = ledger.store.now() - ago * DAY_S
    ledger.store.set_fields(keys.run_key(run_id), {"created_at": began_at})
    ledger.store.remove_member(keys.RUNS, run_id)
    ledger.store._redis.zadd(keys.RUNS, {run_id: began_at})
    return run_id


def bill_day(ledger: Ledger, *, ago: int, **seconds: float) -> str:
    """Writes billed seconds of some days ago; returns the day."""
    number = int(ledger.store.now() // DAY_S) - ago
    ledger.store.set_fields(
        keys.BILLED, {f"{number}|{word}": part for word, part in seconds.items()}
    )
    return str(datetime.fromtimestamp(number * DAY_S, tz=UTC).date())


def asked(curate: Curate, *arguments: str) -> dict[str, Any]:
    """The document that programs get."""
    result = curate("cost", *arguments, "--json")
    assert result.exit_code == 0, result.stderr
    document: dict[str, Any] = json.loads(result.stdout)
    return document


def test_cost__one_item_a_run(ledger: Ledger, curate: Curate) -> None:
    """Each run is one item with what it used and what came of it; unknown is null."""
    first, second = new_cost(ledger, seconds=12.5), new_run(ledger)

    items = {item.pop("run_id"): item for item in asked(curate)["items"]}

    assert all(item.pop("created_at").endswith("Z") for item in items.values())
    unknown = {"source": "/clip.mp4", "money": None, "currency": None, "per_frame": None}
    assert items == {
        first: {
            **unknown,
            "name": run_name(first),
            "state": "completed",
            "instance_seconds": 12.5,
            "n_selected": 25,
        },
        second: {
            **unknown,
            "name": run_name(second),
            "state": "pending",
            "instance_seconds": None,
            "n_selected": None,
        },
    }


def test_cost__limit_takes_the_newest(ledger: Ledger, curate: Curate) -> None:
    """With a limit only so many are listed, but the sums have them all."""
    for _ in range(3):
        new_cost(ledger, seconds=10)

    document = asked(curate, "--limit", "2")

    assert len(document["items"]) == 2
    assert document["total"]["n_runs"] == 3
    assert "1 lines more are in the sums" in curate("cost", "--limit", "2").stderr


@pytest.mark.usefixtures("_price")
def test_cost__by_source_in_money(ledger: Ledger, curate: Curate) -> None:
    """Runs of one source are one line, the dearest first, with the price of a frame."""
    for seconds in (1000, 2000):
        new_cost(ledger, seconds=seconds, source="/dear.mp4")
    new_cost(ledger, seconds=10, source="/cheap.mp4")

    items = asked(curate, "--by", "source")["items"]

    assert [item["source"] for item in items] == ["/dear.mp4", "/cheap.mp4"]
    assert items[0] == {
        "source": "/dear.mp4",
        "n_runs": 2,
        "instance_seconds": 3000.0,
        "n_selected": 50,
        "money": pytest.approx(0.3),
        "per_frame": pytest.approx(0.006),
    }


@pytest.mark.usefixtures("_price")
def test_cost__by_day_has_what_was_billed_then(ledger: Ledger, curate: Curate) -> None:
    """A day costs the seconds that were billed on it, also when no run is known any more."""
    today = bill_day(ledger, ago=0, held=600, unheld=100)
    long_ago = bill_day(ledger, ago=400, held=3600)
    new_cost(ledger, seconds=500)

    document = asked(curate, "--by", "day")

    found = {item["day"]: (item["n_runs"], item["instance_seconds"]) for item in document["items"]}
    assert found == {today: (1, 600.0), long_ago: (0, 3600.0)}
    assert document["unheld"]["instance_seconds"] == 100.0
    assert document["total"]["money"] == pytest.approx(0.43)
    assert asked(curate, "--by", "month")["items"][-1]["month"] == long_ago[:7]


def test_cost__of_last_week(ledger: Ledger, curate: Curate) -> None:
    """`--since 7d` counts the runs, and the unheld seconds, of these days alone."""
    bill_day(ledger, ago=8, unheld=1000)
    bill_day(ledger, ago=1, unheld=5)
    new_cost(ledger, seconds=70, ago=8)
    new_cost(ledger, seconds=30, ago=3)

    last_week = asked(curate, "--since", "7d")
    before = asked(curate, "--until", "8d")

    assert last_week["total"]["instance_seconds"] == 35.0
    assert before["total"]["instance_seconds"] == 1070.0


def test_cost__a_frame_is_counted_once(ledger: Ledger, curate: Curate) -> None:
    """Who takes over an earlier selection has selected nothing, so frames look no cheaper."""
    first = new_cost(ledger, seconds=10)
    second = new_run(ledger)
    ledger.runs.take_over(second, ledger.runs.get(first))

    assert asked(curate)["total"]["n_selected"] == 25


@pytest.mark.usefixtures("ledger")
def test_cost__wrong_moment_is_2(curate: Curate) -> None:
    """The message names the option and what it expects."""
    result = curate("cost", "--until", "sunday")

    assert result.exit_code == 2
    assert "--until 'sunday': expected" in " ".join(result.stderr.split())


@pytest.mark.usefixtures("ledger")
def test_cost__says_how_to_see_money(curate: Curate) -> None:
    """Without a price there are seconds alone, and a sentence on what is missing."""
    assert "Set INSTANCE_PRICE_PER_HOUR" in curate("cost").stderr


@pytest.mark.usefixtures("_price", "ledger")
def test_cost__names_the_source_of_the_price(curate: Curate) -> None:
    """Who reads a sum of money sees what it was reckoned with, and the budget."""
    said = curate("cost").stderr

    assert "An hour of the instance costs 0.36 EUR (invoice of 2026-10)." in said
    assert "0.00 of 50.00 EUR (0 %) of the budget" in said


@pytest.mark.usefixtures("_price")
@pytest.mark.parametrize("by", By)
def test_table__fits_80_columns(ledger: Ledger, by: By) -> None:
    """Each table is readable on the smallest terminal, with unheld seconds and the sum below."""
    bill_day(ledger, ago=0, held=2_000_000, unheld=61)
    new_cost(ledger, seconds=2_000_000, source="https://example.com/videos/" + "long-" * 12)
    bill = cost._bill(by, ledger.runs.newest(9), Span())
    console = Console(file=io.StringIO(), width=80)

    console.print(cost._table(by, bill, 100))

    lines = console.file.getvalue().splitlines()  # type: ignore[attr-defined]  # a StringIO
    assert lines[0].split() == [
        by.upper(),
        *(["RUNS"] if by is not By.RUN else []),
        *("FRAMES", "INSTANCE", "EUR", "PER", "FRAME"),
    ]
    assert max(map(len, lines)) <= 80
    assert lines[-2].split()[:4] == ["unheld", "1", "min", "01"]
    assert lines[-1].split()[-2:] == ["200.01", "8"]
    assert output.duration(2_000_061) in lines[-1]
