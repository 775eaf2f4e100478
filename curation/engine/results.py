"""Names and writes what an engine run leaves behind: frames, `selected.txt`, `selection.json`."""

from __future__ import annotations

import io
import json
from dataclasses import asdict, dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING

from curation.engine.packages import explained

with explained():
    from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

# Above 95 files grow by half and nothing is to be seen (Pillow's documentation).
_JPEG_QUALITY = 95


@dataclass(frozen=True)
class SelectedFrame:
    """One selected frame, as `selection.json` lists it.

    Attributes:
        frame_number: Position in presentation order, from 0.
        timestamp_s: Presentation time in seconds.
        order: Position in the order of choice, from 0; the first few are a selection themselves.
        file: Name of the picture, relative to the run.
    """

    frame_number: int
    timestamp_s: float
    order: int
    file: str

    @property
    def filename(self) -> str:
        """The name of the picture alone."""
        return PurePath(self.file).name


def frame_filename(video_name: str, frame_number: int, n_frames: int) -> str:
    """Returns the hosted service's name of a frame, as JPEG: `clip-007-mp4.jpg`.

    Args:
        video_name: File name of the video.
        frame_number: From 0.
        n_frames: Frames in the video; numbers get as many digits as this has.
    """
    path = PurePath(video_name)
    digits = len(str(n_frames))
    return f"{path.stem}-{frame_number:0{digits}d}-{path.suffix.lstrip('.')}.jpg"


def jpeg(pixels: NDArray[np.uint8]) -> bytes:
    """Returns the picture as JPEG.

    Args:
        pixels: RGB, shape (H, W, 3), uint8.
    """
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=_JPEG_QUALITY)
    return buffer.getvalue()


def selected_txt(selected: Sequence[SelectedFrame]) -> bytes:
    """Returns the file names of the frames, one a line."""
    return "".join(f"{frame.filename}\n" for frame in selected).encode()


def selection_json(
    selected: Sequence[SelectedFrame], *, run_id: str, uri: str, sha256: str, n_frames: int
) -> bytes:
    """Returns the record of the selection."""
    record = {
        "schema": 1,
        "run_id": run_id,
        "video": {"uri": uri, "sha256": sha256, "n_frames": n_frames},
        "selected": [asdict(frame) for frame in selected],
    }
    return json.dumps(record, indent=2).encode() + b"\n"
