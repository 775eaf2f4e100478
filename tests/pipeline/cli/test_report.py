from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from curation.states import Backend, Outcome
from tests.support.cli import end, new_run
from tests.support.report import ReportFiles
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Mapping

    from types_boto3_s3 import S3Client

    from curation.ledger.ledger import Ledger
    from tests.support.cli import Curate


@pytest.fixture
def run_id(
    ledger: Ledger,
    s3_client: S3Client,
    bucket: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> str:
    """A completed run with a report."""
    run_id = new_run(ledger)
    uri = f"s3://{bucket}/{run_id}/report.html"
    end(ledger, run_id, Outcome.COMPLETED, report_uri=uri)
    s3_client.put_object(Bucket=bucket, Key=f"{run_id}/report.html", Body=ReportFiles().page())
    monkeypatch.setenv("S3_INPUT_BUCKET", f"s3://{bucket}/in/")
    monkeypatch.setenv("S3_LIGHTLY_BUCKET", f"s3://{bucket}/")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return run_id


def test_report__names_the_places(ledger: Ledger, curate: Curate) -> None:
    """Frames, their list and the report are named; what is not there is null."""
    run_id = new_run(ledger)
    end(ledger, run_id, Outcome.COMPLETED)

    result = curate("report", run_id, "--json")

    assert json.loads(result.stdout) == {
        "schema": 1,
        "run_id": run_id,
        "frames_uri": f"s3://results/{run_id}/frames/",
        "filenames_uri": f"s3://results/{run_id}/selected.txt",
        "report_uri": None,
    }


def test_report__of_hosted_lightly_has_no_pictures(ledger: Ledger, curate: Curate) -> None:
    """Its frames are in its own account; a folder that is not there is not named."""
    run_id = new_run(ledger, backend=Backend.LIGHTLY)
    end(ledger, run_id, Outcome.COMPLETED)

    result = curate("report", run_id, "--json")

    assert json.loads(result.stdout)["frames_uri"] is None


def test_report__without_results_is_1(ledger: Ledger, curate: Curate) -> None:
    """Where a script wants to go on with the frames, their absence is a failure."""
    run_id = new_run(ledger)

    result = curate("report", run_id)

    assert (result.exit_code, result.stdout) == (1, "")
    assert "has no results: it is pending" in result.stderr


def test_report__is_fetched(run_id: str, bucket: str, curate: Curate, tmp_path: Path) -> None:
    """In a pipe, places are printed, among them that of the copy, and no browser is started."""
    result = curate("report", run_id)

    copy = tmp_path / "cache" / "video-curation" / "reports" / f"{run_id}.html"
    assert result.stdout.splitlines() == [
        f"frames     s3://results/{run_id}/frames/",
        f"filenames  s3://results/{run_id}/selected.txt",
        f"report     s3://{bucket}/{run_id}/report.html",
        f"copy       {copy}",
    ]
    assert copy.read_bytes() == ReportFiles().page()


@pytest.mark.parametrize(("option", "opened"), [("--open", True), ("--no-open", False)])
def test_report__is_opened_for_a_person(
    option: str, run_id: str, tmp_path: Path, *, opened: bool
) -> None:
    """On a terminal the browser gets the copy, unless one says no."""
    browser, address = tmp_path / "browser", tmp_path / "address"
    browser.write_text(f'#!/bin/sh\necho "$1" > {address}\n')
    browser.chmod(0o755)

    code = on_terminal("report", run_id, option, variables={"BROWSER": f"{browser} %s"})

    assert code == 0
    if opened:
        wait_until(lambda: (address.exists() and address.read_text()) or None)
        assert address.read_text().startswith(f"file://{tmp_path}/cache/")
    assert address.exists() == opened


def on_terminal(*arguments: str, variables: Mapping[str, str]) -> int:
    """Carries out `curate` with a terminal as its stdout; returns its exit code."""
    terminal, end_of_curate = os.openpty()
    try:
        curate = subprocess.run(
            [str(Path(sys.executable).with_name("curate")), *arguments],
            env={**os.environ, **variables},
            stdout=end_of_curate,
            timeout=60,
            check=False,
        )
    finally:
        os.close(terminal)
        os.close(end_of_curate)
    return curate.returncode
