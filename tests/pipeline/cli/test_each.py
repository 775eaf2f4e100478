from __future__ import annotations

import json
import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from curation.states import Outcome
from pipeline.each import look
from tests.support.cli import end, start
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from redis import Redis

    from curation.ledger.ledger import Ledger
    from tests.support.cli import Curate


@pytest.fixture
def links(tmp_path: Path) -> Path:
    """A file with three links, one of them twice."""
    names = ["https://example.com/a.mp4", "# a remark", "", "https://example.com/b.mp4"]
    file = tmp_path / "links.txt"
    file.write_text("\n".join([*names, names[0], "https://example.com/c.mp4"]))
    return file


def test_each__waits_for_all_and_sums_up(ledger: Ledger, curate: Curate, links: Path) -> None:
    """One run a link, a few at once, and one summary; 1 if a run failed, and it is named."""
    with working(ledger, failing="b.mp4") as most_at_once:
        result = curate("run", str(links), "--each", "--at-once", "2", "--wait")

    assert result.exit_code == 1
    assert result.stdout.split() == [
        "COMPLETED",
        "FAILED",
        "CANCELED",
        "SKIPPED",
        "2",
        "1",
        "0",
        "0",
    ]
    assert "/clip.mp4 is empty. Check the file." in result.stderr
    assert "with --retry-failed" in result.stderr
    assert max(most_at_once) == 2


def test_each__the_same_command_again_makes_no_run_twice(
    ledger: Ledger, curate: Curate, links: Path
) -> None:
    """What was done stays done; only links that are new get a run."""
    with working(ledger):
        first = curate("run", str(links), "--each", "--wait", "--json")
        second = curate("run", str(links), "--each", "--wait", "--json")

    assert (first.exit_code, second.exit_code) == (0, 0)
    assert json.loads(first.stdout) == json.loads(second.stdout)
    assert json.loads(second.stdout)["counts"]["completed"] == 3
    assert len(ledger.runs.newest(9)) == 3


def test_each__tries_again_what_failed_when_asked_to(
    ledger: Ledger, curate: Curate, links: Path
) -> None:
    """The same command lists what failed; with --retry-failed those runs go on, and no others."""
    command = ("run", str(links), "--each", "--wait", "--json")
    with working(ledger, failing="b.mp4"):
        first = curate(*command)
        second = curate(*command)
    with working(ledger):
        third = curate(*command, "--retry-failed")

    assert [result.exit_code for result in (first, second, third)] == [1, 1, 0]
    assert json.loads(first.stdout) == json.loads(second.stdout)
    (failed,) = (it for it in json.loads(first.stdout)["items"] if it["state"] == "failed")
    assert "Tried again, from where they ended: 1." in third.stderr
    assert json.loads(third.stdout)["counts"]["completed"] == 3
    resumed = [it["resumed_from"] for it in json.loads(third.stdout)["items"]]
    assert sorted(resumed, key=str) == [failed["run_id"], None, None]
    assert len(ledger.runs.newest(9)) == 4


def test_each__retry_failed_is_for_many(ledger: Ledger, curate: Curate, links: Path) -> None:
    """Of one run there is `curate resume`."""
    result = curate("run", str(links), "--retry-failed")

    assert result.exit_code == 2
    assert "curate resume" in result.stderr
    assert ledger.runs.newest(1) == []


def test_each__without_wait_is_left_to_beat(
    ledger: Ledger, curate: Curate, redis_client: Redis, tmp_path: Path
) -> None:
    """It is in the ledger, listed, and the ingest worker is asked to look."""
    result = curate("run", str(tmp_path), "--each")

    (schedule,) = ledger.schedules.all()
    assert result.stdout.strip() == schedule.name
    assert "until done" in curate("schedule", "list").stdout
    assert redis_client.llen("ingest") == 1


def test_each__a_source_that_is_not_there_is_said(
    ledger: Ledger, curate: Curate, tmp_path: Path
) -> None:
    """A backfill whose source cannot be looked at ends with the reason."""
    with working(ledger):
        result = curate("run", str(tmp_path / "none"), "--each", "--wait")

    assert result.exit_code == 1
    assert "cannot be read by the ingest worker" in result.stderr


@pytest.mark.parametrize(
    ("content", "complaint"),
    [("", "There is no link in"), ("ftp://x/a.mp4", "is of no known kind")],
)
def test_each__wrong_list_is_2(
    content: str, complaint: str, ledger: Ledger, curate: Curate, links: Path
) -> None:
    """A list that no run could be made of is refused before anything is written."""
    links.write_text(content)

    result = curate("run", str(links), "--each")

    assert result.exit_code == 2
    assert complaint in result.stderr
    assert ledger.schedules.all() == []


@pytest.mark.parametrize("option", ["--dry-run", "--idempotency-key=mine"])
def test_each__goes_not_with_what_is_for_one_run(
    option: str, ledger: Ledger, curate: Curate, links: Path
) -> None:
    """A plan and a key are of one run, so nothing is begun."""
    result = curate("run", str(links), "--each", option)

    assert result.exit_code == 2
    assert ledger.schedules.all() == []


def test_each__ctrl_c_leaves_it_going(
    ledger: Ledger, curate: Curate, redis_client: Redis, links: Path
) -> None:
    """Whoever stops watching is told that it goes on, and how to see it again."""
    assert curate
    with start("run", str(links), "--each", "--wait") as process:
        assert process.stderr
        process.stderr.readline()
        wait_until(lambda: redis_client.llen("ingest") > 1)  # it stays, and asks again
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=30)

    assert process.returncode == 130
    assert "goes on; the same command shows it" in said
    assert len(ledger.schedules.all()) == 1


@contextmanager
def working(ledger: Ledger, *, failing: str = "nothing") -> Iterator[list[int]]:
    """Looks when it is asked to and ends each run, as Celery workers would.

    Yields:
        How many runs were open at each moment.
    """
    done, most = threading.Event(), [0]

    def work() -> None:
        while not done.wait(0.05):
            for schedule in ledger.schedules.all():
                look(schedule.name)
            active = ledger.runs.active()
            most.append(len(active))
            for run in active:
                failed = run.request.source.endswith(failing)
                end(ledger, run.run_id, Outcome.FAILED if failed else Outcome.COMPLETED)

    thread = threading.Thread(target=work)
    thread.start()
    yield most
    done.set()
    thread.join()
