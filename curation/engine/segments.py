"""Cuts a video at keyframes into segments that can be decoded by themselves."""

from __future__ import annotations

from itertools import pairwise
from math import ceil
from typing import TYPE_CHECKING

from curation.engine.packages import explained
from curation.engine.packets import Segment

with explained():
    import av

if TYPE_CHECKING:
    from collections.abc import Sequence

    from curation.engine.decode import Video

# Seconds of video in a segment, at least: some 20 CPU-seconds of work at full HD, which is what a
# lost worker costs, beside a second or two to open the video.
SEGMENT_S = 20.0
# A video with more parts than this has longer ones: each is a message and a record.
MAX_SEGMENTS = 400

# Containers whose header or index at the end lists the keyframes; in others the packets have to be
# walked through.
# MPEG-PS has times for some frames only, and after a jump others than before.
_UNSEEKABLE = frozenset({"mpeg"})
_INDEXED = frozenset({"mov", "matroska"})


def plan_segments(video: Video, *, segment_s: float = SEGMENT_S) -> list[Segment]:
    """Returns the segments of a video, at least one; the same ones whoever asks.

    Args:
        video: The open video.
        segment_s: Seconds in a segment, at least.
    """
    times = _key_times(video)
    return _cut(_starts(times, _least_ticks(video, times, segment_s)))


def plan_groups(video: Video) -> list[Segment]:
    """Returns the smallest segments that can be decoded by themselves: one for each keyframe."""
    return _cut(_key_times(video)[1:])


def _cut(starts: Sequence[int]) -> list[Segment]:
    bounds = pairwise([None, *starts, None])
    return [Segment(number, start, end) for number, (start, end) in enumerate(bounds)]


def _key_times(video: Video) -> list[int]:
    """Returns the times of all keyframes; none if a decoder cannot begin at them."""
    if video.is_untimed or video.container.format.name in _UNSEEKABLE:
        return []
    return _indexed_times(video) or _walked_times(video)


def _indexed_times(video: Video) -> list[int]:
    """Returns the times of the keyframes that the file's index lists; none if it is not whole."""
    if video.container.format.name not in _INDEXED:
        return []
    # Matroska's index is read when it is needed first.
    video.seek(0)
    times = [entry.timestamp for entry in video.stream.index_entries if entry.is_keyframe]
    # The index of a fragmented MP4 may be that of its first fragment.
    is_whole = bool(times) and 2 * times[-1] > _duration_ticks(video)
    return times if is_whole and _rises(times) else []


def _walked_times(video: Video) -> list[int]:
    """Returns the times of all keyframes by their packets; none if time does not always go on."""
    video.rewind()
    times: list[int] = []
    for packet in video.packets():
        if packet.is_keyframe:
            time = video.key_time(packet)
            if time is None or (times and time <= times[-1]):
                return []  # seeking by time would not lead to one place
            times.append(time)
    return times


def _rises(times: Sequence[int]) -> bool:
    return all(earlier < later for earlier, later in pairwise(times))


def _starts(times: Sequence[int], least_ticks: int) -> list[int]:
    """Returns the keyframes that begin a segment, without the first, which begins the video."""
    starts: list[int] = []
    previous = times[0] if times else 0
    for time in times:
        if time - previous >= least_ticks:
            starts.append(time)
            previous = time
    return starts


def _least_ticks(video: Video, times: Sequence[int], segment_s: float) -> int:
    span = times[-1] - times[0] if times else 0
    return max(ceil(segment_s / video.time_base), ceil(span / MAX_SEGMENTS), 1)


def _duration_ticks(video: Video) -> int:
    return int((video.container.duration or 0) / av.time_base / video.time_base)
