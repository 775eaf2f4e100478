"""Pictures are named as people and other programs expect, and look as the frames do."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from curation.engine.pictures import frame_filename, jpeg


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
