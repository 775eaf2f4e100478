from __future__ import annotations

import json
import signal
from typing import TYPE_CHECKING

import pytest

from curation.models import Run
from curation.names import run_name
from curation.states import Outcome, RunState, StepName
from tests.support.cli import end, new_run, start

if TYPE_CHECKING:
    from pathlib import Path

    from curation.ledger.ledger import Ledger
    from tests.support.cli import Curate

FIELDS = [field.alias or name for name, field in Run.model_fields.items()]
ENDS = [(Outcome.COMPLETED, 0), (Outcome.FAILED, 1), (Outcome.CANCELED, 1)]


def test_run__prints_the_id_alone(ledger: Ledger, curate: Curate) -> None:
    """An accepted run is 0, its id on stdout for scripts, the next command on stderr."""
    result = curate("run", "https://example.com/clip.mp4", "--backend", "engine")

    run_id = result.stdout.strip()
    run = ledger.runs.get(run_id)
    assert result.exit_code == 0
    assert run.state is RunState.PENDING
    assert run.request.source == "https://example.com/clip.mp4"
    assert f"curate status {run.name}" in result.stderr


def test_run__json_is_the_status_object(ledger: Ledger, curate: Curate) -> None:
    """`--json` prints the status object with every field, and nothing else on stdout."""
    result = curate("run", "/clip.mp4", "--proportion", "0.25", "--backend", "engine", "--json")

    printed = json.loads(result.stdout)
    assert list(printed) == FIELDS
    assert printed["request"]["proportion_samples"] == 0.25
    assert ledger.runs.get(printed["run_id"]).to_json() == result.stdout.strip()


def test_run__makes_a_relative_path_absolute(
    ledger: Ledger, curate: Curate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The ingest worker has another working directory, so it gets the whole path."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "clip.mp4").touch()

    result = curate("run", "clip.mp4")

    assert ledger.runs.get(result.stdout.strip()).request.source == str(tmp_path / "clip.mp4")
    assert "Warning" not in result.stderr


def test_run__warns_of_a_path_that_is_not_here(
    ledger: Ledger, curate: Curate, tmp_path: Path
) -> None:
    """A path is the ingest worker's affair, so one that is not here is worth a warning only."""
    result = curate("run", str(tmp_path / "clip.mp4"))

    assert result.exit_code == 0
    assert f"{tmp_path / 'clip.mp4'} does not exist here" in result.stderr
    assert len(ledger.runs.newest(9)) == 1


@pytest.mark.parametrize("source", ["x" * 300 + ".mp4", "/proc/self/mem"])
def test_run__leaves_what_cannot_be_read_to_the_worker(
    source: str, ledger: Ledger, curate: Curate
) -> None:
    """A name that is too long, or a file that cannot be read here, is a run like any other."""
    result = curate("run", source)

    assert result.exit_code == 0
    assert ledger.runs.get(result.stdout.strip()).request.source.endswith(source)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["ftp://host/clip.mp4"], "'ftp://host/clip.mp4' is of no known kind"),
        (["/clip.mp4", "--proportion", "0"], "--proportion 0.0: Input should be greater than 0"),
        (["/clip.mp4", "--proportion", "some"], "--proportion"),
        (["/clip.mp4", "--backend", "abacus"], "abacus"),
        (["/clip.mp4", "--idempotency-key", ""], "--idempotency-key ''"),
    ],
)
def test_run__wrong_request_is_2(
    arguments: list[str], complaint: str, ledger: Ledger, curate: Curate
) -> None:
    """A request that cannot be meant is refused, by the name of what is wrong, and not written."""
    result = curate("run", *arguments)

    assert result.exit_code == 2
    assert complaint in result.stderr
    assert ledger.runs.newest(9) == []


@pytest.mark.parametrize("source", ["", " "])
def test_run__an_empty_source_is_2(source: str, ledger: Ledger, curate: Curate) -> None:
    """A variable of the caller's that is not set is no wish for the current folder."""
    result = curate("run", source, "--backend", "engine")

    assert result.exit_code == 2
    assert f"The video source {source!r} is of no known kind" in result.stderr
    assert ledger.runs.newest(1) == []


def test_run__key_of_another_request_is_2(ledger: Ledger, curate: Curate) -> None:
    """An idempotency key belongs to one request; the message names the run that has it."""
    run_id = new_run(ledger, idempotency_key="k")

    result = curate("run", "/other.mp4", "--backend", "engine", "--idempotency-key", "k")

    assert result.exit_code == 2
    assert run_id in result.stderr


@pytest.mark.parametrize(("outcome", "code"), ENDS)
def test_run__wait_ends_as_the_run_does(
    outcome: Outcome, code: int, ledger: Ledger, curate: Curate
) -> None:
    """With `--wait` the exit code is the run's, and the final status is what JSON shows."""
    run_id = new_run(ledger, idempotency_key="k")
    end(ledger, run_id, outcome)

    arguments = ["run", "/clip.mp4", "--backend", "engine", "--idempotency-key", "k", "--wait"]
    result = curate(*arguments, "--json")

    assert result.exit_code == code
    assert json.loads(result.stdout)["state"] == outcome.value
    assert f"{run_name(run_id)}  run {outcome.value}" in result.stderr


def test_run__wait_says_why_it_failed(ledger: Ledger, curate: Curate) -> None:
    """A failed run's error is the last thing said, before what to do next."""
    run_id = new_run(ledger, idempotency_key="k")
    end(ledger, run_id, Outcome.FAILED)

    result = curate("run", "/clip.mp4", "--backend", "engine", "--idempotency-key", "k", "--wait")

    name = run_name(run_id)
    assert result.stderr.splitlines()[-4:] == [
        "Error: /clip.mp4 is empty. Check the file.",
        "Next:",
        f"  curate logs {name}    see what its processes said",
        f"  curate resume {name}  try again, without doing again what was done",
    ]


def test_run__ctrl_c_leaves_the_run_alone(ledger: Ledger, valkey: str) -> None:
    """Ctrl-C ends the watching with 130, and says that the run goes on and how to cancel it."""
    with start("run", "/clip.mp4", "--wait", "--json", variables={"REDIS_URL": valkey}) as process:
        assert process.stderr
        while "run pending" not in process.stderr.readline():
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate()

    (run,) = ledger.runs.newest(9)
    assert process.returncode == 130
    assert stdout == ""
    assert f"Run {run.name} goes on" in stderr
    assert f"curate cancel {run.name}" in stderr
    assert run.outcome is None


def test_list__newest_first(ledger: Ledger, curate: Curate) -> None:
    """JSON has the status object of each run, the newest first, as many as were asked for."""
    first, second, third = (new_run(ledger) for _ in range(3))

    printed = json.loads(curate("list", "--json").stdout)
    two = json.loads(curate("list", "--limit", "2", "--json").stdout)

    assert printed["schema"] == 1
    assert [item["run_id"] for item in printed["items"]] == [third, second, first]
    assert all(list(item) == FIELDS for item in printed["items"])
    assert two["items"] == printed["items"][:2]


def test_list__table_has_whole_ids_in_a_pipe(ledger: Ledger, curate: Curate) -> None:
    """A person's table in a pipe is not cut at the width of some terminal."""
    source = "/videos/" + 10 * "a-long-name-" + ".mp4"
    run_id = new_run(ledger, source=source)

    assert f"{run_id}  {run_name(run_id)}  pending" in curate("list").stdout
    assert source in curate("list").stdout


def test_list__shows_no_secret_of_a_link(ledger: Ledger, curate: Curate) -> None:
    """A link may let its holder in; people's tables end up in chats."""
    run_id = new_run(ledger, source="https://example.com/clip.mp4?token=canary")

    shown = curate("list").stdout + curate("status", run_id).stdout

    assert "https://example.com/clip.mp4" in shown
    assert "canary" not in shown


@pytest.mark.usefixtures("ledger")
def test_list__empty_says_what_to_do(curate: Curate) -> None:
    """Where there is nothing to list, the next command is named."""
    result = curate("list")

    assert (result.exit_code, result.stdout) == (0, "")
    assert "curate run SOURCE" in result.stderr


@pytest.mark.parametrize(("outcome", "_"), ENDS)
def test_status__of_any_run_is_0(outcome: Outcome, _: int, ledger: Ledger, curate: Curate) -> None:
    """To be told that a run failed is no failure."""
    run_id = new_run(ledger)
    end(ledger, run_id, outcome)

    result = curate("status", run_id, "--json")

    assert result.exit_code == 0
    assert result.stdout.strip() == ledger.runs.get(run_id).to_json()
    assert result.stderr == ""


def test_status__shows_steps_error_and_next_command(ledger: Ledger, curate: Curate) -> None:
    """A person sees the four steps, why the run failed, and what can be done."""
    run_id = new_run(ledger)
    end(ledger, run_id, Outcome.FAILED)

    result = curate("status", run_id)

    assert [step for step in StepName if f" {step} " not in result.stdout] == []
    assert "Why: source:empty" in result.stdout
    assert "/clip.mp4 is empty. Check the file." in result.stdout
    assert f"curate resume {run_name(run_id)}" in result.stderr


def test_status__does_not_name_itself_as_next(ledger: Ledger, curate: Curate) -> None:
    """What a person has just done is not what to do next."""
    run_id = new_run(ledger)

    result = curate("status", run_id)

    assert f"curate cancel {run_name(run_id)}" in result.stderr
    assert "curate status" not in result.stderr


@pytest.mark.parametrize("command", ["status", "cancel", "resume", "report", "logs"])
@pytest.mark.usefixtures("ledger")
def test_unknown_run__is_2(command: str, curate: Curate) -> None:
    """A run that is not known is the caller's mistake, and the message says where to look."""
    result = curate(command, "20261122-093015-5f0c2d81ab", "--json")

    assert (result.exit_code, result.stdout) == (2, "")
    assert "There is no run '20261122-093015-5f0c2d81ab'. `curate list` shows" in result.stderr


def test_cancel__decides_the_outcome(ledger: Ledger, curate: Curate) -> None:
    """Cancel writes the outcome at once; the instance is given back afterwards."""
    run_id = new_run(ledger)

    result = curate("cancel", run_id)

    assert result.exit_code == 0
    assert ledger.runs.get(run_id).outcome is Outcome.CANCELED
    assert f"Run {run_name(run_id)} will end as canceled" in result.stderr
    assert f"curate status {run_name(run_id)}" in result.stderr
    assert "curate cancel" not in result.stderr


def test_cancel__an_ended_run_stays_as_it_is(ledger: Ledger, curate: Curate) -> None:
    """Cancel of a run that has ended does nothing and says so."""
    run_id = new_run(ledger)
    end(ledger, run_id, Outcome.COMPLETED)

    result = curate("cancel", run_id)

    assert result.exit_code == 0
    assert "has ended before, as completed" in result.stderr


def test_resume__prints_the_new_id(ledger: Ledger, curate: Curate) -> None:
    """A canceled run gets a new run, whose id is what a script needs."""
    run_id = new_run(ledger)
    end(ledger, run_id, Outcome.CANCELED)

    result = curate("resume", run_id)

    assert result.exit_code == 0
    assert ledger.runs.get(result.stdout.strip()).resumed_from == run_id
