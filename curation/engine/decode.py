"""Decodes a video frame by frame, in presentation order, within limits, without trusting it."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from curation.engine.containers import HEAD_BYTES, sniff
from curation.engine.packages import explained
from curation.errors import RequestError

with explained():
    import av
    from av.stream import Disposition
    from av.video.reformatter import VideoReformatter

if TYPE_CHECKING:
    from collections.abc import Iterator

    from av.container import InputContainer
    from av.video.stream import VideoStream
    from numpy.typing import NDArray

# The file may be ranges of an S3 object, where each read is a request.
READ_BYTES = 1024 * 1024
# 8K film, upright or not. JPEG itself ends at 65,500 pixels a side.
MAX_SIDE_PIXELS = 16_384
MAX_PIXELS = 8_192 * 4_320
# 2.3 hours at 30 frames a second. An embedding takes 5 KiB, and selection time goes with N squared.
MAX_FRAMES = 250_000
# Both passes over full HD of this size take one core some two hours, of the six that a run has.
MAX_TOTAL_PIXELS = 10**12
# The colour matrices that swscale knows (AVColorSpace); it refuses frames that name another, as
# real files do. "Unspecified" makes it assume what players assume.
_COLORSPACES = frozenset({0, 1, 2, 4, 5, 6, 7, 9})
_UNSPECIFIED = 2
# Frames a second where the file does not say; it is FFmpeg's own assumption, too.
_ASSUMED_RATE = 25


@dataclass(frozen=True, slots=True)
class DecodedFrame:
    """One frame of a video.

    Attributes:
        number: Position in presentation order, from 0; damaged frames count.
        timestamp_s: Presentation time in seconds, as the file has it (MPEG-TS begins above 0).
        is_corrupt: Whether the decoder says that the picture is damaged.
        picture: The picture as decoded, in the video's own pixel format.
    """

    number: int
    timestamp_s: float
    is_corrupt: bool
    picture: av.VideoFrame


class Video:
    """An open video.

    Attributes:
        n_frames_declared: Frames that the file says it has, or None. It may be wrong.
    """

    def __init__(self, container: InputContainer, stream: VideoStream, name: str) -> None:
        self.n_frames_declared = _n_frames_declared(container, stream)
        self._container = container
        self._stream = stream
        self._name = name
        self._reformatter = VideoReformatter()
        check_limits(stream.width, stream.height, self.n_frames_declared or 1, name=name)
        # AVI has no presentation times; of frames that are stored in another order than they are
        # shown, FFmpeg guesses them wrongly (seen with H.264).
        self._is_untimed = container.format.name == "avi" and stream.codec_context.reorder_depth > 0
        # One thread: the same frames come out on every machine, and several engines can share one.
        stream.codec_context.thread_count = 1
        # The size may change on the way; the decoder refuses before it allocates.
        stream.codec_context.options = {"max_pixels": str(MAX_PIXELS)}

    def frames(self) -> Iterator[DecodedFrame]:
        """Decodes all frames, once, in presentation order; what cannot be decoded is left out.

        Raises:
            RequestError: If there are more or larger frames than the limits allow.
        """
        for number, picture in enumerate(self._pictures()):
            check_limits(picture.width, picture.height, number + 1, name=self._name)
            yield DecodedFrame(
                number, self._timestamp_s(picture, number), picture.is_corrupt, picture
            )

    def pixels(self, frame: DecodedFrame, *, size: int | None = None) -> NDArray[np.uint8]:
        """Returns the frame upright as RGB, shape (H, W, 3), uint8.

        Args:
            frame: A frame of this video.
            size: Scale to this height and width, in pixels; None: as it is.
        """
        if frame.picture.colorspace not in _COLORSPACES:
            frame.picture.colorspace = _UNSPECIFIED
        # Scaled before it is RGB: a full RGB frame in between halves the throughput.
        rgb = self._reformatter.reformat(frame.picture, size, size, "rgb24", threads=1)
        pixels: NDArray[np.uint8] = np.asarray(rgb.to_ndarray(), dtype=np.uint8)
        # Phones store the sensor's picture and how to turn it; both turn anticlockwise.
        return np.ascontiguousarray(np.rot90(pixels, frame.picture.rotation // 90))

    def _pictures(self) -> Iterator[av.VideoFrame]:
        for packet in self._packets():
            try:
                pictures = self._stream.codec_context.decode(packet)
            except av.FFmpegError:
                continue  # a damaged packet; the decoder finds its way back by itself
            yield from pictures

    def _packets(self) -> Iterator[av.Packet[VideoStream] | None]:
        try:
            yield from self._container.demux(self._stream)
        except (av.FFmpegError, IndexError):
            # The rest of the file cannot be read; what the decoder holds still can. PyAV 18.1 ends
            # a file in which a stream appears late with an IndexError.
            yield None

    def _timestamp_s(self, picture: av.VideoFrame, number: int) -> float:
        if picture.pts is not None and picture.time_base is not None and not self._is_untimed:
            return float(picture.pts * picture.time_base)
        return float(Fraction(number) / (self._stream.guessed_rate or _ASSUMED_RATE))


@contextmanager
def open_video(file: BinaryIO, *, name: str) -> Iterator[Video]:
    """Opens a video for decoding.

    Args:
        file: A seekable file. Its own errors pass through; it is not closed.
        name: The video's file name, for errors.

    Raises:
        RequestError: If it is no video, has no video stream, cannot be decoded or is beyond the
            limits.
    """
    file.seek(0)
    container = sniff(file.read(HEAD_BYTES), name=name)
    file.seek(0)
    try:
        opened = av.open(
            file, "r", format=container.demuxer, buffer_size=READ_BYTES, metadata_errors="replace"
        )
    except av.FFmpegError as error:
        raise undecodable(name, error.strerror or str(error)) from error
    with opened:
        yield Video(opened, _video_stream(opened, name), name)


def check_limits(width: int, height: int, n_frames: int, *, name: str) -> None:
    """Refuses a video that would take more time or memory than any real one.

    Raises:
        RequestError: If a picture is too large or there are too many of them.
    """
    pixels = width * height
    n_accepted = min(MAX_FRAMES, MAX_TOTAL_PIXELS // max(pixels, 1))
    if max(width, height) > MAX_SIDE_PIXELS or pixels > MAX_PIXELS:
        limit = f"at most {MAX_PIXELS:,} pixels, {MAX_SIDE_PIXELS:,} a side, are accepted"
    elif n_frames > n_accepted:
        limit = f"at most {n_accepted:,} of these are accepted"
    else:
        return
    message = (
        f"{name!r} has frames of {width} x {height} pixels, {n_frames:,} or more of them; {limit}. "
        "Send a smaller video, or cut it into pieces."
    )
    raise RequestError(message, code="source:beyond-limits")


def undecodable(name: str, reason: str) -> RequestError:
    """Returns the error for a video of which no frame can be decoded."""
    message = f"{name!r} cannot be decoded: {reason}. Is the file complete?"
    return RequestError(message, code="source:undecodable")


def _video_stream(container: InputContainer, name: str) -> VideoStream:
    # The cover of an audio file is a video stream, too.
    streams = [
        stream
        for stream in container.streams.video
        if not stream.disposition & Disposition.attached_pic
    ]
    if not streams:
        message = f"{name!r} has no video stream, only {_contents(container)}."
        raise RequestError(message, code="source:no-video-stream")
    if streams[0].codec_context is None:
        raise undecodable(name, "there is no decoder for its codec")
    return streams[0]


def _contents(container: InputContainer) -> str:
    kinds = sorted({stream.type for stream in container.streams if stream.type != "video"})
    return " and ".join(kinds) or "pictures"


def _n_frames_declared(container: InputContainer, stream: VideoStream) -> int | None:
    if stream.frames:
        return stream.frames
    if container.duration is None or not stream.average_rate:
        return None
    return round(container.duration / av.time_base * stream.average_rate)
