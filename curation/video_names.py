"""Names of video files: their endings, and how a name becomes part of an object key."""

from __future__ import annotations

import posixpath
import re
from types import MappingProxyType

# MIME types that the engine's probe tells, each with the ending that players know it by.
SUFFIX_OF = MappingProxyType(
    {
        "video/mp4": ".mp4",
        "video/quicktime": ".mov",
        "video/x-m4v": ".m4v",
        "video/3gpp": ".3gp",
        "video/webm": ".webm",
        "video/x-matroska": ".mkv",
        "video/x-msvideo": ".avi",
        "video/mp2t": ".ts",
        "video/mpeg": ".mpg",
        "video/x-flv": ".flv",
        "video/ogg": ".ogv",
    }
)
# What counts as a video in a folder; what it really is, the probe finds out.
VIDEO_SUFFIXES = frozenset({*SUFFIX_OF.values(), ".mpeg", ".m2ts", ".mts"})

# Together with run id and prefix far below S3's 1,024 bytes, and a file system's 255 a name.
MAX_STEM_CHARACTERS = 100
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")


def safe_name(name: str, mime: str) -> str:
    """Returns the name in `[A-Za-z0-9._-]`, with the ending of a video and no dot in front.

    Args:
        name: File name as the source calls it; anything.
        mime: MIME type that the content has proved; decides the ending if the name has none.
    """
    stem, suffix = posixpath.splitext(_UNSAFE.sub("_", name))
    if suffix.lower() not in VIDEO_SUFFIXES:
        # Hosted Lightly and players go by the ending, so `download.php` needs a further one.
        stem, suffix = stem + suffix, SUFFIX_OF.get(mime, ".mp4")
    return f"{stem[:MAX_STEM_CHARACTERS].strip('._-') or 'video'}{suffix}"


def object_uri(bucket_uri: str, run_id: str, name: str) -> str:
    """Returns where a run's video lies, the same at every delivery.

    Args:
        bucket_uri: `s3://bucket/prefix/`.
        run_id: The run.
        name: A safe name.
    """
    return f"{bucket_uri}{run_id}/{name}"
