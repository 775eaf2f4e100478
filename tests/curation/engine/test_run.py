"""From a video to its selected frames: nothing is missed, everything is told, nothing is left."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from curation.engine.embedders.catalog import open_embedder
from curation.engine.limits import MAX_FRAMES
from curation.engine.pictures import PictureFormat
from curation.engine.pools import Pools
from curation.engine.run import Engine
from curation.engine_port import VideoOfRun
from curation.errors import RequestError, RunEnded, SelectionFailed
from curation.selection_config import diverse
from tests.support.embeddings import frames_of
from tests.support.media import damage_frames, read_number, scene_of, shipped_clip, write_scenes

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path
    from typing import BinaryIO

    from curation.engine.datapool import Datapool
    from curation.engine_port import FrameSelection, FrameSelector

OTHERS = [
    "embeddings.npy",
    "report_facts.npz",
    "report_facts.json",
    "exports/coco.json",
    "exports/label-studio.json",
    "manifest.jsonl",
    "report.html",
    "selected.txt",
    "selection.json",
]


@dataclass
class Outside:
    """What an engine run sees of the world, and what it does to it."""

    content: bytes
    files: list[BinaryIO] = field(default_factory=list)
    written: dict[str, bytes] = field(default_factory=dict)
    mimes: dict[str, str] = field(default_factory=dict)
    told: list[tuple[str, int | None, int | None]] = field(default_factory=list)
    raise_in: str = ""

    def open(self) -> BinaryIO:
        """Opens the video."""
        self.files.append(io.BytesIO(self.content))
        return self.files[-1]

    def write(self, name: str, data: bytes, mime: str) -> None:
        """Keeps a result."""
        self.written[name] = data
        self.mimes[name] = mime

    def progress(self, state: str, done: int | None, total: int | None) -> None:
        """Hears of progress; says that the run has ended once it is in the state `raise_in`."""
        self.told.append((state, done, total))
        if state == self.raise_in:
            raise RunEnded("The run was canceled.")

    def select(
        self,
        engine: FrameSelector,
        *,
        proportion: float = 0.1,
        video: Callable[[], BinaryIO] | None = None,
    ) -> FrameSelection:
        """Lets the engine work on it."""
        return engine.select(
            self.video(proportion, video), write=self.write, progress=self.progress
        )

    def video(
        self, proportion: float = 0.1, opened: Callable[[], BinaryIO] | None = None
    ) -> VideoOfRun:
        """The video as the engine gets it."""
        return VideoOfRun(
            open=opened or self.open,
            run_id="run-1",
            uri="s3://in/run-1/clip.mp4",
            sha256="5f0c",
            config=diverse(proportion),
        )

    @property
    def selection(self) -> list[dict[str, float]]:
        """What `selection.json` says was selected."""
        selected: list[dict[str, float]] = json.loads(self.written["selection.json"])["selected"]
        return selected


def no_pool(name: str) -> Datapool:
    """There is no datapool in these tests."""
    raise AssertionError(name)


@pytest.fixture(scope="module")
def engine(cache_dir: Path) -> FrameSelector:
    """The engine under test, as its port."""
    lite0 = partial(open_embedder, "lite0", device="cpu", cache_dir=cache_dir)
    return Engine(lite0, Pools(no_pool, None, 0.0))


@pytest.fixture(scope="module")
def done(engine: FrameSelector, scenes: Path) -> tuple[Outside, FrameSelection]:
    """A tenth of the video of known scenes is selected."""
    outside = Outside(scenes.read_bytes())
    return outside, outside.select(engine)


@pytest.fixture(scope="module")
def short(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A video of 20 frames, each for itself, whose damage the decoder sees."""
    path = tmp_path_factory.mktemp("media") / "short.avi"
    return write_scenes(path, [12, 8], codec="mpeg4", options={"g": "1"}).read_bytes()


def test_select__finds_every_scene(
    done: tuple[Outside, FrameSelection], lengths: Sequence[int]
) -> None:
    """A tenth of the frames shows each scene, even one of 3 frames in 300."""
    outside, selection = done

    found = {scene_of(int(frame["frame_number"]), lengths) for frame in outside.selection}

    assert selection.n_frames == sum(lengths)
    assert len(selection.filenames) == 30
    assert found == set(range(len(lengths)))


def test_select__writes_the_frames_it_names(done: tuple[Outside, FrameSelection]) -> None:
    """Each picture is the frame of its number, in full size."""
    outside, _ = done

    for frame in outside.selection:
        with Image.open(io.BytesIO(outside.written[str(frame["file"])])) as image:
            assert image.size == (128, 96)
            assert read_number(np.asarray(image)) == frame["frame_number"]
        assert frame["timestamp_s"] == frame["frame_number"] / 25


def test_select__tells_the_size_of_each_picture(engine: FrameSelector, tmp_path: Path) -> None:
    """A video may change its size on the way; the list has that of each frame."""
    small = write_scenes(tmp_path / "a.ts", [10]).read_bytes()
    large = write_scenes(tmp_path / "b.ts", [10], size=(256, 192)).read_bytes()
    outside = Outside(small + large)

    outside.select(engine, proportion=0.5)

    told = [(str(frame["file"]), (frame["width"], frame["height"])) for frame in outside.selection]
    assert {size for _, size in told} == {(128, 96), (256, 192)}
    for file, size in told:
        with Image.open(io.BytesIO(outside.written[file])) as image:
            assert image.size == size


def test_select__writes_its_lists_last(done: tuple[Outside, FrameSelection]) -> None:
    """Who sees `selection.json` can rely on all the rest."""
    outside, selection = done
    names = list(outside.written)
    frames = [name for name in names if name.startswith("frames/")]

    assert names == [*frames, *OTHERS]
    assert sorted(frames) == sorted(f"frames/{name}" for name in selection.filenames)
    assert {outside.mimes[name] for name in frames} == {"image/jpeg"}


def test_select__writes_png_where_it_is_asked_for(cache_dir: Path, short: bytes) -> None:
    """Names, types and lists all say so."""
    lite0 = partial(open_embedder, "lite0", device="cpu", cache_dir=cache_dir)
    outside = Outside(short)

    selection = outside.select(Engine(lite0, Pools(no_pool, None, 0.0), PictureFormat("png")))

    (first, *_) = selection.filenames
    assert first.endswith("-mp4.png")
    assert outside.mimes[f"frames/{first}"] == "image/png"
    assert json.loads(outside.written["exports/coco.json"])["images"][0]["file_name"] == first


def test_select__tells_the_order_of_choice_everywhere(
    done: tuple[Outside, FrameSelection],
) -> None:
    """The returned names, `selected.txt` and `selection.json` agree."""
    outside, selection = done

    assert outside.written["selected.txt"].decode().splitlines() == selection.filenames
    assert [str(frame["file"]) for frame in outside.selection] == [
        f"frames/{name}" for name in selection.filenames
    ]
    assert [frame["order"] for frame in outside.selection] == list(range(30))


def test_select__tells_its_progress(
    done: tuple[Outside, FrameSelection], lengths: Sequence[int]
) -> None:
    """States come in order, and no more than 16 frames pass in silence."""
    outside, _ = done

    states = list(dict.fromkeys(state for state, _, _ in outside.told))
    embedded = [done or 0 for state, done, _ in outside.told if state == "EMBEDDING"]

    assert states == ["EMBEDDING", "SAMPLING", "SAVING_RESULTS"]
    assert max(np.diff(embedded)) <= 16
    assert ("EMBEDDING", sum(lengths), sum(lengths)) in outside.told
    assert ("SAMPLING", None, sum(lengths)) in outside.told


def test_select__closes_what_it_opens(done: tuple[Outside, FrameSelection]) -> None:
    """The video is opened once for each of the two passes, and closed."""
    outside, _ = done

    assert [file.closed for file in outside.files] == [True, True]


def test_select__gives_25_of_250_real_frames(engine: FrameSelector) -> None:
    """A tenth of a real clip is 25 different frames."""
    outside = Outside(shipped_clip("bikes.mp4").read_bytes())

    selection = outside.select(engine)

    assert selection.n_frames == 250
    assert len(set(selection.filenames)) == 25
    assert all(len(data) > 1000 for data in outside.written.values() if data[:2] == b"\xff\xd8")


def test_select__is_the_same_each_time_and_grows_at_its_end(
    engine: FrameSelector, short: bytes
) -> None:
    """The same video gives the same files byte by byte; a larger share adds to the choice."""
    first, second, more = Outside(short), Outside(short), Outside(short)

    few, _, many = (
        first.select(engine, proportion=0.2),
        second.select(engine, proportion=0.2),
        more.select(engine, proportion=0.6),
    )

    for outside in (first, second):
        for name in ("report_facts.json", "report.html"):  # they have the seconds that it took
            del outside.written[name]
    assert first.written == second.written
    assert few.filenames == many.filenames[:4]


def test_select__leaves_damaged_frames_out(engine: FrameSelector, short: bytes) -> None:
    """A frame that the decoder calls damaged keeps its number, but is never selected."""
    outside = Outside(damage_frames(short, range(5, 9)))

    selection = outside.select(engine, proportion=1.0)

    assert selection.n_frames == 20
    numbers = sorted(frame["frame_number"] for frame in outside.selection)
    assert numbers == [*range(5), *range(9, 20)]


def test_select__fails_when_all_frames_are_damaged(engine: FrameSelector, short: bytes) -> None:
    """There is nothing to choose from, and nothing is written."""
    outside = Outside(damage_frames(short, range(20)))

    with pytest.raises(RequestError, match=r"20 of 20 frames of 'clip.mp4' are damaged") as caught:
        outside.select(engine)

    assert caught.value.code == "source:corrupt"
    assert outside.written == {}


def test_select__fails_when_no_frame_comes_out(engine: FrameSelector, tmp_path: Path) -> None:
    """A container without a decodable frame is named as such."""
    content = bytearray(write_scenes(tmp_path / "clip.mp4", [5]).read_bytes())
    start, end = content.index(b"mdat") + 4, content.index(b"moov") - 4
    content[start:end] = bytes(end - start)

    with pytest.raises(RequestError) as caught:
        Outside(bytes(content)).select(engine)

    assert caught.value.code == "source:undecodable"


def test_select__fails_when_the_video_changes_meanwhile(
    engine: FrameSelector, short: bytes, tmp_path: Path
) -> None:
    """Frames of another video are not passed off as the selected ones."""
    other = write_scenes(tmp_path / "other.avi", [3], codec="mpeg4").read_bytes()
    outside = Outside(short)
    passes = iter([short, other])

    with pytest.raises(SelectionFailed, match="the video has changed"):
        outside.select(engine, proportion=0.5, video=lambda: io.BytesIO(next(passes)))

    assert "selection.json" not in outside.written


@pytest.mark.parametrize("state", ["EMBEDDING", "SAMPLING", "SAVING_RESULTS"])
def test_select__stops_when_the_run_has_ended(
    state: str, engine: FrameSelector, short: bytes
) -> None:
    """Whatever it is at, the engine stops at once, closes its files and claims no result."""
    outside = Outside(short, raise_in=state)

    with pytest.raises(RunEnded):
        outside.select(engine)

    assert outside.told[-1][0] == state
    assert all(file.closed for file in outside.files)
    assert "selected.txt" not in outside.written


def test_choose__bounds_the_frames_of_all_segments_together(
    engine: FrameSelector, short: bytes
) -> None:
    """Segments that keep the limit each, and not together, are refused."""
    outside = Outside(short)
    half = frames_of(np.zeros((MAX_FRAMES // 2 + 1, 1), np.float32)).to_npz()

    with pytest.raises(RequestError) as caught:
        engine.choose(outside.video(), [half, half], write=outside.write, progress=outside.progress)

    assert caught.value.code == "source:beyond-limits"
    assert outside.written == {}
