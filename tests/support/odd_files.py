"""Hostile, damaged and odd files, each made on the spot, with what has to become of it."""

from __future__ import annotations

import io
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

import av
import numpy as np
from PIL import Image

from tests.support.media import write_audio, write_playlist, write_scenes

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_X265 = {"x265-params": "log-level=none:keyint=10"}
_FAST = {"deadline": "realtime", "g": "10"}


@dataclass(frozen=True)
class OddFile:
    """A file and its right end.

    Attributes:
        name: Its name.
        make: Returns its bytes; gets a path in an empty folder.
        end: Code of the error that refuses it, or how many frames come out at least.
        n_frames: How many frames come out at most; None: as many as at least.
    """

    name: str
    make: Callable[[Path], bytes]
    end: str | int
    n_frames: int | None = None


def _clip(n_frames: int = 20, **how: object) -> Callable[[Path], bytes]:
    def make(path: Path) -> bytes:
        return write_scenes(path, [n_frames], **how).read_bytes()  # type: ignore[arg-type]  # one or another of its arguments

    return make


def _raw(
    pixel_format: str, codec: str, width: int = 96, height: int = 64
) -> Callable[[Path], bytes]:
    """A clip of four flat frames in an unusual pixel format or size."""

    def make(path: Path) -> bytes:
        with av.open(str(path), "w") as container:
            stream = container.add_stream(codec, rate=25)
            assert isinstance(stream, av.VideoStream)
            stream.width, stream.height, stream.pix_fmt = width, height, pixel_format
            for number in range(4):
                pixels = np.full((height, width, 3), 60 * number, np.uint8)
                frame = av.VideoFrame.from_ndarray(pixels, "rgb24")
                container.mux(stream.encode(frame.reformat(format=pixel_format)))
            container.mux(stream.encode(None))
        return path.read_bytes()

    return make


def _remuxed(options: dict[str, str], *, shift: int = 0, **how: object) -> Callable[[Path], bytes]:
    """A clip written again by a muxer with options, its times moved by `shift` ticks."""

    def make(path: Path) -> bytes:
        plain = write_scenes(path.with_name("plain.mp4"), [20], **how)  # type: ignore[arg-type]  # one or another of its arguments
        with av.open(str(plain)) as source, av.open(str(path), "w", options=options) as target:
            stream = target.add_stream_from_template(source.streams.video[0])
            for packet in source.demux(video=0):
                if packet.dts is not None and packet.pts is not None:
                    packet.stream = stream
                    packet.pts, packet.dts = packet.pts + shift, packet.dts + shift
                    target.mux(packet)
        return path.read_bytes()

    return make


def _two_streams(path: Path) -> bytes:
    plain = write_scenes(path.with_name("plain.mp4"), [20])
    with av.open(str(plain)) as source, av.open(str(path), "w") as target:
        streams = [target.add_stream_from_template(source.streams.video[0]) for _ in range(2)]
        for packet in source.demux(video=0):
            if packet.dts is None:
                continue
            for stream in streams:
                packet.stream = stream
                target.mux(packet)
    return path.read_bytes()


def _cut(share: float, make: Callable[[Path], bytes]) -> Callable[[Path], bytes]:
    def cut(path: Path) -> bytes:
        content = make(path)
        return content[: int(len(content) * share)]

    return cut


def _flipped(make: Callable[[Path], bytes], n: int = 40) -> Callable[[Path], bytes]:
    def flipped(path: Path) -> bytes:
        content, dice = bytearray(make(path)), random.Random(0)
        for _ in range(n):
            content[dice.randrange(1000, len(content) - 1000)] ^= 1 << dice.randrange(8)
        return bytes(content)

    return flipped


def _patched(
    make: Callable[[Path], bytes], at: bytes, offset: int, value: bytes
) -> Callable[[Path], bytes]:
    """The file with `value` written so many bytes behind the last `at`."""

    def patched(path: Path) -> bytes:
        content = bytearray(make(path))
        position = content.rindex(at) + offset
        content[position : position + len(value)] = value
        return bytes(content)

    return patched


def _zero_media(path: Path) -> bytes:
    content = bytearray(write_scenes(path, [20]).read_bytes())
    start, end = content.index(b"mdat") + 4, content.index(b"moov") - 4
    content[start:end] = bytes(end - start)
    return bytes(content)


def _picture(kind: str) -> Callable[[Path], bytes]:
    def picture(_: Path) -> bytes:
        buffer = io.BytesIO()
        Image.new("RGB", (32, 32)).save(buffer, kind)
        return buffer.getvalue()

    return picture


def _text(content: bytes) -> Callable[[Path], bytes]:
    return lambda _: content


def _playlist(path: Path) -> bytes:
    target = write_scenes(path.with_name("secret.mp4"), [3])
    return write_playlist(path.with_name("list.mp4"), target).read_bytes()


_NO_VIDEO, _UNDECODABLE, _LIMITS = "source:no-video", "source:undecodable", "source:beyond-limits"
_MPEG4 = _clip(codec="mpeg4")
_HUGE = (0x7FFFFFF0).to_bytes(4, "big")

ODD_FILES = [
    OddFile("empty.mp4", _text(b""), _NO_VIDEO),
    OddFile("text.mp4", _text(b"not a video\n" * 50), _NO_VIDEO),
    OddFile("page.mp4", _text(b"<!doctype html><html></html>"), _NO_VIDEO),
    OddFile("noise.mp4", _text(random.Random(1).randbytes(5_000)), _NO_VIDEO),
    OddFile("noise-in-a-box.mp4", _text(b"\0\0\0\x18ftypisom" + bytes(5_000)), _UNDECODABLE),
    OddFile("playlist.mp4", _playlist, _NO_VIDEO),
    OddFile("hls.mp4", _text(b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n"), _NO_VIDEO),
    OddFile("dash.mp4", _text(b'<?xml version="1.0"?><MPD></MPD>'), _NO_VIDEO),
    OddFile("picture.mp4", _picture("JPEG"), _NO_VIDEO),
    OddFile("animation.mp4", _picture("GIF"), _NO_VIDEO),
    OddFile("archive.mp4", _text(b"PK\x03\x04" + bytes(100)), _NO_VIDEO),
    OddFile("sound.mp4", lambda path: write_audio(path).read_bytes(), "source:no-video-stream"),
    OddFile(
        "cover.mp4",
        lambda path: write_audio(path, cover=True).read_bytes(),
        "source:no-video-stream",
    ),
    OddFile("cut-without-index.mp4", _cut(0.6, _clip()), _UNDECODABLE),
    OddFile("cut-with-index.mp4", _cut(0.7, _clip(60, faststart=True)), 5, 59),
    OddFile("cut.mkv", _cut(0.6, _clip(60)), 5, 59),
    OddFile("cut.ts", _cut(0.6, _clip(60)), 5, 60),
    OddFile("cut.avi", _cut(0.6, _clip(60, codec="mpeg4")), 5, 60),
    OddFile("flipped.mp4", _flipped(_clip(60)), 1, 60),
    OddFile("flipped.mkv", _flipped(_clip(60)), 1, 60),
    OddFile("flipped.ts", _flipped(_clip(60)), 1, 60),
    OddFile("flipped.webm", _flipped(_clip(60, codec="libvpx-vp9", options=_FAST)), 1, 60),
    OddFile("no-pictures.mp4", _zero_media, _UNDECODABLE),
    OddFile("index-at-end.mp4", _clip(), 20),
    OddFile("index-in-front.mp4", _clip(faststart=True), 20),
    OddFile("fragments.mp4", _remuxed({"movflags": "frag_keyframe+empty_moov"}), 20),
    OddFile("late-start.mp4", _remuxed({}, shift=50_000), 20),
    OddFile("negative-times.mkv", _remuxed({"avoid_negative_ts": "disabled"}, shift=-5_000), 1, 20),
    OddFile("variable-rate.mp4", _clip(durations=(1, 7, 2)), 20),
    OddFile("turned.mp4", _clip(rotation=90), 20),
    OddFile("b-frames.mp4", _clip(options={"bf": "8", "b_strategy": "0"}), 20),
    OddFile("interlaced.ts", _clip(options={"x264-params": "tff=1"}), 20),
    OddFile("one-frame.mp4", _clip(1), 1),
    OddFile("two-streams.mkv", _two_streams, 20),
    OddFile("no-times.avi", _clip(options={"bf": "3"}), 20),
    OddFile("mpeg4.avi", _MPEG4, 20),
    OddFile("mpeg2.mpg", _clip(codec="mpeg2video"), 20),
    OddFile("mpeg2.ts", _clip(codec="mpeg2video"), 20),
    OddFile("hevc.mp4", _clip(codec="libx265", options=_X265), 20),
    OddFile("vp8.webm", _clip(codec="libvpx", options=_FAST), 20),
    OddFile("vp9.webm", _clip(codec="libvpx-vp9", options=_FAST), 20),
    OddFile("av1.mp4", _clip(codec="libsvtav1", options={"preset": "12"}), 20),
    OddFile("flash.flv", _clip(codec="flv"), 20),
    OddFile("10-bit.mkv", _raw("yuv420p10le", "ffv1"), 4),
    OddFile("4-4-4.mkv", _raw("yuv444p", "libx264"), 4),
    OddFile("grey.mkv", _raw("gray", "ffv1"), 4),
    OddFile("alpha.mkv", _raw("bgra", "ffv1"), 4),
    OddFile("one-pixel.mkv", _raw("yuv444p", "ffv1", 1, 1), 4),
    OddFile("odd-width.mkv", _raw("yuv444p", "ffv1", 97, 33), 4),
    OddFile("strip.mkv", _raw("yuv444p", "ffv1", 2_000, 1), 4),
    OddFile(
        "huge-claim.avi",
        _patched(_clip(codec="rawvideo"), b"strf", 12, (16_000).to_bytes(4, "little") * 2),
        _LIMITS,
    ),
    OddFile(
        "long-claim.avi",
        _patched(_MPEG4, b"strh", 40, (9_000_000).to_bytes(4, "little")),
        _LIMITS,
    ),
    # The number of samples, behind the time table's and the size table's own heads.
    OddFile("endless-times.mp4", _patched(_clip(), b"stts", 12, _HUGE), _LIMITS),
    OddFile("endless-sizes.mp4", _patched(_clip(), b"stsz", 12, _HUGE), _UNDECODABLE),
    # Ten years, in the movie's header.
    OddFile("long-movie.mp4", _patched(_clip(), b"mvhd", 20, _HUGE), 20),
]
