from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from curation.states import Backend
from pipeline import client

if TYPE_CHECKING:
    from pathlib import Path

    from redis import Redis

    from curation.ledger.ledger import Ledger
    from tests.support.cli import Curate

NIGHTLY = ("schedule", "add", "nightly", "--cron", "0 6 * * *")


def test_add__is_in_the_list_with_its_next_run(ledger: Ledger, curate: Curate) -> None:
    """A schedule is named, has its own parameters, and shows when it runs next."""
    added = curate(
        *NIGHTLY,
        *("--source", "s3://bucket/prefix/", "--proportion", "0.2", "--backend", "engine"),
        "--json",
    )

    listed = curate("schedule", "list", "--json")
    assert added.exit_code == 0
    assert added.stdout == listed.stdout
    (item,) = json.loads(listed.stdout)["items"]
    assert (item["name"], item["kind"], item["when"]) == ("nightly", "cron", "0 6 * * *")
    assert item["next_at"].endswith("T06:00:00.000Z")
    request = ledger.schedules.get("nightly").request
    assert (request.source, request.proportion_samples) == ("s3://bucket/prefix/", 0.2)
    assert request.selection_backend is Backend.ENGINE


def test_list__has_the_setting_too(
    ledger: Ledger, curate: Curate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SCHEDULE_CRON asks for runs like any other schedule."""
    assert ledger
    monkeypatch.setenv("SCHEDULE_CRON", "30 4 * * *")
    client.settings.cache_clear()

    listed = curate("schedule", "list")

    assert "SCHEDULE_CRON  30 4 * * *" in listed.stdout
    assert "04:30:00Z" in listed.stdout
    assert "pexels:popular" in listed.stdout


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("nightly", "--cron", "0 6 * *"), "is no schedule: it has 4 fields, not 5. Give"),
        (("nightly", "--cron", "61 * * * *"), "--cron '61 * * * *' is no schedule"),
        (("nightly", "--cron", "0 6 * * moonday"), "--cron '0 6 * * moonday' is no schedule"),
        (("nightly", "--cron", "0 0 30 2 *"), "--cron '0 0 30 2 *' never comes"),
        (("nightly",), "Give either --cron"),
        (("nightly", "--cron", "* * * * *", "--each"), "Give either --cron"),
        (("a b", "--cron", "* * * * *"), "name 'a b'"),
        (("nightly", "--cron", "* * * * *", "--source", "ftp://x/"), "is of no known kind"),
        (("inbox", "--each", "--source", "pexels:popular"), "cannot be watched"),
        (("inbox", "--each", "--source", "/x", "--every", "soon"), "--every 'soon' is no time"),
        (("inbox", "--each", "--source", "/x", "--every", "0s"), "each.every_s 0.0"),
        (("inbox", "--each", "--source", "/x", "--at-most", "0"), "each.at_once 0"),
    ],
)
def test_add__wrong_is_2_and_says_what(
    arguments: tuple[str, ...], complaint: str, ledger: Ledger, curate: Curate
) -> None:
    """What could never ask for a run is refused, with the value and what is expected."""
    result = curate("schedule", "add", *arguments)

    assert result.exit_code == 2
    assert complaint in result.stderr
    assert ledger.schedules.all() == []


def test_add__again_changes_it(ledger: Ledger, curate: Curate) -> None:
    """The same name is the same schedule, with other parameters from then on."""
    curate(*NIGHTLY)
    slot = ledger.schedules.state("nightly").slot

    changed = curate(*NIGHTLY, "--proportion", "0.5")

    assert "is changed" in changed.stderr
    assert ledger.schedules.get("nightly").request.proportion_samples == 0.5
    assert ledger.schedules.state("nightly").slot == slot


def test_pause__stops_it_until_it_is_resumed(ledger: Ledger, curate: Curate) -> None:
    """A paused schedule has no next run; a resumed one has."""
    curate(*NIGHTLY)

    paused = curate("schedule", "pause", "nightly")
    was_paused = ledger.schedules.get("nightly").paused
    curate("schedule", "resume", "nightly")

    assert "paused" in paused.stdout
    assert was_paused
    assert not ledger.schedules.get("nightly").paused


def test_remove__forgets_it(ledger: Ledger, curate: Curate) -> None:
    """A removed schedule is unknown."""
    curate(*NIGHTLY)

    removed = curate("schedule", "remove", "nightly")
    again = curate("schedule", "remove", "nightly")

    assert (removed.exit_code, again.exit_code) == (0, 2)
    assert ledger.schedules.all() == []
    assert "There is no schedule 'nightly'" in again.stderr


def test_run__does_it_now(ledger: Ledger, curate: Curate) -> None:
    """What a schedule asks for can be had at once, and prints the run's id."""
    curate(*NIGHTLY, "--source", "/clip.mp4")

    result = curate("schedule", "run", "nightly")

    assert ledger.runs.get(result.stdout.strip()).request.source == "/clip.mp4"


def test_run__has_a_watch_look_now(
    ledger: Ledger, curate: Curate, redis_client: Redis, tmp_path: Path
) -> None:
    """A watch looks at its source when it is asked to."""
    added = curate(
        *("schedule", "add", "inbox", "--each", "--every", "5m", "--at-most", "3"),
        *("--source", str(tmp_path)),
    )

    curate("schedule", "run", "inbox")

    assert "every 5 min 00 s" in added.stdout
    assert (each := ledger.schedules.get("inbox").each)
    assert (each.every_s, each.at_once) == (300.0, 3)
    (message,) = redis_client.lrange("ingest", 0, -1)
    assert json.loads(message)["headers"]["task"] == "schedule.enqueue_new"
