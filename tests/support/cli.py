"""The command line as a process, and runs for it to show."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from curation.models import Request, RunError
from curation.states import Backend, Outcome, StepState

if TYPE_CHECKING:
    from collections.abc import Mapping

    from typer.testing import Result

    from curation.ledger.ledger import Ledger

# What a person's environment may have, and a sandbox must not be disturbed by.
FOREIGN = {"REDIS_URL": "nonsense", "POLL_INTERVAL_S": "often", "AWS_PROFILE": "real"}
ERROR = RunError(code="source:empty", message="/clip.mp4 is empty. Check the file.")


class Curate(Protocol):
    """Carries out `curate` in this process."""

    def __call__(self, *arguments: str) -> Result:
        """Returns exit code, stdout and stderr."""
        ...


def start(
    *arguments: str,
    cwd: Path | None = None,
    variables: Mapping[str, str] | None = None,
    stderr: int = subprocess.PIPE,
) -> subprocess.Popen[str]:
    """Starts `curate` as a process.

    Args:
        arguments: Its arguments.
        cwd: Its working directory.
        variables: What its environment has on top of ours.
        stderr: Where its stderr goes.
    """
    return subprocess.Popen(
        [str(Path(sys.executable).with_name("curate")), *arguments],
        cwd=cwd,
        env={**os.environ, "PYTHON_DOTENV_DISABLED": "1", **(variables or {})},
        stdout=subprocess.PIPE,
        stderr=stderr,
        text=True,
    )


def new_run(
    ledger: Ledger,
    *,
    source: str = "/clip.mp4",
    idempotency_key: str = "",
    backend: Backend = Backend.ENGINE,
) -> str:
    """Writes a run that nobody works on."""
    request = Request(source=source, proportion_samples=0.1, selection_backend=backend)
    run_id, _ = ledger.runs.create(
        request, deadline_s=60.0, idempotency_key=idempotency_key or None
    )
    return run_id


def end(ledger: Ledger, run_id: str, outcome: Outcome, **facts: str | int) -> None:
    """Brings a run into its end state, as its last step would.

    Args:
        ledger: The ledger.
        run_id: The run.
        outcome: What it ends as.
        facts: Of the selection of a completed run, where the usual ones will not do.
    """
    ledger.runs.decide(run_id, outcome, ERROR if outcome is Outcome.FAILED else None)
    if outcome is Outcome.COMPLETED:
        usual: dict[str, str | int] = {
            "state": "COMPLETED",
            "n_frames": 250,
            "n_selected": 25,
            "filenames_uri": f"s3://results/{run_id}/selected.txt",
        }
        ledger.runs.record_selection(run_id, **usual | facts)
    ledger.runs.end(ledger.runs.get(run_id), released=StepState.SUCCEEDED)
