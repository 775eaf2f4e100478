"""The engine: decodes a video, embeds its frames, selects the most diverse, writes them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING

import numpy as np

from curation.engine.cache import load_network
from curation.engine.decode import open_video, undecodable
from curation.engine.embed import N_FEATURES, SIZE, Embedder
from curation.engine.results import (
    SelectedFrame,
    frame_filename,
    jpeg,
    selected_txt,
    selection_json,
)
from curation.engine.select import select_frames
from curation.errors import RequestError, SelectionFailed
from curation.ports import FrameSelection

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import BinaryIO

    from numpy.typing import NDArray

    from curation.engine.decode import Video

    Progress = Callable[[str, int, int | None], None]
    Write = Callable[[str, bytes, str], None]

# The hosted service's words for the states of a selection run.
LOADING = "LOADING_DATASET"
EMBEDDING = "EMBEDDING"
SAMPLING = "SAMPLING"
SAVING = "SAVING_RESULTS"

# Frames between two reports of progress.
_PROGRESS_FRAMES = 16


class Engine:
    """The FrameSelector on one CPU core: pretrained embeddings, greedy k-center.

    Args:
        cache_dir: Where the converted network is kept; None: the user's cache folder.
    """

    def __init__(self, cache_dir: Path | None) -> None:
        self._cache_dir = cache_dir

    def prepare(self) -> None:
        """Loads the network as the first video would.

        Raises:
            OperatorError: If it cannot be made, or its folder cannot be written.
        """
        _ = self._embedder

    def select(  # noqa: PLR0913  # the port's signature
        self,
        video: Callable[[], BinaryIO],
        *,
        name: str,
        run_id: str,
        video_uri: str,
        sha256: str,
        proportion: float,
        write: Write,
        progress: Progress,
    ) -> FrameSelection:
        """Chooses the most diverse frames and writes them; see the port for the arguments.

        Frames lie under `frames/`. `selected.txt` has their file names and `selection.json` all
        facts, both in order of choice; they are written last, so that their presence means done.
        """
        progress(LOADING, 0, None)
        with video() as file, open_video(file, name=name) as opened:
            frames = self._embed(opened, name, progress)
        chosen = _choose(frames, proportion, progress)
        namer = partial(frame_filename, name, n_frames=frames.n_frames)
        with video() as file, open_video(file, name=name) as opened:
            selected = _save(opened, chosen, namer, write, progress)
        record = selection_json(
            selected, run_id=run_id, uri=video_uri, sha256=sha256, n_frames=frames.n_frames
        )
        write("selected.txt", selected_txt(selected), "text/plain")
        write("selection.json", record, "application/json")
        return FrameSelection(frames.n_frames, [frame.filename for frame in selected])

    def _embed(self, video: Video, name: str, progress: Progress) -> _EmbeddedFrames:
        embed = self._embedder.embed
        n_frames, numbers = 0, []
        rows = bytearray()  # grows where it is; arrays in a list would be there twice at the end
        for frame in video.frames():
            if frame.number % _PROGRESS_FRAMES == 0:
                progress(EMBEDDING, frame.number, video.n_frames_declared)
            n_frames = frame.number + 1
            if not frame.is_corrupt:
                numbers.append(frame.number)
                rows += embed(video.pixels(frame, size=SIZE)).tobytes()
        if n_frames == 0:
            raise undecodable(name, "not one frame comes out")
        if not numbers:
            message = f"All {n_frames} frames of {name!r} are damaged. Send the file again."
            raise RequestError(message, code="source:corrupt")
        progress(EMBEDDING, n_frames, n_frames)
        embeddings = np.frombuffer(rows, np.float32).reshape(-1, N_FEATURES)
        return _EmbeddedFrames(n_frames, numbers, embeddings)

    @cached_property
    def _embedder(self) -> Embedder:
        return Embedder(load_network(self._cache_dir))


@dataclass(frozen=True)
class _EmbeddedFrames:
    """All frames that may be selected.

    Attributes:
        n_frames: Frames in the video, damaged ones included.
        numbers: Frame numbers of the N that are not damaged.
        embeddings: Their embeddings, shape (N, 1280), float32.
    """

    n_frames: int
    numbers: list[int]
    embeddings: NDArray[np.float32]


def _choose(frames: _EmbeddedFrames, proportion: float, progress: Progress) -> list[int]:
    """Returns the numbers of the selected frames in order of choice."""
    indices = select_frames(
        frames.embeddings, proportion, on_wait=partial(progress, SAMPLING, 0, None)
    )
    return [frames.numbers[index] for index in indices]


def _save(
    video: Video, chosen: list[int], namer: Callable[[int], str], write: Write, progress: Progress
) -> list[SelectedFrame]:
    """Writes the chosen frames as they come by, and returns them in order of choice."""
    order = {number: position for position, number in enumerate(chosen)}
    selected: list[SelectedFrame] = []
    for frame in video.frames():
        if frame.number % _PROGRESS_FRAMES == 0:
            progress(SAVING, len(selected), None)
        if frame.number not in order:
            continue
        file = f"frames/{namer(frame.number)}"
        write(file, jpeg(video.pixels(frame)), "image/jpeg")
        selected.append(SelectedFrame(frame.number, frame.timestamp_s, order[frame.number], file))
        if len(selected) == len(chosen):
            progress(SAVING, len(selected), None)
            return sorted(selected, key=lambda frame: frame.order)
    message = f"Frame {max(chosen)} was there at first and is not there now: the video has changed."
    raise SelectionFailed(message, code="engine:video-changed")
