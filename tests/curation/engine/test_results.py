"""The files of an engine run have the facts that people and other programs rely on."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from curation.engine.choice import Choice
from curation.engine.damage import Damage
from curation.engine.frames import Frames
from curation.engine.outcome import Outcome, Pictures, SelectedFrame
from curation.engine.report_facts import facts_json, facts_npz
from curation.engine.results import embeddings_npy, selected_txt, selection_json, write_results
from curation.engine_port import VideoOfRun
from curation.errors import RunEnded
from curation.selection_config import diverse

if TYPE_CHECKING:
    from numpy.typing import NDArray

N = 20
SELECTED = [
    SelectedFrame(3, timestamp_s=0.12, order=0, file="frames/a-03-mp4.jpg", distance=2.0),
    SelectedFrame(1, timestamp_s=0.04, order=1, file="frames/a-01-mp4.jpg", distance=0.5),
]


LISTED = [
    {
        "frame_number": 3,
        "timestamp_s": 0.12,
        "order": 0,
        "file": "frames/a-03-mp4.jpg",
        "distance": 2.0,
        "width": 64,
        "height": 48,
    },
    {
        "frame_number": 1,
        "timestamp_s": 0.04,
        "order": 1,
        "file": "frames/a-01-mp4.jpg",
        "distance": 0.5,
        "width": 128,
        "height": 96,
    },
]


@dataclass
class Numbers:
    """An embedder that is only named."""

    identity: str = "numbers/1"
    size: int = 8
    n_features: int = 4

    def embed(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Is never asked."""
        raise NotImplementedError(pixels.shape)


def new_outcome() -> Outcome:
    """A run over 20 frames, of which two are chosen and two are damaged."""
    rows = np.random.default_rng(0).normal(size=(N, 4))
    frames = Frames(
        timestamps_s=np.arange(N) / 25,
        embeddings=(rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float16),
        is_key=np.arange(N) == 0,
        is_corrupt=np.zeros(N, np.bool_),
        n_errors=np.zeros(N, np.int32),
        sharpness=np.ones(N, np.float32),
        luminance=np.ones(N, np.float32),
        thumbnails=[b"small" if number % 10 == 0 else b"" for number in range(N)],
    )
    video = VideoOfRun(
        open=io.BytesIO, run_id="r1", uri="s3://in/a.mp4", sha256="ab", config=diverse(0.1)
    )
    return Outcome(
        video,
        frames,
        Damage(np.arange(N) >= 18, 2, 1, [(0.72, 0.76)]),
        Choice(np.array([3, 1]), np.array([2.0, 0.5], np.float32), 18, 0, 0),
        Pictures(SELECTED, {3: b"third", 1: b"first"}, {1: (128, 96), 3: (64, 48)}),
        Numbers(),
        {"choice": 0.123, "saving": 4.0},
    )


FACTS = {
    "embedder": {"identity": "numbers/1", "n_features": 4},
    "selection_config": diverse(0.1).to_dict(),
    "damage": {"n_damaged": 2, "n_missing": 1, "ranges_s": [[0.72, 0.76]]},
    "choice": {
        "n_selected": 2,
        "n_candidates": 18,
        "n_below_threshold": 0,
        "n_known": 0,
        "collapse_distance": 0.0,
    },
}


def test_selected_txt__has_one_file_name_a_line() -> None:
    """File names alone, in order of choice."""
    assert selected_txt(new_outcome()) == b"a-03-mp4.jpg\na-01-mp4.jpg\n"


def test_selection_json__has_all_facts() -> None:
    """The record names run, video, what was found and asked for, and each selected frame."""
    assert json.loads(selection_json(new_outcome())) == {
        "schema": 1,
        "run_id": "r1",
        "video": {"uri": "s3://in/a.mp4", "sha256": "ab", "n_frames": N},
        **FACTS,
        "selected": LISTED,
    }


def test_facts_json__has_what_a_report_tells() -> None:
    """The facts of the whole run, its scores beside two simple choices, and seconds by stage."""
    facts = json.loads(facts_json(new_outcome()))

    scores = facts.pop("scores")
    assert facts == {
        "schema": 1,
        "run_id": "r1",
        "video": {
            "uri": "s3://in/a.mp4",
            "sha256": "ab",
            "name": "a.mp4",
            "width": 128,
            "height": 96,
            "n_frames": N,
        },
        **FACTS,
        "timings": {"choice_s": 0.12, "saving_s": 4.0},
    }
    assert set(scores) == {"chosen", "every_nth", "random"}


def test_facts_npz__has_an_entry_for_each_frame() -> None:
    """Arrays over all frames, the chosen ones, and the thumbnails that there are."""
    with np.load(io.BytesIO(facts_npz(new_outcome())), allow_pickle=False) as file:
        arrays = dict(file)

    over_frames = ("timestamps_s", "is_key", "is_damaged", "n_errors", "sharpness", "luminance")
    assert {len(arrays[name]) for name in (*over_frames, "map_xy")} == {N}
    assert arrays["selected"].tolist() == [3, 1]
    assert arrays["distances"].tolist() == [2.0, 0.5]
    assert arrays["thumbnail_numbers"].tolist() == [0, 1, 3, 10]
    bounds, jpegs = arrays["thumbnail_bounds"], arrays["thumbnail_jpegs"].tobytes()
    assert jpegs[bounds[1] : bounds[2]] == b"first"
    assert jpegs[bounds[3] : bounds[4]] == b"small"


def test_facts__of_a_run_that_chose_nothing() -> None:
    """Where the datapool has everything already there is nothing to score, and no size."""
    nothing = replace(
        new_outcome(),
        choice=Choice(np.empty(0, np.int64), np.empty(0, np.float32), 0, 0, 18),
        pictures=Pictures(),
    )

    facts = json.loads(facts_json(nothing))

    assert facts["scores"] == {}
    assert (facts["video"]["width"], facts["choice"]["n_selected"]) == (None, 0)
    assert selected_txt(nothing) == b""
    assert len(facts_npz(nothing)) > 0


def test_embeddings_npy__is_read_by_numpy() -> None:
    """A row for each frame of the video, damaged ones included, so that numbers are rows."""
    outcome = new_outcome()

    embeddings = np.load(io.BytesIO(embeddings_npy(outcome)), allow_pickle=False)

    np.testing.assert_array_equal(outcome.frames.embeddings, embeddings)


def test_write_results__writes_nothing_more_when_the_run_is_over() -> None:
    """Who has lost the run learns so before each file, and claims no result."""
    written: list[str] = []

    def refuse_after_two() -> None:
        if len(written) == 2:
            raise RunEnded("The run was canceled.")

    with pytest.raises(RunEnded):
        write_results(
            new_outcome(),
            write=lambda name, _data, _mime: written.append(name),
            on_result=refuse_after_two,
        )

    assert written == ["embeddings.npy", "report_facts.npz"]


def test_write_results__names_what_it_has_written() -> None:
    """`selected.txt` and `selection.json` come last: their presence means all the rest is there."""
    written: dict[str, str] = {}

    names = write_results(
        new_outcome(),
        write=lambda name, _data, mime: written.update({name: mime}),
        on_result=lambda: None,
    )

    assert names == list(written)
    assert names[-2:] == ["selected.txt", "selection.json"]
    assert written["report.html"] == "text/html; charset=utf-8"


def test_write_results__goes_on_without_a_report(caplog: pytest.LogCaptureFixture) -> None:
    """A report that cannot be made is one warning; all else is written."""
    outcome = new_outcome()
    # No map can be drawn of a time that is none.
    outcome.frames.timestamps_s[5] = np.nan

    names = write_results(outcome, write=lambda _name, _data, _mime: None, on_result=lambda: None)

    assert "report.html" not in names
    assert names[-1] == "selection.json"
    assert [record.getMessage() for record in caplog.records] == ["The report could not be made"]
