from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from PIL import Image

from curation.report.contact_sheet import MAX_FRAMES, Frame, contact_sheet

if TYPE_CHECKING:
    from pathlib import Path

RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)


def frame(folder: Path, number: int, color: tuple[int, int, int], size: tuple[int, int]) -> Frame:
    """Returns a frame of one color on disk."""
    path = folder / f"{number}.png"
    Image.new("RGB", size, color).save(path)
    return Frame(path, number, number / 25)


def places(sheet: Image.Image, color: tuple[int, int, int]) -> list[tuple[int, int]]:
    """Returns where a color is, as the corners of its box: left and top, right and bottom."""
    mask = Image.new("L", sheet.size)
    mask.putdata([255 * (pixel == color) for pixel in sheet.get_flattened_data()])
    box = mask.getbbox()
    return [box[:2], box[2:]] if box else []


def test_contact_sheet__keeps_the_order(tmp_path: Path) -> None:
    """Frames are read like words: from left to right, then down."""
    colors = [RED, GREEN, BLUE, (255, 255, 0), (0, 255, 255), (255, 0, 255)]
    frames = [frame(tmp_path, n, color, (160, 90)) for n, color in enumerate(colors)]

    sheet = contact_sheet(frames, title="six")

    corners = [places(sheet, color)[0] for color in colors]
    assert corners == sorted(corners, key=lambda corner: (corner[1], corner[0]))
    assert len(set(corners)) == len(colors)


def test_contact_sheet__keeps_shapes(tmp_path: Path) -> None:
    """A frame of another shape than the first is made smaller, never cut or stretched."""
    frames = [frame(tmp_path, 0, RED, (160, 90)), frame(tmp_path, 1, GREEN, (90, 160))]

    (left, top), (right, bottom) = places(contact_sheet(frames, title="two"), GREEN)

    assert (bottom - top) / (right - left) == pytest.approx(160 / 90, rel=0.02)


@pytest.mark.parametrize("size", [(640, 272), (270, 480), (16, 16), (4000, 2)])
@pytest.mark.parametrize("count", [1, 5, MAX_FRAMES])
def test_contact_sheet__fits_a_screen(count: int, size: tuple[int, int], tmp_path: Path) -> None:
    """However many frames and of whatever shape, the picture is no wider than a screen."""
    one = frame(tmp_path, 0, RED, size)

    sheet = contact_sheet([one] * count, title="a title")

    assert 100 < sheet.width <= 1600
    assert sheet.height <= 2 * 1600


def test_contact_sheet__leaves_out_what_is_too_much(tmp_path: Path) -> None:
    """What cannot be told apart any more is not shown."""
    many = [frame(tmp_path, 0, RED, (64, 48))] * MAX_FRAMES

    longer = contact_sheet([*many, frame(tmp_path, 1, GREEN, (64, 48))], title="many")

    assert longer.size == contact_sheet(many, title="many").size
    assert places(longer, GREEN) == []


def test_contact_sheet__shortens_its_title(tmp_path: Path) -> None:
    """A title that is too long ends with dots inside the margin."""
    one = [frame(tmp_path, 0, BLUE, (480, 270))]

    short, long = (contact_sheet(one, title=title) for title in ("i", "i" * 500))

    assert short.size == long.size
    margin = long.crop((long.width - 24, 0, long.width, long.height))
    assert len(margin.getcolors() or []) == 1
