"""The engine: decodes a video, embeds its frames, selects the most diverse, writes them."""

from __future__ import annotations

import time
from dataclasses import replace
from functools import cached_property, partial
from typing import TYPE_CHECKING

from curation.engine.choice import choose_frames
from curation.engine.damage import MAX_DAMAGED_SHARE, find_damage
from curation.engine.decode import open_video
from curation.engine.embedding import embed_frames
from curation.engine.frames import Frames
from curation.engine.limits import check_limits
from curation.engine.opening import undecodable
from curation.engine.outcome import Outcome
from curation.engine.packets import Segment
from curation.engine.pictures import PictureFormat, write_pictures
from curation.engine.results import REPORT, write_results
from curation.engine.segments import plan_segments
from curation.engine.sparing import SparingEmbedder, most_spared
from curation.engine_port import FrameSelection, VideoPlan
from curation.selection_support import query_datapools

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from curation.engine.choice import Choice
    from curation.engine.damage import Damage
    from curation.engine.decode import Video
    from curation.engine.embedders.port import Embedder
    from curation.engine.pools import Pools
    from curation.engine_port import EngineProgress, SegmentOfVideo, VideoOfRun

    Write = Callable[[str, bytes, str], None]

# The hosted service's words for the states of a selection run.
EMBEDDING = "EMBEDDING"
SAMPLING = "SAMPLING"
SAVING = "SAVING_RESULTS"

# A video with fewer frames is done in one go: to cut it up costs more than it gains.
_FEW_FRAMES = 500


class Engine:
    """The FrameSelector: embeddings, a choice by them, pictures.

    Args:
        open_embedder: Opens what makes numbers of pictures; called once, when it is needed.
        pools: Where datapools are.
        form: How the chosen frames are written.
        max_damaged_share: Share of damaged frames above which a video is refused, 0 to 1.
    """

    def __init__(
        self,
        open_embedder: Callable[[], Embedder],
        pools: Pools,
        form: PictureFormat = PictureFormat(),  # noqa: B008  # it is frozen
        *,
        max_damaged_share: float = MAX_DAMAGED_SHARE,
    ) -> None:
        self._open_embedder = open_embedder
        self._pools = pools
        self._form = form
        self._max_damaged_share = max_damaged_share

    def prepare(self) -> None:
        """Opens the embedder as the first video would.

        Raises:
            OperatorError: If it cannot be made, or its folder cannot be written.
        """
        _ = self._embedder

    def plan(self, video: VideoOfRun) -> VideoPlan:
        """Cuts the video up where its index has keyframes; see the port."""
        if query_datapools(video.config):
            # One that is unknown is found out before hours of decoding.
            self._pools.queries(video, self._embedder)
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
        return self._select(video, frames, write, progress)

    def select(
        self, video: VideoOfRun, *, write: Write, progress: EngineProgress
    ) -> FrameSelection:
        """Does all of this at once; see the port."""
        started = time.monotonic()
        frames = self._embed(video, Segment(), progress)
        timed = replace(video, embedding_s=time.monotonic() - started)
        return self._select(timed, frames, write, progress)

    def _embed(self, video: VideoOfRun, segment: Segment, progress: EngineProgress) -> Frames:
        size = self._embedder.size
        with video.open() as file, open_video(file, name=video.name, seen_at=size) as opened:
            declared = opened.n_frames_declared
            most = most_spared(video.config, declared)
            embedder = SparingEmbedder(self._embedder, most=most)
            return embed_frames(
                opened, segment, embedder, lambda n: progress(EMBEDDING, n, declared)
            )

    def _select(
        self, video: VideoOfRun, frames: Frames, write: Write, progress: EngineProgress
    ) -> FrameSelection:
        progress(SAMPLING, None, len(frames))
        with video.open() as file, open_video(file, name=video.name) as opened:
            started = time.monotonic()
            damage = self._damage(opened, frames)
            choice = self._choose(video, frames, damage, progress)
            chosen = time.monotonic()
            saving = partial(progress, SAVING, None, None)
            pictures = write_pictures(
                opened, frames, choice, form=self._form, write=write, on_picture=saving
            )
        timings_s = {"choice": chosen - started, "saving": time.monotonic() - chosen}
        if video.embedding_s is not None:
            timings_s["embedding"] = video.embedding_s
        embedder = self._embedder
        outcome = Outcome(video, frames, damage, choice, pictures, embedder, timings_s)
        written = write_results(outcome, write=write, on_result=saving)
        names = [frame.filename for frame in pictures.selected]
        self._pools.remember(video, embedder, frames.embeddings[choice.indices], names)
        return FrameSelection(len(frames), names, report=REPORT if REPORT in written else None)

    def _damage(self, video: Video, frames: Frames) -> Damage:
        if not len(frames):
            raise undecodable(video.name, "not one frame comes out")
        # Each segment was held to the limit by itself.
        size = video.stream.codec_context
        check_limits(size.width, size.height, len(frames), name=video.name)
        return find_damage(
            frames,
            n_frames_declared=video.n_frames_declared,
            name=video.name,
            max_share=self._max_damaged_share,
        )

    def _choose(
        self, video: VideoOfRun, frames: Frames, damage: Damage, progress: EngineProgress
    ) -> Choice:
        return choose_frames(
            frames,
            eligible=~damage.mask,
            config=video.config,
            pool=self._pools.before(video, self._embedder),
            queries=self._pools.queries(video, self._embedder),
            on_wait=partial(progress, SAMPLING, None, None),
        )

    @cached_property
    def _embedder(self) -> Embedder:
        return self._open_embedder()
