"""Decodes chosen frames at full size, and as little else as possible."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import numpy as np

from curation.engine.order import Mark
from curation.engine.packets import Segment
from curation.engine.segments import plan_groups
from curation.errors import SelectionFailed

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    import av
    from numpy.typing import NDArray

    from curation.engine.decode import Video
    from curation.engine.packets import Packet

# Decoders that leave out a picture on demand only if no other refers to it. (HEVC's rule knows
# layers, so that what FFmpeg leaves out may be referred to.)
_SKIPPING = frozenset({"h264", "mpeg2video", "vp9"})


def extract(
    video: Video,
    wanted: Collection[int],
    *,
    timestamps_s: NDArray[np.float64],
    is_key: NDArray[np.bool_],
) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """Yields frames upright at full size, with the pixels that they have when all are decoded.

    Args:
        video: The open video.
        wanted: Frame numbers.
        timestamps_s: Times of all frames of the video, as it was decoded before, shape (N,).
        is_key: Which of them are keyframes, shape (N,).

    Yields:
        Frame number, and RGB of shape (H, W, 3), uint8; mostly in the order of the video.

    Raises:
        SelectionFailed: If a frame is not there any more.
    """
    for segment, numbers in _groups(video, sorted(set(wanted)), is_key):
        left = {number: float(timestamps_s[number]) for number in numbers}
        for number, picture in _found(video, segment, left):
            yield number, video.rgb(picture)
        if left:
            message = f"Frame {min(left)} was there at first and is not now: the video has changed."
            raise SelectionFailed(message, code="engine:video-changed")


def _found(
    video: Video, segment: Segment, left: dict[int, float]
) -> Iterator[tuple[int, av.VideoFrame]]:
    yield from _matching(_referred_pictures(video, segment, left), left)
    if left:
        yield from _matching(_all_pictures(video, segment), left)


def _matching(
    pictures: Iterator[tuple[float, av.VideoFrame]], left: dict[int, float]
) -> Iterator[tuple[int, av.VideoFrame]]:
    """Yields the pictures that are left to be found, with their numbers, and ends with the last."""
    for timestamp_s, picture in pictures:
        number = next((number for number, time in left.items() if time == timestamp_s), None)
        if number is not None:
            del left[number]
            yield number, picture
            if not left:
                return


def _referred_pictures(
    video: Video, segment: Segment, left: Mapping[int, float]
) -> Iterator[tuple[float, av.VideoFrame]]:
    """Decodes the pictures that are left to be found, and those that others refer to."""
    if video.is_untimed:
        return
    context = video.stream.codec_context
    wanted = set(left.values())
    is_skipping = context.name in _SKIPPING
    try:
        for packet, is_mine in video.packets_of(segment, segment.start):
            is_wanted = video.timestamp_s(packet, 0) in wanted
            context.skip_frame = "NONREF" if is_skipping and not is_wanted else "DEFAULT"
            packet.opaque = Mark(0, is_mine)
            yield from _of_segment(video, packet)
        yield from _of_segment(video, None)
    finally:
        context.skip_frame = "DEFAULT"


def _of_segment(video: Video, packet: Packet | None) -> Iterator[tuple[float, av.VideoFrame]]:
    for picture in video.decode(packet)[0]:
        if cast("Mark", picture.opaque).is_mine:
            yield video.timestamp_s(picture, 0), picture


def _all_pictures(video: Video, segment: Segment) -> Iterator[tuple[float, av.VideoFrame]]:
    return ((frame.timestamp_s, frame.picture) for frame in video.frames(segment))


def _groups(
    video: Video, numbers: list[int], is_key: NDArray[np.bool_]
) -> Iterator[tuple[Segment, list[int]]]:
    """Yields the segments that have wanted frames, with the numbers of these."""
    groups = plan_groups(video)
    starts = np.flatnonzero(is_key)
    if len(groups) != len(starts) or starts[0] != 0:
        # A keyframe was lost to damage, or is none: there is no telling which group is which.
        groups, starts = [Segment()], np.zeros(1, np.int64)
    of_numbers = np.searchsorted(starts, numbers, side="right") - 1
    for index in np.unique(of_numbers):
        members = np.flatnonzero(of_numbers == index)
        yield groups[index], [numbers[member] for member in members]
