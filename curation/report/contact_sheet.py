"""One picture of all selected frames, each with its number and time."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from PIL import Image, ImageDraw, ImageFont

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

# More than this on one picture can no longer be told apart.
MAX_FRAMES = 60

_WIDTH = 1600
_MAX_FRAME_WIDTH = 480
_MARGIN = 32
_GAP = 16
_TITLE_HEIGHT = 56
_CAPTION_HEIGHT = 30
_RATIO = 4 / 3  # width to height that the whole picture comes near to
_EMPTY_WEIGHT = 0.5  # how much an empty place counts against the wrong ratio

_BACKGROUND = "#16181d"
_TITLE_COLOR = "#f4f4f5"
_CAPTION_COLOR = "#a1a1aa"


@dataclass(frozen=True)
class Frame:
    """A selected frame on disk.

    Attributes:
        path: Its picture.
        frame_number: From 0, in presentation order.
        timestamp_s: Presentation time in seconds.
    """

    path: Path
    frame_number: int
    timestamp_s: float


def contact_sheet(frames: Sequence[Frame], *, title: str) -> Image.Image:
    """Returns the frames side by side, in the given order.

    Args:
        frames: At least one frame; those beyond `MAX_FRAMES` are left out.
        title: What is written above them.
    """
    shown = frames[:MAX_FRAMES]
    with Image.open(shown[0].path) as first:
        grid = _Grid.of(len(shown), ratio=first.width / first.height)
    sheet = Image.new("RGB", grid.sheet_size, _BACKGROUND)
    draw = ImageDraw.Draw(sheet)
    _write_title(draw, title, room=sheet.width - 2 * _MARGIN)
    font = ImageFont.load_default(17)
    for place, frame in enumerate(shown):
        left, top = grid.corner(place)
        sheet.paste(_fitted(frame.path, grid.frame_size), (left, top))
        caption = f"frame {frame.frame_number}  ·  {frame.timestamp_s:.2f} s"
        draw.text((left, top + grid.frame_size[1] + 6), caption, _CAPTION_COLOR, font)
    return sheet


@dataclass(frozen=True)
class _Grid:
    """Where the frames go; sizes in pixels, as (width, height)."""

    columns: int
    rows: int
    frame_size: tuple[int, int]

    @classmethod
    def of(cls, count: int, *, ratio: float) -> _Grid:
        """Returns the grid that fills a picture of pleasant shape best.

        Args:
            count: Number of frames, at least 1.
            ratio: Width to height of a frame.
        """
        grids = [cls._with(columns, count, ratio) for columns in range(1, count + 1)]
        return min(grids, key=lambda grid: grid.ugliness(count))

    @classmethod
    def _with(cls, columns: int, count: int, ratio: float) -> _Grid:
        room = (_WIDTH - 2 * _MARGIN - (columns - 1) * _GAP) // columns
        width = max(1, min(room, _MAX_FRAME_WIDTH))
        return cls(columns, math.ceil(count / columns), (width, max(1, round(width / ratio))))

    @property
    def sheet_size(self) -> tuple[int, int]:
        """Size of the whole picture."""
        width, height = self._cell
        return (
            2 * _MARGIN - _GAP + self.columns * width,
            2 * _MARGIN - _GAP + _TITLE_HEIGHT + self.rows * height,
        )

    def corner(self, place: int) -> tuple[int, int]:
        """Returns left and top of a frame by its place, counted from 0 in reading order."""
        row, column = divmod(place, self.columns)
        width, height = self._cell
        return _MARGIN + column * width, _MARGIN + _TITLE_HEIGHT + row * height

    @property
    def _cell(self) -> tuple[int, int]:
        width, height = self.frame_size
        return width + _GAP, height + _CAPTION_HEIGHT + _GAP

    def ugliness(self, count: int) -> float:
        width, height = self.sheet_size
        empty = self.columns * self.rows - count
        return abs(math.log(width / height / _RATIO)) + _EMPTY_WEIGHT * empty / count


def _write_title(draw: ImageDraw.ImageDraw, title: str, *, room: int) -> None:
    font = ImageFont.load_default(28)
    shown = title
    while draw.textlength(shown, font) > room:
        shown = f"{shown[:-2]}…"
    draw.text((_MARGIN, _MARGIN), shown, _TITLE_COLOR, font)


def _fitted(path: Path, size: tuple[int, int]) -> Image.Image:
    with Image.open(path) as picture:
        fitted = Image.new("RGB", size, _BACKGROUND)
        picture.thumbnail(size, Image.Resampling.LANCZOS)
        left, top = ((whole - part) // 2 for whole, part in zip(size, picture.size, strict=True))
        fitted.paste(picture, (left, top))
    return fitted
