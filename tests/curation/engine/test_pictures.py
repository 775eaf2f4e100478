"""Pictures are named as people and other programs expect, and look as the frames do."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from curation.engine.pictures import PictureFormat, frame_filename, jpeg


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
    assert frame_filename(video_name, frame_number, n_frames, "jpg") == expected


def test_jpeg__keeps_size_and_colours() -> None:
    """A picture comes back in its full size, near to what it was."""
    pixels = np.full((40, 60, 3), (200, 60, 40), np.uint8)

    with Image.open(io.BytesIO(jpeg(pixels))) as image:
        assert image.format == "JPEG"
        assert np.abs(np.asarray(image).astype(int) - pixels).max() <= 3


def test_picture_format__png_loses_nothing() -> None:
    """Each pixel comes back as it was."""
    pixels = np.random.default_rng(0).integers(0, 256, (8, 9, 3), np.uint8)
    form = PictureFormat("png")

    with Image.open(io.BytesIO(form.encode(pixels))) as image:
        assert (image.format, form.mime_type) == ("PNG", "image/png")
        np.testing.assert_array_equal(np.asarray(image), pixels)


def test_picture_format__a_lower_quality_is_smaller() -> None:
    """The quality is that of the setting."""
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)

    sizes = [len(PictureFormat("jpg", quality).encode(pixels)) for quality in (30, 60, 95)]

    assert sizes == sorted(sizes)
    assert sizes[0] < sizes[2] / 2
