"""What a small picture of a frame tells without a network: brightness, sharpness, a thumbnail."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np

from curation.engine.packages import explained

with explained():
    from PIL import Image

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Longest side of a thumbnail in pixels, and Pillow's quality: 3 to 6 KB each.
THUMBNAIL_SIDE = 160
_THUMBNAIL_QUALITY = 75
# Rec. 601, as JPEG has it.
_GREY = np.array([0.299, 0.587, 0.114], np.float32)


def grey_of(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Returns the brightness of each pixel, 0 to 255, shape (H, W), float32.

    Args:
        pixels: RGB, shape (H, W, 3), uint8.
    """
    grey: NDArray[np.float32] = pixels @ _GREY
    return grey


def sharpness_of(grey: NDArray[np.float32]) -> float:
    """Returns the variance of the Laplacian: the larger, the more fine detail is to be seen.

    Args:
        grey: Shape (H, W), float32.
    """
    inner = grey[1:-1, 1:-1]
    around = grey[:-2, 1:-1] + grey[2:, 1:-1] + grey[1:-1, :-2] + grey[1:-1, 2:]
    return float(np.var(around - 4 * inner))


def thumbnail_of(pixels: NDArray[np.uint8], *, aspect: float) -> bytes:
    """Returns a small JPEG of a picture.

    Args:
        pixels: RGB, shape (H, W, 3), uint8; it may be squeezed.
        aspect: Width by height that it is to be shown with.
    """
    # Pixels that would be mixed with many others are left out: many times as fast at full HD.
    step = max(1, max(pixels.shape[:2]) // (2 * THUMBNAIL_SIDE))
    width = round(THUMBNAIL_SIDE * min(1.0, aspect))
    height = round(THUMBNAIL_SIDE * min(1.0, 1 / aspect))
    coarse = Image.fromarray(np.ascontiguousarray(pixels[::step, ::step]))
    small = coarse.resize((max(width, 1), max(height, 1)))
    buffer = io.BytesIO()
    small.save(buffer, "JPEG", quality=_THUMBNAIL_QUALITY)
    return buffer.getvalue()
