"""Opens a video file as a container that FFmpeg may read, and picks the stream to decode."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO

from curation.engine.containers import HEAD_BYTES, sniff
from curation.engine.limits import MAX_PIXELS
from curation.engine.packages import explained
from curation.errors import RequestError

with explained():
    import av
    from av.stream import Disposition

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.codeccontext import VideoCodecContext
    from av.video.stream import VideoStream

# The file may be ranges of an S3 object, where each read is a request.
READ_BYTES = 1024 * 1024
# A container may name other files and addresses; no protocol is allowed to follow them. Pictures
# are decoded also to find out what the streams are, and the limit holds there, too.
_OPTIONS = {"protocol_whitelist": "none", "max_pixels": str(MAX_PIXELS)}
# Pictures so many times as large as they are looked at need not be smoothed at the edges of their
# blocks: a fifth of the decoder's work in H.264, and means of so many pixels hardly change.
_SMOOTHING = frozenset({"h264"})
_MUCH_SMALLER = 4


def open_container(file: BinaryIO, *, name: str) -> InputContainer:
    """Opens the file from its beginning with the one demuxer that its first bytes prove.

    Args:
        file: A seekable file. Its own errors pass through; it is not closed.
        name: The video's file name, for errors.

    Raises:
        RequestError: If it is no video or cannot be opened.
    """
    file.seek(0)
    container = sniff(file.read(HEAD_BYTES), name=name)
    file.seek(0)
    try:
        return av.open(
            file,
            "r",
            format=container.demuxer,
            buffer_size=READ_BYTES,
            metadata_errors="replace",
            options=_OPTIONS,
        )
    except av.FFmpegError as error:
        raise undecodable(name, error.strerror or str(error)) from error


def video_stream(container: InputContainer, *, name: str) -> VideoStream:
    """Returns the first video stream that is no cover picture.

    Raises:
        RequestError: If there is none, or nothing decodes it.
    """
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


def set_up(context: VideoCodecContext, *, seen_at: int | None) -> None:
    """Sets how a stream is decoded.

    Args:
        context: Its decoder, before the first packet.
        seen_at: Pixels a side to which its pictures will be scaled; None: they are to be exact.
    """
    # One thread: the same frames come out on every machine, and several engines can share one.
    context.thread_count = 1
    context.copy_opaque = True
    # The size may change on the way; the decoder refuses before it allocates.
    context.options = {"max_pixels": str(MAX_PIXELS)}
    shorter_side = min(context.width, context.height)
    if seen_at and context.name in _SMOOTHING and shorter_side >= _MUCH_SMALLER * seen_at:
        context.options["skip_loop_filter"] = "all"


def n_frames_declared(container: InputContainer, stream: VideoStream) -> int | None:
    """Returns how many frames the file says it has, or None. It may be wrong."""
    if stream.frames:
        return stream.frames
    if container.duration is None or not stream.average_rate:
        return None
    return round(container.duration / av.time_base * stream.average_rate)


def steady_step(container: InputContainer, stream: VideoStream) -> float | None:
    """Returns the ticks between packets where a longer time means that some are lost, or None.

    A broadcast has a steady rate, and what it loses leaves no trace but the time that it took.
    """
    rate = stream.guessed_rate
    if container.format.name != "mpegts" or not rate or rate != stream.average_rate:
        return None
    return float(1 / rate / stream.time_base) if stream.time_base else None


def undecodable(name: str, reason: str) -> RequestError:
    """Returns the error for a video of which no frame can be decoded."""
    message = f"{name!r} cannot be decoded: {reason}. Is the file complete?"
    return RequestError(message, code="source:undecodable")


def _contents(container: InputContainer) -> str:
    kinds = sorted({stream.type for stream in container.streams if stream.type != "video"})
    return " and ".join(kinds) or "pictures"
