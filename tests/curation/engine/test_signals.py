from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from curation.engine.signals import grey_of, sharpness_of, thumbnail_of


def test_grey_of__is_the_brightness_that_people_see() -> None:
    """Green counts most, blue least; white is 255."""
    colours = np.array([[[255, 255, 255], [255, 0, 0], [0, 255, 0], [0, 0, 255]]], np.uint8)

    white, red, green, blue = grey_of(colours)[0].tolist()

    assert white == pytest.approx(255)
    assert green > red > blue > 0


def test_sharpness_of__falls_with_blur() -> None:
    """The same picture, blurred, is less sharp; an even one is not sharp at all."""
    grey = np.random.default_rng(0).random((32, 32), np.float32) * 255
    blurred = (
        grey + np.roll(grey, 1, 0) + np.roll(grey, 1, 1) + np.roll(grey, -1, 1)
    ) / np.float32(4)

    assert sharpness_of(grey) > 4 * sharpness_of(blurred) > 0
    assert sharpness_of(np.full((32, 32), 9, np.float32)) == 0


@pytest.mark.parametrize(
    ("shape", "aspect", "expected"),
    [
        ((224, 224), 16 / 9, (160, 90)),
        ((224, 224), 9 / 16, (90, 160)),
        ((1080, 1920), 16 / 9, (160, 90)),
        ((64, 64), 1.0, (160, 160)),
        ((16, 4096), 256.0, (160, 1)),
    ],
)
def test_thumbnail_of__has_the_shape_of_the_video(
    shape: tuple[int, int], aspect: float, expected: tuple[int, int]
) -> None:
    """Whatever it is made of, its longest side is 160 pixels, and circles are round."""
    pixels = np.full((*shape, 3), (200, 60, 40), np.uint8)

    with Image.open(io.BytesIO(thumbnail_of(pixels, aspect=aspect))) as image:
        assert image.size == expected
        assert np.abs(np.asarray(image).astype(int) - (200, 60, 40)).max() <= 6
