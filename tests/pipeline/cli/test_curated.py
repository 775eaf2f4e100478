from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest

from curation.models import Request, RunRequest, Video
from curation.names import run_name
from curation.states import Backend, Outcome
from pipeline import client
from tests.support.cli import end

if TYPE_CHECKING:
    from pathlib import Path

    from curation.ledger.ledger import Ledger
    from tests.support.cli import Curate

CONTENT = b"a video"


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """A file for a video source."""
    path = tmp_path / "clip.mp4"
    path.write_bytes(CONTENT)
    return path


@pytest.fixture
def earlier(ledger: Ledger) -> str:
    """A completed run that had the same bytes from elsewhere."""
    request = Request(
        source="pexels:popular", proportion_samples=0.1, selection_backend=Backend.ENGINE
    )
    run_id, _ = ledger.runs.create(request, deadline_s=60.0)
    video = Video(
        uri="s3://b/k", size_bytes=7, sha256=hashlib.sha256(CONTENT).hexdigest(), source_url="x"
    )
    ledger.runs.record_video(run_id, video)
    end(ledger, run_id, Outcome.COMPLETED)
    return run_id


def test_run__curated_already_is_answered_at_once(
    earlier: str, clip: Path, ledger: Ledger, curate: Curate
) -> None:
    """The same file with the same wish starts nothing, and gives the run that has it."""
    result = curate("run", str(clip), "--backend", "engine", "--wait")

    assert (result.exit_code, result.stdout) == (0, f"{earlier}\n")
    assert f"curated already, in the same way: 25 of 250 frames, by {run_name(earlier)}" in (
        result.stderr
    )
    assert len(ledger.runs.newest(9)) == 1


@pytest.mark.parametrize(
    "more",
    [["--force"], ["--json"], ["--proportion", "0.2"], ["--idempotency-key", "k"]],
    ids=" ".join,
)
def test_run__is_begun_all_the_same(
    more: list[str], earlier: str, clip: Path, ledger: Ledger, curate: Curate
) -> None:
    """Whoever forces it, reads JSON, wants something else or has a key gets a run of their own."""
    curate("run", str(clip), "--backend", "engine", *more)

    (run,) = [run for run in ledger.runs.newest(9) if run.run_id != earlier]
    assert run.request.skip_curated == (more not in (["--force"], ["--json"]))


def test_enqueue__does_not_skip_unless_asked(earlier: str, clip: Path, ledger: Ledger) -> None:
    """Programs and schedules get the run that they ask for."""
    run_id = client.enqueue(RunRequest(source=str(clip), selection_backend=Backend.ENGINE))

    assert run_id != earlier
    assert not ledger.runs.get(run_id).request.skip_curated


def test_run__same_key_with_and_without_force_is_one_request(
    clip: Path, ledger: Ledger, curate: Curate
) -> None:
    """How often a video may be curated is no part of what is asked for."""
    arguments = ["run", str(clip), "--idempotency-key", "k"]

    first, second = curate(*arguments), curate(*arguments, "--force")

    assert first.stdout == second.stdout
    assert len(ledger.runs.newest(9)) == 1
