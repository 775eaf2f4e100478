"""Tells by its first bytes whether a file is a video container that the engine accepts."""

from __future__ import annotations

import re
from dataclasses import dataclass

from curation.errors import RequestError

# How many bytes `sniff` wants to see; less only if the file is shorter.
HEAD_BYTES = 4096


@dataclass(frozen=True)
class Container:
    """An accepted container.

    Attributes:
        demuxer: FFmpeg's name of the demuxer that is forced on the file.
        mime: MIME type.
    """

    demuxer: str
    mime: str


def sniff(head: bytes, *, name: str) -> Container:
    """Returns the container that the first bytes of a file prove.

    The demuxer is never left to guess: FFmpeg would take a text file that is named `x.mp4` for
    a playlist and open the local files that it lists.

    Args:
        head: The first HEAD_BYTES bytes of the file, or all of a shorter one.
        name: The file's name, for the error.

    Raises:
        RequestError: If it is no accepted container; the message says what it looks like.
    """
    for pattern, container in _ACCEPTED:
        if pattern.match(head):
            return container
    message = (
        f"{name!r} is not a video: it {_describe(head)}. "
        "Accepted are MP4, MOV, Matroska, WebM, AVI, MPEG-TS, MPEG-PS, FLV and Ogg files."
    )
    raise RequestError(message, code="source:no-video")


def _describe(head: bytes) -> str:
    for pattern, what in _OTHERS:
        if pattern.match(head):
            return what
    return f"begins with the unknown bytes {head[:8].hex(' ')}"


def _magic(source: bytes) -> re.Pattern[bytes]:
    return re.compile(source, re.DOTALL)


def _looks(source: bytes) -> re.Pattern[bytes]:
    return re.compile(source, re.DOTALL | re.IGNORECASE)


_MP4 = Container("mov", "video/mp4")
_QUICKTIME = Container("mov", "video/quicktime")
_MPEG_TS = Container("mpegts", "video/mp2t")

# HEIC and AVIF pictures wear the same box as MP4 and differ by their brand.
_PICTURE_BRANDS = rb"(hei[cfmsx]|hev[cx]|mif[12]|msf1|avi[fs]|crx )"

_ACCEPTED: tuple[tuple[re.Pattern[bytes], Container], ...] = (
    (_magic(rb".{4}ftypqt  "), _QUICKTIME),
    (_magic(rb".{4}ftyp3g"), Container("mov", "video/3gpp")),
    (_magic(rb".{4}ftypM4V"), Container("mov", "video/x-m4v")),
    (_magic(rb".{4}ftyp(?!" + _PICTURE_BRANDS + rb")"), _MP4),
    # Old QuickTime files have no `ftyp`. All of these boxes but the media are below 16 MiB, so
    # their size begins with a zero, and text cannot be taken for them.
    (_magic(rb"\0.{3}(moov|wide|free|skip|pnot)"), _QUICKTIME),
    (_magic(rb".{4}mdat"), _QUICKTIME),
    (_magic(rb"\x1a\x45\xdf\xa3.{0,40}\x42\x82.webm"), Container("matroska", "video/webm")),
    (_magic(rb"\x1a\x45\xdf\xa3"), Container("matroska", "video/x-matroska")),
    (_magic(rb"RIFF.{4}AVI "), Container("avi", "video/x-msvideo")),
    # Packets of 188 bytes, or of 192 with a time stamp in front, each with a sync byte.
    (_magic(rb"\x47.{187}\x47.{187}\x47"), _MPEG_TS),
    (_magic(rb".{4}\x47.{191}\x47.{191}\x47"), _MPEG_TS),
    (_magic(rb"\0\0\x01\xba"), Container("mpeg", "video/mpeg")),
    (_magic(rb"FLV\x01"), Container("flv", "video/x-flv")),
    (_magic(rb"OggS"), Container("ogg", "video/ogg")),
)

_BOM = rb"(\xef\xbb\xbf)?\s*"
_OTHERS: tuple[tuple[re.Pattern[bytes], str], ...] = (
    (_looks(rb"\Z"), "is empty"),
    (_looks(_BOM + rb"<(!doctype\s+html|html|head|body)\b"), "looks like an HTML page"),
    (_looks(_BOM + rb"(<\?xml.{0,200})?<MPD\b"), "looks like a DASH manifest"),
    (_looks(_BOM + rb"<\?xml"), "looks like an XML document"),
    (_looks(_BOM + rb"#EXTM3U"), "looks like an HLS playlist"),
    (_looks(_BOM + rb"ffconcat"), "looks like an FFmpeg playlist"),
    (_looks(_BOM + rb"[{\[]"), "looks like a JSON document"),
    (_looks(rb"\xff\xd8\xff"), "looks like a JPEG picture"),
    (_looks(rb"\x89PNG"), "looks like a PNG picture"),
    (_looks(rb"GIF8"), "looks like a GIF picture"),
    (_looks(rb"RIFF.{4}WEBP"), "looks like a WebP picture"),
    (_looks(rb".{4}ftyp" + _PICTURE_BRANDS), "looks like a HEIC or AVIF picture"),
    (_looks(rb"RIFF.{4}WAVE|fLaC|ID3|\xff[\xfb\xf3\xf2\xf1\xf9]"), "looks like an audio file"),
    (_looks(rb"%PDF"), "looks like a PDF document"),
    (_looks(rb"PK\x03\x04|\x1f\x8b|7z\xbc\xaf|Rar!"), "looks like an archive"),
    (_looks(rb"[^\0-\x08\x0e-\x1f]+\Z"), "looks like text"),
)
