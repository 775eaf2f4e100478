"""Finds packets of which a part was overwritten with zeros, as lost disk blocks leave them."""

from __future__ import annotations

import re

# No coded picture has so many zeros in a row. H.264 and HEVC forbid more than two by their syntax;
# the others are arithmetic codes, in which this would be an event of probability 2 ** -512. MPEG-2
# may be padded with zeros, and uncompressed pictures may be black.
_ZEROS = bytes(64)
_CODECS = frozenset({"h264", "hevc", "vp8", "vp9", "libdav1d", "av1"})
# Where start codes part the pieces of a picture, zeros may pad up to the next one or to the end.
_NOT_PADDING = re.compile(rb"\0{64}\0*[^\0\x01]")
_WITH_START_CODES = frozenset({"mpegts", "mpeg", "avi"})


def has_hole(data: bytes, *, codec: str, container: str) -> bool:
    """Tells whether a packet has a hole of zeros.

    Args:
        data: The packet.
        codec: FFmpeg's name of the decoder.
        container: FFmpeg's name of the demuxer.
    """
    if codec not in _CODECS or _ZEROS not in data:
        return False
    return container not in _WITH_START_CODES or _NOT_PADDING.search(data) is not None
