"""Names and records of an engine run are those that people and other programs rely on."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest
from PIL import Image

from curation.engine.results import (
    SelectedFrame,
    frame_filename,
    jpeg,
    selected_txt,
    selection_json,
)

SELECTED = [
    SelectedFrame(frame_number=3, timestamp_s=0.12, order=0, file="frames/a-03-mp4.jpg"),
    SelectedFrame(frame_number=1, timestamp_s=0.04, order=1, file="frames/a-01-mp4.jpg"),
]


@pytest.mark.parametrize(
    ("video_name", "frame_number", "n_frames", "expected"),
    [
        ("bikes.mp4", 7, 250, "bikes-007-mp4.jpg"),
        ("bikes.mp4", 99, 100, "bikes-099-mp4.jpg"),
        ("bikes.mp4", 0, 1, "bikes-0-mp4.jpg"),
        ("my.holiday.MOV", 12, 5000, "my.holiday-0012-MOV.jpg"),
    ],
)
def test_frame_filename__is_named_as_the_hosted_service_names_it(
    video_name: str, frame_number: int, n_frames: int, expected: str
) -> None:
    """`{video}-{frame_number}-{ext}`, with as many digits as the number of frames has."""
    assert frame_filename(video_name, frame_number, n_frames) == expected


def test_jpeg__keeps_size_and_colours() -> None:
    """A picture comes back in its full size, near to what it was."""
    pixels = np.full((40, 60, 3), (200, 60, 40), np.uint8)

    with Image.open(io.BytesIO(jpeg(pixels))) as image:
        assert image.format == "JPEG"
        assert np.abs(np.asarray(image).astype(int) - pixels).max() <= 3


def test_selected_txt__has_one_file_name_a_line() -> None:
    """File names alone, in order of choice."""
    assert selected_txt(SELECTED) == b"a-03-mp4.jpg\na-01-mp4.jpg\n"


def test_selection_json__has_all_facts() -> None:
    """The record names run, video and each selected frame."""
    record = selection_json(SELECTED, run_id="r1", uri="s3://in/a.mp4", sha256="ab", n_frames=20)

    assert json.loads(record) == {
        "schema": 1,
        "run_id": "r1",
        "video": {"uri": "s3://in/a.mp4", "sha256": "ab", "n_frames": 20},
        "selected": [
            {"frame_number": 3, "timestamp_s": 0.12, "order": 0, "file": "frames/a-03-mp4.jpg"},
            {"frame_number": 1, "timestamp_s": 0.04, "order": 1, "file": "frames/a-01-mp4.jpg"},
        ],
    }
