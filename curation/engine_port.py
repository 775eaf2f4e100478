"""What the engine's tasks need of our own engine; `curation/engine/run.py` provides it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import BinaryIO

    from curation.selection_config import SelectionConfig

    EngineProgress = Callable[[str, int | None, int | None], None]
    # Number from 0, first tick, and the tick that begins the next one; None: of the whole video.
    SegmentOfVideo = tuple[int, int | None, int | None]


@dataclass(frozen=True)
class VideoOfRun:
    """The video that the engine is to select from, and what it has to know of the run.

    Attributes:
        open: Opens the video as a seekable file, each time anew.
        run_id: Goes into the results.
        uri: Goes into the results; its last part is the video's file name.
        sha256: Of the video, goes into the results.
        config: What to choose.
        results_uri: `s3://bucket/prefix/` of the run's results, goes into exports.
        embedding_s: Seconds that its segments took to be embedded, goes into the report; None if
            they are not embedded yet.
    """

    open: Callable[[], BinaryIO]
    run_id: str
    uri: str
    sha256: str
    config: SelectionConfig
    results_uri: str = ""
    embedding_s: float | None = None

    @property
    def name(self) -> str:
        """The video's file name, also in the names of its frames."""
        return self.uri.rpartition("/")[2]


@dataclass(frozen=True)
class VideoPlan:
    """How the work on a video is cut up. It follows from the video alone, not from who works.

    Attributes:
        segments: Pieces that can be embedded side by side; one if more would gain nothing.
        n_frames: Frames that the file says it has, or None.
    """

    segments: Sequence[SegmentOfVideo]
    n_frames: int | None


@dataclass(frozen=True)
class FrameSelection:
    """What the engine made of a video.

    Attributes:
        n_frames: Frames in the video.
        filenames: Pictures of the selected ones, in order of choice.
        report: Name of the report, relative to the run's results; None if there is none.
    """

    n_frames: int
    filenames: list[str]
    report: str | None = None


class FrameSelector(Protocol):
    """The open selection engine. Each method may be called in another process, and again.

    `progress` is told the state, frames that are embedded, and frames in all, each None where the
    state does not change it. It may raise RunEnded, which ends the work.
    """

    def plan(self, video: VideoOfRun) -> VideoPlan:
        """Cuts the work up.

        Raises:
            RequestError: If the video cannot be decoded or is beyond the limits, or the config
                names a datapool that has nothing.
        """
        ...

    def embed(
        self, video: VideoOfRun, segment: SegmentOfVideo, *, progress: EngineProgress
    ) -> bytes:
        """Decodes and embeds one segment, and returns it as a work file.

        Raises:
            RequestError: If the video cannot be decoded or is beyond the limits.
        """
        ...

    def choose(
        self,
        video: VideoOfRun,
        parts: Iterable[bytes],
        *,
        write: Callable[[str, bytes, str], None],
        progress: EngineProgress,
    ) -> FrameSelection:
        """Chooses frames and writes them.

        Args:
            video: The video.
            parts: The work files of all segments, in order.
            write: Writes a result: name relative to the run, content, MIME type.
            progress: See above.

        Raises:
            RequestError: If no frame can be chosen.
        """
        ...

    def select(
        self,
        video: VideoOfRun,
        *,
        write: Callable[[str, bytes, str], None],
        progress: EngineProgress,
    ) -> FrameSelection:
        """Does all of this at once: for a short video, and without Celery."""
        ...
