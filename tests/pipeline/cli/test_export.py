from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from curation.states import Outcome
from tests.support.cli import end, new_run
from tests.support.report import ReportFiles, picture

if TYPE_CHECKING:
    from pathlib import Path

    from types_boto3_s3 import S3Client

    from curation.ledger.ledger import Ledger
    from tests.support.cli import Curate

FILES = ReportFiles(n_frames=100, n_selected=2)


@pytest.fixture
def run_id(
    ledger: Ledger,
    s3_client: S3Client,
    bucket: str,
    monkeypatch: pytest.MonkeyPatch,
) -> str:
    """A completed run of our own engine that has selected two frames."""
    run_id = new_run(ledger)
    prefix = f"{run_id}/"
    end(ledger, run_id, Outcome.COMPLETED, filenames_uri=f"s3://{bucket}/{prefix}selected.txt")
    bodies = {f"frames/clip.mp4-{number}.jpg": picture(number, 64) for number in FILES.chosen}
    bodies |= {"selection.json": FILES.selection_json(), "report_facts.json": FILES.facts_json()}
    for name, body in bodies.items():
        s3_client.put_object(Bucket=bucket, Key=f"{prefix}{name}", Body=body)
    monkeypatch.setenv("S3_INPUT_BUCKET", f"s3://{bucket}/in/")
    monkeypatch.setenv("S3_LIGHTLY_BUCKET", f"s3://{bucket}/")
    return run_id


@pytest.mark.parametrize(
    ("form", "files"),
    [
        ("coco", {"coco.json"}),
        ("cvat", {"manifest.jsonl"}),
        ("label-studio", {"label-studio.json"}),
        ("yolo", {"data.yaml", "train.txt"}),
    ],
)
def test_export__makes_a_folder_for_the_tool(
    form: str, files: set[str], run_id: str, curate: Curate, tmp_path: Path
) -> None:
    """Frames and lists lie where the tool looks for them."""
    result = curate("export", run_id, "--format", form, "--to", str(tmp_path / "out"))

    assert result.exit_code == 0
    found = {str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*.*")}
    frames = "images/train" if form == "yolo" else "frames"
    assert found == files | {f"{frames}/clip.mp4-0.jpg", f"{frames}/clip.mp4-50.jpg"}
    assert {line.rpartition("/")[2] for line in result.stdout.splitlines()} == files


def test_export__label_studio_finds_the_frames_by_the_folders_name(
    run_id: str, curate: Curate, tmp_path: Path
) -> None:
    """The address is that of a file below the folder above, which Label Studio is told to serve."""
    curate("export", run_id, "--format", "label-studio", "--to", str(tmp_path / "my frames"))

    tasks = json.loads((tmp_path / "my frames" / "label-studio.json").read_bytes())
    address = "/data/local-files/?d=my%20frames/frames/clip.mp4-50.jpg"
    assert tasks[0]["data"]["image"] == address


@pytest.mark.parametrize(
    ("place", "reason"), [("/dev/null/out", "Not a directory"), ("/proc/out", "No such file")]
)
def test_export__into_a_folder_that_cannot_be_written_is_1(
    place: str, reason: str, run_id: str, curate: Curate
) -> None:
    """The folder and what keeps us out of it are named, in one sentence."""
    result = curate("export", run_id, "--to", place)

    assert result.exit_code == 1
    assert f"Error: {place} cannot be written ({reason}" in result.stderr


@pytest.mark.usefixtures("run_id")
def test_export__of_a_run_that_has_failed_is_1(ledger: Ledger, curate: Curate) -> None:
    """Why there is nothing to export can be looked up."""
    failed = new_run(ledger)
    end(ledger, failed, Outcome.FAILED)

    result = curate("export", failed, "--to", "out")

    assert result.exit_code == 1
    assert "has no results: it is failed. `curate status` says why." in result.stderr


def test_export__of_a_run_without_frames_is_2(
    run_id: str, s3_client: S3Client, bucket: str, curate: Curate, tmp_path: Path
) -> None:
    """Hosted Lightly leaves names alone: the message says who leaves frames."""
    s3_client.delete_object(Bucket=bucket, Key=f"{run_id}/report_facts.json")

    result = curate("export", run_id, "--to", str(tmp_path / "out"))

    assert (result.exit_code, result.stdout) == (2, "")
    assert "has no frames in the bucket" in result.stderr
    assert not (tmp_path / "out").exists()
