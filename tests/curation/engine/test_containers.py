"""Only known containers get through, by their first bytes alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from curation.engine.containers import HEAD_BYTES, Container, sniff
from curation.errors import RequestError
from tests.support.media import write_scenes

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("name", "codec", "expected"),
    [
        ("clip.mp4", "libx264", Container("mov", "video/mp4")),
        ("clip.m4v", "mpeg4", Container("mov", "video/x-m4v")),
        ("clip.mov", "libx264", Container("mov", "video/quicktime")),
        ("clip.3gp", "mpeg4", Container("mov", "video/3gpp")),
        ("clip.mkv", "libx264", Container("matroska", "video/x-matroska")),
        ("clip.webm", "libvpx", Container("matroska", "video/webm")),
        ("clip.avi", "mpeg4", Container("avi", "video/x-msvideo")),
        ("clip.ts", "libx264", Container("mpegts", "video/mp2t")),
        ("clip.m2ts", "libx264", Container("mpegts", "video/mp2t")),
        ("clip.mpg", "mpeg2video", Container("mpeg", "video/mpeg")),
        ("clip.flv", "flv", Container("flv", "video/x-flv")),
        ("clip.ogv", "libvpx", Container("ogg", "video/ogg")),
    ],
)
def test_sniff__knows_each_container(
    name: str, codec: str, expected: Container, tmp_path: Path
) -> None:
    """What a muxer writes is recognised by its content, whatever its name."""
    head = write_scenes(tmp_path / name, [2], codec=codec).read_bytes()[:HEAD_BYTES]

    assert expected == sniff(head, name="no-hint")


@pytest.mark.parametrize("box", [b"moov", b"wide", b"free", b"mdat"])
def test_sniff__knows_old_quicktime(box: bytes) -> None:
    """QuickTime files from before `ftyp` are recognised by their first box."""
    assert sniff(b"\0\0\x10\0" + box, name="old.mov").mime == "video/quicktime"


@pytest.mark.parametrize(
    ("head", "what"),
    [
        (b"", "is empty"),
        (b"<!DOCTYPE html><html>", "looks like an HTML page"),
        (b"\xef\xbb\xbf\n <HTML lang=en>", "looks like an HTML page"),
        (b"<?xml version='1.0'?><Error><Code>NoSuchKey</Code>", "looks like an XML document"),
        (b"<?xml version='1.0'?>\n<MPD xmlns='urn'>", "looks like a DASH manifest"),
        (b"#EXTM3U\n#EXT-X-VERSION:3\n", "looks like an HLS playlist"),
        (b"ffconcat version 1.0\nfile secret.mp4\n", "looks like an FFmpeg playlist"),
        (b'{"error": "not found"}', "looks like a JSON document"),
        (b"404 page not found", "looks like text"),
        (b"I'm free\nof charge", "looks like text"),
        (b"\xff\xd8\xff\xe0\0\x10JFIF", "looks like a JPEG picture"),
        (b"\x89PNG\r\n\x1a\n\0", "looks like a PNG picture"),
        (b"GIF89a\x01\0", "looks like a GIF picture"),
        (b"RIFF\x24\0\0\0WEBPVP8 ", "looks like a WebP picture"),
        (b"\0\0\0\x1cftypheic\0\0\0\0", "looks like a HEIC or AVIF picture"),
        (b"\0\0\0\x1cftypavif\0\0\0\0", "looks like a HEIC or AVIF picture"),
        (b"RIFF\x24\0\0\0WAVEfmt ", "looks like an audio file"),
        (b"ID3\x03\0\0", "looks like an audio file"),
        (b"%PDF-1.7\n\0", "looks like a PDF document"),
        (b"PK\x03\x04\x14\0", "looks like an archive"),
        (b"\0\x01\x02\x03rest", "begins with the unknown bytes 00 01 02 03 72 65 73 74"),
    ],
)
def test_sniff__says_what_it_is_instead(head: bytes, what: str) -> None:
    """The error names the file and what its content looks like."""
    with pytest.raises(RequestError) as caught:
        sniff(head, name="clip.mp4")

    assert caught.value.code == "source:no-video"
    assert f"'clip.mp4' is not a video: it {what}." in caught.value.message
