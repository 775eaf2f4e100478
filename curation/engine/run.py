"""The engine: decodes a video, embeds its frames, selects the most diverse, writes them."""

from __future__ import annotations

from functools import cached_property, partial
from typing import TYPE_CHECKING

import numpy as np

from curation.engine.decode import open_video
from curation.engine.embedding import embed_frames
from curation.engine.frames import Frames
from curation.engine.opening import undecodable
from curation.engine.packets import Segment
from curation.engine.results import (
    SelectedFrame,
    frame_filename,
    jpeg,
    selected_txt,
    selection_json,
)
from curation.engine.segments import plan_segments
from curation.engine.select import select_frames
from curation.errors import RequestError, SelectionFailed
from curation.ports import FrameSelection, VideoPlan

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from numpy.typing import NDArray

    from curation.engine.decode import Video
    from curation.engine.embedders.port import Embedder
    from curation.ports import EngineProgress, SegmentOfVideo, VideoOfRun

    Write = Callable[[str, bytes, str], None]

# The hosted service's words for the states of a selection run.
EMBEDDING = "EMBEDDING"
SAMPLING = "SAMPLING"
SAVING = "SAVING_RESULTS"

# A video with fewer frames is done in one go: to cut it up costs more than it gains.
_FEW_FRAMES = 500


class Engine:
    """The FrameSelector: pretrained embeddings, greedy k-center.

    Args:
        open_embedder: Opens what makes numbers of pictures; called once, when it is needed.
    """

    def __init__(self, open_embedder: Callable[[], Embedder]) -> None:
        self._open_embedder = open_embedder

    def prepare(self) -> None:
        """Opens the embedder as the first video would.

        Raises:
            OperatorError: If it cannot be made, or its folder cannot be written.
        """
        _ = self._embedder

    def plan(self, video: VideoOfRun) -> VideoPlan:
        """Cuts the video up where its index has keyframes; see the port."""
        with video.open() as file, open_video(file, name=video.name) as opened:
            n_frames = opened.n_frames_declared
            is_short = n_frames is not None and n_frames < _FEW_FRAMES
            segments = [Segment()] if is_short else plan_segments(opened)
        return VideoPlan([(part.number, part.start, part.end) for part in segments], n_frames)

    def embed(
        self, video: VideoOfRun, segment: SegmentOfVideo, *, progress: EngineProgress
    ) -> bytes:
        """Embeds one segment; see the port."""
        return self._embed(video, Segment(*segment), progress).to_npz()

    def choose(
        self, video: VideoOfRun, parts: Iterable[bytes], *, write: Write, progress: EngineProgress
    ) -> FrameSelection:
        """Chooses frames and writes them; see the port."""
        frames = Frames.concatenate(Frames.from_npz(part) for part in parts)
        return self._choose(video, frames, write, progress)

    def select(
        self, video: VideoOfRun, *, write: Write, progress: EngineProgress
    ) -> FrameSelection:
        """Does all of this at once; see the port."""
        return self._choose(video, self._embed(video, Segment(), progress), write, progress)

    def _embed(self, video: VideoOfRun, segment: Segment, progress: EngineProgress) -> Frames:
        with video.open() as file, open_video(file, name=video.name) as opened:
            declared = opened.n_frames_declared

            def told(n_done: int) -> None:
                progress(EMBEDDING, n_done, declared)

            return embed_frames(opened, segment, self._embedder, told)

    def _choose(
        self, video: VideoOfRun, frames: Frames, write: Write, progress: EngineProgress
    ) -> FrameSelection:
        """Writes frames under `frames/`, then all else.

        `selected.txt` and `selection.json` come last, so that their presence means done.
        """
        progress(SAMPLING, None, len(frames))
        eligible = _eligible(frames, video.name)
        chosen = _chosen(frames, eligible, video, progress)
        namer = partial(frame_filename, video.name, n_frames=len(frames))
        with video.open() as file, open_video(file, name=video.name) as opened:
            selected = _save(opened, chosen, namer, write, progress)
        record = selection_json(
            selected,
            run_id=video.run_id,
            uri=video.uri,
            sha256=video.sha256,
            n_frames=len(frames),
        )
        write("selected.txt", selected_txt(selected), "text/plain")
        write("selection.json", record, "application/json")
        return FrameSelection(len(frames), [frame.filename for frame in selected])

    @cached_property
    def _embedder(self) -> Embedder:
        return self._open_embedder()


def _eligible(frames: Frames, name: str) -> NDArray[np.bool_]:
    if not len(frames):
        raise undecodable(name, "not one frame comes out")
    eligible = ~frames.is_corrupt
    if not eligible.any():
        message = f"All {len(frames)} frames of {name!r} are damaged. Send the file again."
        raise RequestError(message, code="source:corrupt")
    return eligible


def _chosen(
    frames: Frames, eligible: NDArray[np.bool_], video: VideoOfRun, progress: EngineProgress
) -> Sequence[int]:
    """Returns the numbers of the selected frames in order of choice."""
    numbers = np.flatnonzero(eligible)
    indices = select_frames(
        frames.embeddings[numbers].astype(np.float32),
        video.config.proportion_samples or 1.0,
        on_wait=partial(progress, SAMPLING, None, None),
    )
    return [int(numbers[index]) for index in indices]


def _save(
    video: Video,
    chosen: Sequence[int],
    namer: Callable[[int], str],
    write: Write,
    progress: EngineProgress,
) -> list[SelectedFrame]:
    """Writes the chosen frames as they come by, and returns them in order of choice."""
    order = {number: position for position, number in enumerate(chosen)}
    selected: list[SelectedFrame] = []
    for frame in video.frames():
        if frame.number % 16 == 0:
            progress(SAVING, None, None)
        if frame.number not in order:
            continue
        file = f"frames/{namer(frame.number)}"
        write(file, jpeg(video.pixels(frame)), "image/jpeg")
        selected.append(SelectedFrame(frame.number, frame.timestamp_s, order[frame.number], file))
        if len(selected) == len(chosen):
            progress(SAVING, None, None)
            return sorted(selected, key=lambda frame: frame.order)
    message = f"Frame {max(chosen)} was there at first and is not there now: the video has changed."
    raise SelectionFailed(message, code="engine:video-changed")
