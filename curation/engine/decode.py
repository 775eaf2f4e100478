"""Decodes a video frame by frame, in presentation order, within limits, without trusting it."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from curation.engine.frame_nums import FrameNums
from curation.engine.holes import has_hole
from curation.engine.limits import check_limits
from curation.engine.opening import (
    n_frames_declared,
    open_container,
    set_up,
    steady_step,
    video_stream,
)
from curation.engine.order import Mark, Order
from curation.engine.packages import explained
from curation.engine.packets import Segment, packets_of

with explained():
    import av
    from av.video.reformatter import Interpolation, VideoReformatter

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from curation.engine.packets import Packet

    Picture = tuple[av.VideoFrame, Mark, int]

# The colour matrices that swscale knows (AVColorSpace); it refuses frames that name another, as
# real files do. "Unspecified" makes it assume what players assume.
_COLORSPACES = frozenset({0, 1, 2, 4, 5, 6, 7, 9})
_UNSPECIFIED = 2
# Frames a second where the file does not say; it is FFmpeg's own assumption, too.
_ASSUMED_RATE = 25
# Seconds within which a picture that is refreshed bit by bit is whole (x264: 250 frames).
_WARM_UP_S = 20
# Containers whose index and seeking count in presentation time; all others count in decoding time.
_PRESENTATION_CLOCKS = frozenset({"matroska", "ogg"})


@dataclass(frozen=True, slots=True)
class DecodedFrame:
    """One frame of a video or of a segment.

    Attributes:
        number: Position in presentation order, from 0 at the start of what is decoded; damaged
            frames count.
        timestamp_s: Presentation time in seconds, as the file has it (MPEG-TS begins above 0).
        is_key: Whether it is a keyframe: nothing before it damages it or what comes after it.
        is_corrupt: Whether the decoder says that the picture is damaged.
        n_errors: Signs of damage in what was decoded up to this frame and is not counted at an
            earlier one: packets that could not be decoded, pictures that are flagged.
        picture: The picture as decoded, in the video's own pixel format.
    """

    number: int
    timestamp_s: float
    is_key: bool
    is_corrupt: bool
    n_errors: int
    picture: av.VideoFrame


class Video:
    """An open video.

    Attributes:
        name: Its file name, for errors.
        n_frames_declared: Frames that the file says it has, or None. It may be wrong.
        container, stream: PyAV's view of it, for those that look at packets.
        time_base: Seconds in a tick of the stream's clock.
        is_untimed: Whether its frames have no times of their own and are counted instead.

    Args:
        file: A seekable file. Its own errors pass through; it is not closed.
        name: See above.
        seen_at: Pixels a side to which all frames will be scaled; None: they are to be exact.

    Raises:
        RequestError: If it is no video, has no video stream, cannot be decoded or is beyond the
            limits.
    """

    def __init__(self, file: BinaryIO, *, name: str, seen_at: int | None = None) -> None:
        self.name = name
        self._seen_at = seen_at
        self._file = file
        self._reformatter = VideoReformatter()
        self._open()

    def frames(self, segment: Segment | None = None) -> Iterator[DecodedFrame]:
        """Decodes all frames, in presentation order; what cannot be decoded is left out.

        The segments of `plan_segments` give, one after the other, the frames of the whole.

        Args:
            segment: The part to decode; None: all.

        Raises:
            RequestError: If there are more or larger frames than the limits allow.
        """
        for number, (picture, _, n_errors) in enumerate(self._from_keyframe(segment or Segment())):
            check_limits(picture.width, picture.height, number + 1, name=self.name)
            yield DecodedFrame(
                number,
                self.timestamp_s(picture, number),
                picture.key_frame,
                picture.is_corrupt,
                n_errors,
                picture,
            )

    def pixels(
        self, frame: DecodedFrame, *, size: int | tuple[int, int] | None = None
    ) -> NDArray[np.uint8]:
        """Returns a frame of this video as `rgb` does."""
        return self.rgb(frame.picture, size=size)

    def rgb(
        self, picture: av.VideoFrame, *, size: int | tuple[int, int] | None = None
    ) -> NDArray[np.uint8]:
        """Returns a picture upright as RGB, shape (H, W, 3), uint8.

        Args:
            picture: A picture of this video.
            size: Scale to this height and width, in pixels; None: as it is.
        """
        if picture.colorspace not in _COLORSPACES:
            picture.colorspace = _UNSPECIFIED
        # Phones store the sensor's picture and how to turn it; both turn anticlockwise.
        turns = picture.rotation // 90
        height, width = (size, size) if isinstance(size, int) else size or (None, None)
        if turns % 2:
            height, width = width, height
        # Scaled before it is RGB: a full RGB frame in between halves the throughput. AREA is the
        # fastest that looks at all pixels.
        rgb = self._reformatter.reformat(
            picture, width, height, "rgb24", interpolation=Interpolation.AREA, threads=1
        )
        pixels: NDArray[np.uint8] = np.asarray(rgb.to_ndarray(), dtype=np.uint8)
        return np.ascontiguousarray(np.rot90(pixels, turns))

    def packets(self) -> Iterator[Packet]:
        """Yields the packets of the stream from where the container stands."""
        self._is_fresh = False
        try:
            yield from (packet for packet in self.container.demux(self.stream) if packet.size)
        except (av.FFmpegError, IndexError):
            # The rest of the file cannot be read; what the decoder holds still can. PyAV 18.1 ends
            # a file in which a stream appears late with an IndexError.
            return

    def packets_of(self, segment: Segment, start: int | None) -> Iterator[tuple[Packet, bool]]:
        """Yields what has to be decoded for a segment, and whether its frame belongs to it.

        Args:
            segment: The segment.
            start: Where to begin: at the segment's own start, or before it.
        """
        packets = self._packets_from(start)
        return packets_of(packets, segment, self.key_time, warm_up=start != segment.start)

    def decode(self, packet: Packet | None) -> tuple[list[av.VideoFrame], bool]:
        """Returns the pictures that come out when this packet goes in, and whether it is damaged.

        Args:
            packet: The next packet; None: there is none, and what is left comes out.
        """
        try:
            pictures = self.stream.codec_context.decode(packet)
        except av.FFmpegError:
            return [], True  # the decoder finds its way back by itself
        return pictures, packet is not None and (packet.is_corrupt or self._has_hole(packet))

    def key_time(self, packet: Packet) -> int | None:
        """Returns a keyframe's time on the clock by which the container seeks."""
        is_by_presentation = self.container.format.name in _PRESENTATION_CLOCKS
        return packet.pts if is_by_presentation else packet.dts

    def seek(self, time: int) -> bool:
        """Goes to the last keyframe that is not after `time`, and tells whether it could.

        Args:
            time: On the clock of `key_time`. The container may miss it in either direction.
        """
        self._is_fresh = False
        try:
            self.container.seek(time, stream=self.stream)
        except av.FFmpegError:
            return False
        return True

    def rewind(self) -> None:
        """Goes to the beginning, where packets and frames are as in a file never read before."""
        if not self._is_fresh:
            self.close()
            self._open()

    def close(self) -> None:
        """Gives the decoder's memory back; the file stays open."""
        self.container.close()

    def _open(self) -> None:
        self.container = open_container(self._file, name=self.name)
        self._is_fresh = True
        try:
            self._open_stream()
        except BaseException:
            self.container.close()
            raise

    def _open_stream(self) -> None:
        self.stream = video_stream(self.container, name=self.name)
        self.time_base = self.stream.time_base or Fraction(1, _ASSUMED_RATE)
        self.n_frames_declared = n_frames_declared(self.container, self.stream)
        context = self.stream.codec_context
        check_limits(context.width, context.height, self.n_frames_declared or 1, name=self.name)
        # AVI has no presentation times; of frames that are stored in another order than they are
        # shown, FFmpeg guesses them wrongly (seen with H.264).
        self.is_untimed = self.container.format.name == "avi" and context.reorder_depth > 0
        set_up(context, seen_at=self._seen_at)

    def _from_keyframe(self, segment: Segment) -> Iterator[Picture]:
        pictures = self._pictures(segment, segment.start)
        first = next(pictures, None)
        if segment.start is not None and (first is None or first[1].number):
            # What a container calls a keyframe may be no clean start, for instance where the
            # picture is refreshed bit by bit: the decoder needs what comes before.
            pictures = self._pictures(segment, segment.start - int(_WARM_UP_S / self.time_base))
            first = next(pictures, None)
        if first is not None:
            yield from chain([first], pictures)

    def _pictures(self, segment: Segment, start: int | None) -> Iterator[Picture]:
        nums = FrameNums.of(self.stream.codec_context)
        order = Order(step=steady_step(self.container, self.stream), nums=nums)
        packets = self.packets_of(segment, start)
        for number, (packet, is_mine) in enumerate(packets):
            yield from _mine(self._came(packet, Mark(number, is_mine), order))
        yield from _mine(order.came(self.decode(None)[0]))
        yield from _mine(order.rest())

    def _came(self, packet: Packet, mark: Mark, order: Order) -> Iterator[Picture]:
        packet.opaque = mark
        order.sent(mark, packet)
        pictures, is_damaged = self.decode(packet)
        if is_damaged:
            order.failed(mark)
        return order.came(pictures)

    def _has_hole(self, packet: Packet) -> bool:
        codec, container = self.stream.codec_context.name, self.container.format.name
        return has_hole(bytes(packet), codec=codec, container=container)

    def _packets_from(self, start: int | None) -> Iterator[Packet]:
        if start is not None and self.seek(start):
            packets = self.packets()
            first = next(packets, None)
            if first is None:
                return packets
            time = self.key_time(first)
            if time is None or time <= start:
                return chain([first], packets)
        # Where nothing else leads there, a walk from the beginning does.
        self.rewind()
        return self.packets()

    def timestamp_s(self, of: av.VideoFrame | Packet, number: int) -> float:
        """Returns the presentation time, in seconds, of the frame with this number."""
        if of.pts is not None and not self.is_untimed:
            return float(of.pts * self.time_base)
        return float(Fraction(number) / (self.stream.guessed_rate or _ASSUMED_RATE))


@contextmanager
def open_video(file: BinaryIO, *, name: str, seen_at: int | None = None) -> Iterator[Video]:
    """Opens a video for decoding; arguments and errors are those of `Video`."""
    video = Video(file, name=name, seen_at=seen_at)
    try:
        yield video
    finally:
        video.close()


def _mine(pictures: Iterator[Picture]) -> Iterator[Picture]:
    return (picture for picture in pictures if picture[1].is_mine)
