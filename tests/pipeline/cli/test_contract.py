"""What scripts and shells rely on: the keys of every JSON document, and completion."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from curation.names import run_name
from curation.states import Outcome
from tests.support.cli import end, new_run

if TYPE_CHECKING:
    from collections.abc import Callable

    from curation.ledger.ledger import Ledger
    from tests.support.cli import Curate

STATUS = (
    "schema run_id name state outcome created_at updated_at ended_at deadline_at resumed_from "
    "same_as idempotency_key request steps video instance selection error cost"
)
STEP = "state attempts looks due_at problem started_at ended_at"
SELECTION = "backend scheduled_run_id state n_frames n_selected filenames_uri report_uri progress"
REQUEST = "source proportion_samples selection_backend selection_config"
# The keys that each command promises; more may come, none may go or change its name.
PROMISED = {
    "status RUN": {
        "": STATUS,
        "request": REQUEST,
        "steps": "ingest_video start_instance run_selection release_instance",
        "steps.run_selection": STEP,
        "video": "uri size_bytes sha256 source_url",
        "instance": "instance_id state",
        "selection": SELECTION,
        "selection.progress": "state frames_done frames_total frames_per_s eta_s",
        "error": "code message step",
        "cost": "instance_seconds",
    },
    "cancel RUN": {"": STATUS},
    "list": {"": "schema items", "items.0": STATUS},
    "logs RUN --from LOG": {"": "schema items", "items.0": "time process text"},
    "run /clip.mp4 --dry-run": {
        "": "schema request video instance_id instance_state curated_by steps",
        "request": REQUEST,
        "steps.0": "step does calls",
        "steps.0.calls.0": "name target changes note",
    },
    "leases": {"": "schema items"},
    "cost": {"": "schema items"},
}


@pytest.mark.parametrize("command", PROMISED)
def test_json__keeps_its_keys(
    command: str,
    ledger: Ledger,
    tmp_path: Path,
    curate: Curate,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """No key that a script may read goes away or changes its name."""
    monkeypatch.setenv("S3_INPUT_BUCKET", "s3://input/")
    monkeypatch.setenv("S3_LIGHTLY_BUCKET", "s3://results/")
    run_id = new_run(ledger)
    end(ledger, run_id, Outcome.FAILED)
    log = tmp_path / "x.log"
    log.write_text(f"2026-11-22T09:30:15.100Z INFO    Main said run_id={run_id}\n")
    words = command.replace("RUN", run_name(run_id)).replace("LOG", str(log)).split()

    document = json.loads(curate(*words, "--json").stdout)

    missing = {
        path: lost
        for path, keys in PROMISED[command].items()
        if (lost := set(keys.split()) - set(inside(document, path)))
    }
    assert missing == {}


@pytest.mark.parametrize("known_by", [run_name, str], ids=["name", "id"])
def test_completion__offers_runs(
    known_by: Callable[[str], str], ledger: Ledger, valkey: str
) -> None:
    """The shell completes a run's name and its id."""
    run_id = new_run(ledger)
    word = known_by(run_id)

    assert word in completed(f"curate status {word[:6]}", redis_url=valkey)


def test_completion__without_redis_offers_nothing() -> None:
    """Where there is no ledger, a Tab key neither fails nor says anything."""
    assert completed("curate status 2", redis_url="redis://127.0.0.1:1/0") == []


def inside(document: Any, path: str) -> dict[str, object]:  # noqa: ANN401  # JSON
    """Returns the object at a path, e.g. `items.0`."""
    for word in filter(None, path.split(".")):
        document = document[int(word)] if isinstance(document, list) else document[word]
    assert isinstance(document, dict)
    return document


def completed(line: str, *, redis_url: str) -> list[str]:
    """Returns what bash would offer at the end of a line."""
    environment = {
        **os.environ,
        "PYTHON_DOTENV_DISABLED": "1",
        "REDIS_URL": redis_url,
        "_CURATE_COMPLETE": "complete_bash",
        "COMP_WORDS": line,
        "COMP_CWORD": "2",
    }
    program = Path(sys.executable).with_name("curate")
    result = subprocess.run(
        [str(program)], env=environment, capture_output=True, text=True, check=False
    )
    assert result.stderr == ""
    return result.stdout.split()
