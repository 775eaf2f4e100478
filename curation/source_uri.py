"""Video source URIs: which kinds there are, told apart without reaching for any of them."""

from __future__ import annotations

from enum import StrEnum
from urllib.parse import parse_qs, urlsplit

from curation.errors import RequestError


class SourceKind(StrEnum):
    """Where a video may come from."""

    PEXELS = "pexels"  # pexels:popular, pexels:search?query=WORDS
    HTTP = "http"  # https://…, and http://… for allowed hosts
    FOLDER = "folder"  # a path or file://… to a file or a folder
    S3 = "s3"  # s3://bucket/prefix


def kind_of(source: str) -> SourceKind:
    """Returns the kind of a video source URI.

    Raises:
        RequestError: If it is none that is known.
    """
    scheme, colon, rest = source.partition(":")
    if scheme == "pexels" and colon:
        _check_pexels(source, rest)
        return SourceKind.PEXELS
    if scheme in ("http", "https") and urlsplit(source).hostname:
        return SourceKind.HTTP
    if scheme == "s3" and urlsplit(source).hostname:
        return SourceKind.S3
    # An empty one is a variable that is not set, and as a path it would be the current folder.
    if source.strip() and (scheme == "file" or "://" not in source):
        return SourceKind.FOLDER
    raise RequestError(
        f"The video source {source!r} is of no known kind. Known are: a file or folder path, "
        "https://…, s3://bucket/prefix, pexels:popular, pexels:search?query=WORDS.",
        code="source:unknown",
    )


def _check_pexels(source: str, rest: str) -> None:
    path, _, query = rest.partition("?")
    if path == "popular" or (path == "search" and parse_qs(query).get("query")):
        return
    raise RequestError(
        f"The video source {source!r} is not usable. "
        "Use pexels:popular or pexels:search?query=WORDS.",
        code="source:unknown",
    )
