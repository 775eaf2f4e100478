from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image

from pipeline.cli.demo import DemoReport
from tests.support.cli import FOREIGN, start
from tests.support.media import write_scenes

if TYPE_CHECKING:
    from collections.abc import Mapping

# Frames of each scene; a tenth of them are four.
SCENES = (16, 10, 14)


@dataclass(frozen=True)
class Ended:
    """How a demo ended."""

    exit_code: int
    report: dict[str, Any]
    stderr: str
    folder: Path


@pytest.fixture(scope="module")
def demos(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Ended]:
    """Two demos at the same time: of a good video, and of one that is none beside a good one."""
    root = tmp_path_factory.mktemp("demos")
    write_scenes(root / "scenes.mp4", SCENES)
    (root / "letter.mp4").write_text("Dear video, I am a letter.")
    processes = {}
    for name, videos in {"good": ["scenes.mp4"], "bad": ["letter.mp4", "scenes.mp4"]}.items():
        (root / name).mkdir()
        paths = [f"../{video}" for video in videos]
        processes[name] = start(
            *("demo", *paths, "--data", str(root / f"{name}-data"), "--json"),
            cwd=root / name,
            variables=FOREIGN,
        )
    outputs = {name: process.communicate() for name, process in processes.items()}
    return {
        name: Ended(process.returncode, json.loads(stdout), stderr, root / name)
        for (name, process), (stdout, stderr) in zip(
            processes.items(), outputs.values(), strict=True
        )
    }


def test_demo__selects_frames_and_stops_the_instance(demos: Mapping[str, Ended]) -> None:
    """Exit 0 means: the run is completed, the count is right, and EC2 says `stopped`."""
    good = demos["good"]

    (item,) = good.report["items"]
    assert good.exit_code == 0, good.stderr
    assert (item["state"], item["n_frames"], item["n_selected"]) == ("completed", sum(SCENES), 4)
    assert good.report["instance_state"] == "stopped"
    assert good.report["instance_seconds"] > 0
    assert good.report["succeeded"] is True


def test_demo__results_stay(demos: Mapping[str, Ended]) -> None:
    """The frames are pictures in the folder of whoever called, and every scene is among them."""
    (item,) = demos["good"].report["items"]

    folder = demos["good"].folder / "curated" / item["run_id"]
    assert item["folder"] == str(folder)
    names = (folder / "selected.txt").read_text().split()
    assert len(names) == 4
    for name in names:
        with Image.open(folder / "frames" / name) as frame:
            frame.load()
    assert {scene_of(int(name.split("-")[1])) for name in names} == {0, 1, 2}
    with Image.open(item["contact_sheet"]) as sheet:
        assert sheet.width > 300
    assert item["report"] == str(folder / "report.html")
    assert f'href="frames/{names[0]}"' in Path(item["report"]).read_text()


def test_demo__one_bad_video_is_1(demos: Mapping[str, Ended]) -> None:
    """A video that is none fails the demo with the reason and the log; the other one is curated."""
    bad = demos["bad"]

    letter, scenes = bad.report["items"]
    assert bad.exit_code == 1
    assert bad.report["succeeded"] is False
    assert (letter["state"], scenes["state"]) == ("failed", "completed")
    assert "Error: letter.mp4: " in bad.stderr
    assert "is not a video" in bad.stderr
    assert bad.report["instance_state"] == "stopped"
    log = Path(bad.stderr.partition("What the processes said: ")[2].split()[0])
    assert "source:" in log.read_text() or "is not a video" in log.read_text()


def test_report__an_instance_that_is_not_stopped_is_a_problem() -> None:
    """However well the runs went, an instance left running makes the demo fail."""
    report = DemoReport(items=[], instance_state="running", instance_seconds=9.0, seconds={})

    assert report.problems() == ["The instance is running at the end, not stopped."]
    assert json.loads(report.to_json())["succeeded"] is False


def test_demo__missing_video_is_2(tmp_path: Path) -> None:
    """A path that is not there is wrong usage, told before anything is started."""
    with start("demo", "nothing.mp4", cwd=tmp_path) as process:
        stdout, stderr = process.communicate()

    assert (process.returncode, stdout) == (2, "")
    assert "nothing.mp4" in stderr


def scene_of(number: int) -> int:
    """Returns the scene that a frame belongs to."""
    return sum(number >= sum(SCENES[: end + 1]) for end in range(len(SCENES)))
