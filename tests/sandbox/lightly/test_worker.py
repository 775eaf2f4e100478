"""The sandbox's Lightly Worker, as a process, with runs of the real backend and a real video."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
import pytest

from sandbox.ask import RefusedError
from tests.support.clips import small_clip
from tests.support.lightly import ENDS, lightly_server
from tests.support.servers import s3_environment
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from curation.models import Run
    from curation.ports import SelectionLook
    from tests.support.hosted import Hosted
    from tests.support.lightly import Lightly

SCRIPT = Path(__file__).parents[3] / "sandbox" / "instance" / "lightly.sh"
N_FRAMES = 30
LABEL = "gpu"


@pytest.fixture(scope="module")
def lightly_stand_in(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lightly]:
    """A platform on which no other test has left runs for the Lightly Worker to take."""
    with lightly_server(tmp_path_factory.mktemp("lightly")) as server:
        yield server


@pytest.fixture(scope="module")
def _worker(lightly_stand_in: Lightly, rclone_endpoint: str) -> Iterator[None]:
    """The Lightly Worker."""
    settings = lightly_stand_in.environment | s3_environment(rclone_endpoint)
    command = [sys.executable, "-m", "sandbox.lightly.worker", "--label", LABEL]
    with subprocess.Popen(command, env=os.environ | settings) as process:
        yield
        process.terminate()


def carry_out(hosted: Hosted, *runs: Run, dataset_name: str = "") -> list[SelectionLook]:
    """Schedules runs and returns the last look at each, when all have ended."""
    backend = hosted.backend(dataset_name=dataset_name, runs_on=(LABEL,))
    for run in runs:
        backend.schedule(run)

    def ends() -> list[SelectionLook] | None:
        looks = [backend.look(run) for run in runs]
        return looks if all(look.is_end for look in looks) else None

    return wait_until(ends)


def with_video(hosted: Hosted) -> Run:
    """Returns a run whose video is in the bucket."""
    run = hosted.new_run()
    assert run.video
    key = run.video.uri.removeprefix(f"s3://{hosted.bucket}/")
    hosted.s3.put_object(Bucket=hosted.bucket, Key=key, Body=small_clip(N_FRAMES))
    return run


def keys(hosted: Hosted, prefix: str) -> list[str]:
    """Returns the keys under a prefix of the results."""
    listed = hosted.s3.list_objects_v2(Bucket=hosted.bucket, Prefix=f"results/{prefix}")
    return [item["Key"] for item in listed.get("Contents", [])]


@pytest.mark.usefixtures("_worker")
def test_worker__selects_frames_for_real(hosted: Hosted) -> None:
    """It reads the video from S3 and writes a tenth of its frames there, and a report."""
    run = with_video(hosted)

    (look,) = carry_out(hosted, run)

    names = hosted.text(look.filenames_uri).splitlines()
    assert look.succeeded
    assert names == [f"{run.run_id}/clip-{number:02}-mp4.png" for number in (0, 10, 20)]
    assert keys(hosted, ".lightly/frames/") == [f"results/.lightly/frames/{it}" for it in names]
    assert len(keys(hosted, ".lightly/thumbnails/")) == len(names)
    assert size_of_picture(hosted, keys(hosted, ".lightly/frames/")[0]) == (64, 48)
    assert '"nSelected": 3' in hosted.text(look.report_uri)


@pytest.mark.usefixtures("_worker")
def test_worker__runs_of_one_dataset(hosted: Hosted) -> None:
    """With the datapool a second run is not aborted, and each run has its own video's frames."""
    runs = [with_video(hosted) for _ in range(3)]

    looks = carry_out(hosted, *runs)

    assert [look.n_selected for look in looks] == [3, 3, 3]
    for run, look in zip(runs, looks, strict=True):
        names = hosted.text(look.filenames_uri).splitlines()
        assert all(name.startswith(f"{run.run_id}/") for name in names)


@pytest.mark.usefixtures("_worker")
def test_worker__own_dataset(hosted: Hosted) -> None:
    """A run with a dataset of its own finds its video, and its results lie apart."""
    run = with_video(hosted)

    (look,) = carry_out(hosted, run, dataset_name="{run_id}")

    assert look.n_selected == 3
    assert len(keys(hosted, f"{run.run_id}/.lightly/frames/clip-")) == 3


@pytest.mark.usefixtures("_worker")
@pytest.mark.parametrize(
    ("docker", "message"),
    [
        ({}, "not empty, and the datapool is off"),
        ({"useDatapool": True}, "no video that is new"),
        ({"useDatapool": True, "relevantFilenamesFile": "relevant.txt"}, "not under .lightly"),
        ({"useDatapool": True, "relevantFilenamesFile": ".lightly/no.txt"}, "no .lightly/no.txt"),
    ],
)
def test_worker__keeps_the_rules_of_the_documentation(
    hosted: Hosted, docker: dict[str, Any], message: str
) -> None:
    """What the tutorial's second run does is aborted, and says why."""
    run = with_video(hosted)
    carry_out(hosted, run)
    config = {"docker": docker, "selection": {"proportionSamples": 0.1}}
    place = f"datasets/{hosted.known(run).dataset_id}/docker/worker/schedule"

    made = hosted.lightly.send(
        "POST", "docker/worker/config/vX", {"version": "V4", "config": config}
    )
    request = {"configId": made["id"], "priority": "MID", "runsOn": [LABEL]}
    scheduled_run_id = hosted.lightly.send("POST", place, request)["id"]

    second = wait_until(lambda: ended(hosted.lightly, scheduled_run_id))
    assert second["state"] == "ABORTED"
    assert message in second["message"]


@pytest.mark.usefixtures("_worker")
@pytest.mark.parametrize("state", ["FAILED", "CRASHED", "ABORTED"])
def test_worker__ends_as_planned(hosted: Hosted, state: str) -> None:
    """The test says how a run ends."""
    hosted.lightly.hand("plan", {"ends": state, "message": "The GPU is on fire."})

    (look,) = carry_out(hosted, hosted.new_run())

    assert (look.state, look.succeeded) == (state, False)
    assert "The GPU is on fire." in look.message


def test_worker__of_the_instance(
    lightly: Lightly, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One is online however often the script is launched, and none once it was killed."""
    monkeypatch.setenv("SANDBOX_PYTHON", sys.executable)
    monkeypatch.setenv("PYTHONPATH", str(SCRIPT.parents[2]))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    command = [str(SCRIPT), "--name", tmp_path.name]

    with subprocess.Popen(command) as worker:
        wait_until(lambda: state_of(lightly, tmp_path.name) == "IDLE")
        again = subprocess.run(command, capture_output=True, text=True, check=True)
        worker.kill()

    assert "runs already" in again.stdout
    wait_until(lambda: state_of(lightly, tmp_path.name) == "OFFLINE")


def size_of_picture(hosted: Hosted, key: str) -> tuple[int, int]:
    """Returns width and height of a PNG in the bucket."""
    content = hosted.s3.get_object(Bucket=hosted.bucket, Key=key)["Body"].read()
    with av.open(io.BytesIO(content), "r", format="png_pipe") as picture:
        frame = next(picture.decode(video=0))
        return frame.width, frame.height


def state_of(lightly: Lightly, name: str) -> str | None:
    """Returns what the platform says of a Lightly Worker."""
    workers = lightly.send("GET", "docker/worker")
    return next((str(it["state"]) for it in workers if it["name"] == name), None)


def ended(lightly: Lightly, scheduled_run_id: str) -> dict[str, Any] | None:
    """Returns a run once it has ended."""
    with suppress(RefusedError):
        run: dict[str, Any] = lightly.send("GET", f"docker/runs/schedule/{scheduled_run_id}")
        return run if run["state"] in ENDS else None
    return None
