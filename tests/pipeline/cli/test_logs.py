from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from curation.names import run_name
from curation.states import Outcome
from pipeline import client
from pipeline.cli import app
from tests.support.cli import end, new_run, start

if TYPE_CHECKING:
    from pathlib import Path

    from curation.ledger.ledger import Ledger
    from tests.support.cli import Curate

INGEST = """\
2026-11-22T09:30:15.100Z INFO    ForkPoolWorker-1 Video ingested run_id={run_id} size_bytes=3
2026-11-22T09:30:15.300Z INFO    ForkPoolWorker-1 Video ingested run_id=another size_bytes=3
2026-11-22T09:30:15.900Z ERROR   ForkPoolWorker-1 Step failed run_id={run_id}
Traceback (most recent call last):
  File "x.py", line 1
2026-11-22T09:30:16.000Z INFO    MainProcess nothing in particular
"""
COMPUTE = """\
2026-11-22T09:30:15.200Z INFO    ForkPoolWorker-1 Instance started run_id={run_id}

worker: Warm shutdown (MainProcess)
{{"time": "2026-11-22T09:30:15.950Z", "message": "Instance stopped", "run_id": "{run_id}"}}
"""


@pytest.fixture
def run_id(ledger: Ledger) -> str:
    """A run."""
    return new_run(ledger)


@pytest.fixture
def folder(tmp_path: Path, run_id: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The logs of two processes, where the settings say."""
    (tmp_path / "ingest.log").write_text(INGEST.format(run_id=run_id), encoding="utf-8")
    (tmp_path / "compute.log").write_text(COMPUTE.format(run_id=run_id), encoding="utf-8")
    monkeypatch.setenv("LOG_DIR", str(tmp_path))
    client.settings.cache_clear()
    return tmp_path


@pytest.mark.usefixtures("folder")
def test_logs__are_of_one_run_and_in_order(run_id: str, curate: Curate) -> None:
    """The lines of all processes stand in order of time, a traceback below its line."""
    result = curate("logs", run_name(run_id))

    lines = result.stdout.splitlines()
    assert [line.split()[0] for line in lines if "Z" in line] == [
        *("ingest", "compute", "ingest", "compute")
    ]
    assert lines[3].endswith("Traceback (most recent call last):")
    assert "another" not in result.stdout
    assert "nothing in particular" not in result.stdout
    assert "Warm shutdown" not in result.stdout


@pytest.mark.usefixtures("folder")
def test_logs__json_has_time_process_and_text(run_id: str, curate: Curate) -> None:
    """Programs get the same lines, each with where it comes from."""
    items = json.loads(curate("logs", run_id, "--json").stdout)["items"]

    assert items[0] == {
        "time": "2026-11-22T09:30:15.100Z",
        "process": "ingest",
        "text": INGEST.splitlines()[0].format(run_id=run_id),
    }
    assert len(items) == 6


@pytest.mark.usefixtures("ledger")
def test_logs__come_from_a_pipe(run_id: str) -> None:
    """What another tool has collected is read as it comes, whatever stands before the time."""
    said = "".join(f"compute-1  | {line}\n" for line in COMPUTE.format(run_id=run_id).splitlines())

    result = CliRunner().invoke(app, ["logs", run_id, "--from", "-"], input=said)

    assert len(result.stdout.splitlines()) == 2


def test_logs__follow_ends_with_the_run(
    run_id: str, folder: Path, ledger: Ledger, valkey: str
) -> None:
    """New lines are shown as they come, until the run has ended."""
    with start("logs", run_id, "--follow", variables={"REDIS_URL": valkey}) as process:
        assert process.stdout
        for _ in range(6):
            process.stdout.readline()
        with (folder / "ingest.log").open("a", encoding="utf-8") as log:
            log.write(f"2026-11-22T09:30:17.000Z INFO    Main Run ended run_id={run_id}\n")
        end(ledger, run_id, Outcome.COMPLETED)
        rest, _ = process.communicate()

    assert (process.returncode, len(rest.splitlines())) == (0, 1)
    assert "Run ended" in rest


def test_logs__nowhere_is_2(run_id: str, tmp_path: Path, curate: Curate) -> None:
    """Where there are no logs, the message says how to get at them."""
    result = curate("logs", run_id, "--from", str(tmp_path))

    assert result.exit_code == 2
    assert "docker compose logs" in " ".join(result.stderr.replace("│", "").split())


@pytest.mark.usefixtures("folder")
def test_logs__of_a_silent_run_say_so(ledger: Ledger, curate: Curate) -> None:
    """A run of which nobody has spoken is no error."""
    other = new_run(ledger)

    result = curate("logs", other)

    assert (result.exit_code, result.stdout) == (0, "")
    assert f"about run {run_name(other)}" in result.stderr
