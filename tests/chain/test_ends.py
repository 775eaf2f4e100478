"""One test for each way a run can end, through real processes over the real wire."""

from __future__ import annotations

import gzip
import hashlib
import json
from typing import TYPE_CHECKING

import pytest

from curation.states import RunState, StepState
from tests.support.clips import small_clip
from tests.support.file_server import ServedFile
from tests.support.media import scene_of, write_audio, write_scenes
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from curation.models import Run
    from tests.support.chain import Chain
from tests.support.file_server import FileServer

pytestmark = pytest.mark.timeout(600)


def test_run__completed(chain: Chain, clip: Path) -> None:
    """A good run leaves the verified video, a tenth of its frames, and a stopped instance."""
    before = len(chain.operations())

    code, run = chain.run(clip)

    assert (code, run.state, run.error) == (0, RunState.COMPLETED, None)
    assert run.video is not None
    content = clip.read_bytes()
    assert run.video.sha256 == hashlib.sha256(content).hexdigest()
    stored = chain.s3.get_object(Bucket="input", Key=run.video.uri.removeprefix("s3://input/"))
    assert stored["Body"].read() == content
    assert (run.selection.n_frames, run.selection.n_selected) == (250, 25)
    assert chain.leftovers(run.run_id) == [f"videos/{run.run_id}/bikes.mp4"]
    assert_results(chain, run, n_selected=25)
    assert chain.operations()[before:] == ["StartInstances", "SendCommand", "StopInstances"]
    assert chain.cloud.state == "stopped"
    states = {step.state for _, step in run.steps}
    assert states == {StepState.SUCCEEDED}
    assert run.cost.instance_seconds is not None
    assert run.cost.instance_seconds > 0


def assert_results(chain: Chain, run: Run, *, n_selected: int) -> None:
    """The frames, the list and the description lie under the run's prefix and agree."""
    prefix = f"results/{run.run_id}/"
    found = chain.s3.list_objects_v2(Bucket="lightly", Prefix=prefix)["Contents"]
    frames = {item["Key"] for item in found if item["Key"].startswith(f"{prefix}frames/")}
    listed = chain.s3.get_object(Bucket="lightly", Key=f"{prefix}selected.txt")["Body"].read()
    text = chain.s3.get_object(Bucket="lightly", Key=f"{prefix}selection.json")["Body"].read()
    selection = json.loads(text)
    assert len(frames) == n_selected
    assert {f"{prefix}frames/{name}" for name in listed.decode().split()} == frames
    assert {f"{prefix}{item['file']}" for item in selection["selected"]} == frames
    assert selection["run_id"] == run.run_id
    assert run.selection.filenames_uri == f"s3://lightly/{prefix}selected.txt"
    assert run.selection.report_uri == f"s3://lightly/{prefix}report.html"
    assert f"{prefix}report.html" in {item["Key"] for item in found}


def a_playlist(good: bytes) -> ServedFile:
    """A text that would make a decoder open other files."""
    return ServedFile(b"ffconcat version 1.0\nfile '/etc/passwd'\n" + b"#" * len(good))


BAD: dict[str, tuple[Callable[[bytes], ServedFile], str, str]] = {
    "missing": (lambda _: ServedFile(status=404), "source:http:404", "404"),
    "html": (
        lambda _: ServedFile(b"<html>not here</html>", headers={"Content-Type": "text/html"}),
        "source:no-video",
        "text/html",
    ),
    "html-as-video": (lambda _: ServedFile(b"<!doctype html>" * 99), "source:no-video", "HTML"),
    "empty": (lambda _: ServedFile(b""), "source:empty", "empty"),
    "short": (
        lambda good: ServedFile(good[:9000], declared_bytes=len(good), has_ranges=False, etag=None),
        "source:",
        "9,000 of",
    ),
    "too-large": (
        lambda _: ServedFile(b"", declared_bytes=10**9),
        "source:too-large",
        "MAX_VIDEO_BYTES",
    ),
    "compressed": (
        lambda good: ServedFile(gzip.compress(good), headers={"Content-Encoding": "gzip"}),
        "source:",
        "gzip",
    ),
    "redirect": (
        lambda _: ServedFile(status=302, headers={"Location": "https://169.254.169.254/x.mp4"}),
        "source:",
        "169.254.169.254",
    ),
    "noise": (lambda _: ServedFile(bytes(range(256)) * 99), "source:no-video", "noise.mp4"),
    "playlist": (a_playlist, "source:no-video", "playlist.mp4"),
    "broken": (lambda good: ServedFile(good[: len(good) // 3]), "source:undecodable", "broken"),
}


@pytest.mark.parametrize("kind", BAD)
def test_run__bad_input_fails_with_its_reason(
    chain: Chain, files: FileServer, clip: Path, kind: str
) -> None:
    """Whatever is wrong with the input is said, and nothing of it stays anywhere."""
    serve, code, word = BAD[kind]
    link = files.put(f"/{kind}.mp4", serve(clip.read_bytes()))

    exit_code, run = chain.run(link)

    assert (exit_code, run.state) == (1, RunState.FAILED)
    assert run.error is not None
    assert run.error.code.startswith(code)
    assert run.error.step == "ingest_video"
    assert f"{kind}.mp4" in run.error.message
    assert word in run.error.message
    assert chain.leftovers(run.run_id) == []
    assert chain.cloud.state == "stopped"


def test_run__no_picture_in_it(chain: Chain, tmp_path: Path) -> None:
    """A file with sound alone is refused by name."""
    sound = tmp_path / "sound.mp4"
    write_audio(sound)

    exit_code, run = chain.run(sound)

    assert exit_code == 1
    assert run.error is not None
    assert run.error.code == "source:no-video-stream"
    assert "sound.mp4" in run.error.message
    assert chain.leftovers(run.run_id) == []


def test_run__missing_path(chain: Chain) -> None:
    """A path that is not there is an error that names it."""
    exit_code, run = chain.run("/nowhere/at-all.mp4")

    assert exit_code == 1
    assert run.error is not None
    assert (run.error.code, "/nowhere/at-all.mp4" in run.error.message) == (
        "source:not-found",
        True,
    )


def test_run__selects_from_every_scene(chain: Chain, tmp_path: Path) -> None:
    """Of clearly different scenes, however short, each is among the selected frames."""
    lengths = [60, 5, 30, 9, 40, 16]
    video = write_scenes(tmp_path / "scenes.mp4", lengths)

    _, run = chain.run(video)

    key = f"results/{run.run_id}/selection.json"
    text = chain.s3.get_object(Bucket="lightly", Key=key)["Body"].read()
    numbers = [item["frame_number"] for item in json.loads(text)["selected"]]
    assert len(numbers) == sum(lengths) // 10
    assert {scene_of(number, lengths) for number in numbers} == set(range(len(lengths)))


def test_run__start_denied(chain: Chain, clip: Path) -> None:
    """A permission that is missing is named, and the run ends without an instance."""
    chain.cloud.add_faults(
        {"operation": "StartInstances", "kind": "error", "code": "UnauthorizedOperation"}
    )

    exit_code, run = chain.run(clip)

    assert exit_code == 1
    assert run.error is not None
    assert (run.error.code, run.error.step) == ("ec2:denied", "start_instance")
    assert "ec2:StartInstances" in run.error.message
    assert chain.cloud.state == "stopped"


def test_run__canceled_while_selecting(chain: Chain, clip: Path) -> None:
    """A canceled run stops its engine task, gives the instance back, and ends as canceled."""
    run_id = chain.begin(clip)
    wait_until(lambda: chain.status(run_id).state is RunState.SELECTING or None, limit_s=60)

    done = chain.curate("cancel", run_id)
    (run,) = chain.ended(run_id)

    assert done.returncode == 0
    assert run.state is RunState.CANCELED
    assert run.selection.state != "COMPLETED"
    assert chain.cloud.state == "stopped"


def test_run__deadline(chain: Chain, clip: Path) -> None:
    """A run that is not done by its deadline fails, says what it waited for, and is cleaned up."""
    chain.cloud.add_faults(
        {
            "operation": "StartInstances",
            "kind": "error",
            "code": "InsufficientInstanceCapacity",
            "times": 1000,
        }
    )

    exit_code, run = chain.run(clip, RUN_DEADLINE_S="6")

    assert exit_code == 1
    assert run.error is not None
    assert run.error.code == "run:deadline"
    assert "start_instance" in run.error.message
    assert run.ended_at is not None
    assert chain.cloud.state == "stopped"


def test_run__resumed_after_a_failure(chain: Chain, clip: Path) -> None:
    """A resumed run adopts the verified video and ends as it should have."""
    chain.cloud.add_faults(
        {"operation": "SendCommand", "code": "AccessDeniedException", "times": None}
    )
    _, failed = chain.run(clip)
    chain.cloud.clear_faults()
    assert failed.error is not None
    assert failed.error.code == "ssm:denied"
    assert failed.video is not None

    done = chain.curate("resume", failed.run_id, "--json")
    run_id = json.loads(done.stdout)["run_id"]
    (run,) = chain.ended(run_id)

    assert (run.state, run.resumed_from) == (RunState.COMPLETED, failed.run_id)
    assert run.steps.ingest_video.state is StepState.SKIPPED
    assert chain.leftovers(run_id) == []
    assert_results(chain, run, n_selected=25)


def test_run__ten_at_once_share_the_instance(chain: Chain, tmp_path: Path) -> None:
    """Ten runs at once: one start, one launch, one stop after the last, ten results."""
    clip = tmp_path / "small.mp4"
    clip.write_bytes(small_clip(20))
    before = len(chain.operations())

    runs = chain.ended(*chain.begin_at_once(clip, 10))

    assert {run.state for run in runs} == {RunState.COMPLETED}
    assert chain.operations()[before:] == ["StartInstances", "SendCommand", "StopInstances"]
    assert chain.cloud.state == "stopped"
    for run in runs:
        assert_results(chain, run, n_selected=2)


def test_run__stop_refused_until_the_deadline(chain: Chain, clip: Path) -> None:
    """When EC2 will not stop the instance, the run says so, and the reaper goes on trying."""
    chain.cloud.add_faults(
        {
            "operation": "StopInstances",
            "kind": "error",
            "code": "UnauthorizedOperation",
            "times": 10_000,
        }
    )
    exit_code, run = chain.run(clip, RUN_DEADLINE_S="20")
    assert exit_code == 1
    assert run.error is not None
    assert run.error.code == "ec2:stop"
    assert chain.cloud.state == "running"

    chain.cloud.clear_faults()

    wait_until(lambda: chain.cloud.state == "stopped" or None, limit_s=100)
