from __future__ import annotations

import json
import re
import signal
from typing import TYPE_CHECKING, Any

import pytest

from curation.ledger import keys
from curation.names import run_name
from curation.states import Outcome
from tests.support.cli import end, new_run, start

if TYPE_CHECKING:
    from redis import Redis

    from curation.ledger.ledger import Ledger
    from tests.support.cli import Curate


def listed(curate: Curate, *arguments: str) -> list[str]:
    """The ids that a list has."""
    result = curate("list", *arguments, "--json")
    items: list[dict[str, Any]] = json.loads(result.stdout)["items"]
    return [item["run_id"] for item in items]


def test_list__filters_by_state(ledger: Ledger, curate: Curate) -> None:
    """One state or several, and a short word for the one that is asked for most."""
    pending, failed, canceled = (new_run(ledger) for _ in range(3))
    end(ledger, failed, Outcome.FAILED)
    end(ledger, canceled, Outcome.CANCELED)

    assert listed(curate, "--failed") == [failed]
    assert listed(curate, "--state", "canceled", "--state", "pending") == [canceled, pending]


def test_list__filters_by_source(ledger: Ledger, curate: Curate) -> None:
    """Some words of the source are enough."""
    new_run(ledger, source="/videos/street.mp4")
    beach = new_run(ledger, source="/videos/beach.mp4")

    assert listed(curate, "--source", "beach") == [beach]


@pytest.mark.parametrize(
    ("since", "n_found"), [("90m", 1), ("2h", 2), ("7d", 2), ("2001-01-01", 2), ("2999-01-01", 0)]
)
def test_list__filters_by_age(
    since: str, n_found: int, ledger: Ledger, redis_client: Redis, curate: Curate
) -> None:
    """A time in the past, or how long ago it was."""
    old, _ = new_run(ledger), new_run(ledger)
    created_at = ledger.runs.get(old).created_at - 6000
    redis_client.hset(keys.run_key(old), "created_at", created_at)
    redis_client.zadd(keys.RUNS, {old: created_at})

    assert len(listed(curate, "--since", since)) == n_found


@pytest.mark.usefixtures("ledger")
def test_list__what_is_no_time_is_2(curate: Curate) -> None:
    """What cannot be understood is said to be so, with examples."""
    result = curate("list", "--since", "yesterday")

    assert result.exit_code == 2
    assert "'yesterday'" in result.stderr
    assert "24h" in result.stderr


def test_list__finds_behind_many_others(ledger: Ledger, curate: Curate) -> None:
    """The limit counts what was asked for, not what was looked through."""
    failed = new_run(ledger)
    end(ledger, failed, Outcome.FAILED)
    for _ in range(250):
        new_run(ledger)

    assert listed(curate, "--failed", "--limit", "1") == [failed]


def test_list__names_the_failed_one_next(ledger: Ledger, curate: Curate) -> None:
    """Of many runs the one that failed is looked at first."""
    failed = new_run(ledger)
    end(ledger, failed, Outcome.FAILED)
    new_run(ledger)

    result = curate("list")

    assert f"curate status {run_name(failed)}  see why it failed" in result.stderr
    assert re.search(r"failed +\d+ s +source:empty +/clip.mp4", result.stdout)


def test_list__follow_says_each_change_once(ledger: Ledger, valkey: str) -> None:
    """In a pipe each change is a line, until Ctrl-C."""
    run_id = new_run(ledger)

    with start("list", "--follow", variables={"REDIS_URL": valkey}) as process:
        assert process.stdout
        first = process.stdout.readline()
        end(ledger, run_id, Outcome.FAILED)
        second = process.stdout.readline()
        process.send_signal(signal.SIGINT)
        rest, _ = process.communicate()

    assert [line.split()[2] for line in (first, second)] == ["pending", "failed"]
    assert (process.returncode, rest) == (130, "")
