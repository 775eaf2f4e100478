"""Video source of paths: one file, or the video files of a folder by name."""

from __future__ import annotations

import errno
import os
import stat
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from curation.errors import OperatorError, RequestError, TransientError
from curation.ports import SourceVideo
from curation.video_names import VIDEO_SUFFIXES

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

_CHUNK_BYTES = 1024 * 1024
# A mounted share that stumbles, or a process with too many open files.
_PASSING = frozenset({errno.EIO, errno.ESTALE, errno.ETIMEDOUT, errno.EMFILE, errno.ENFILE})


class FolderSource:
    """A file, or the videos of a folder (not of the folders in it).

    Args:
        place: Path or `file://` link, as the ingest worker sees it.
        max_bytes: Largest video taken, in bytes.
    """

    def __init__(self, place: str, *, max_bytes: int) -> None:
        self._path = _to_path(place)
        self._max_bytes = max_bytes

    @property
    def exclusive(self) -> bool:
        """A folder's video goes to one run only; a file goes to whoever names it."""
        return self._path.is_dir()

    def candidates(self) -> Iterator[SourceVideo]:
        """Yields the file, or the folder's videos by name.

        Raises:
            RequestError: If there is no such path, or no video in the folder.
            OperatorError: If it may not be read.
        """
        with _translated(self._path):
            if not stat.S_ISDIR(self._path.stat().st_mode):
                yield _describe(self._path)
                return
            paths = sorted(path for path in self._path.iterdir() if _is_video(path))
        if not paths:
            raise RequestError(
                f"There is no video in {_text(self._path)}. Put a file there that ends in one of "
                f"{' '.join(sorted(VIDEO_SUFFIXES))}.",
                code="source:no-video",
            )
        for path in paths:
            with _translated(path):
                yield _describe(path)

    @contextmanager
    def open(self, video: SourceVideo, *, offset: int) -> Iterator[Iterator[bytes]]:
        """Opens the file from `offset`, as chunks of 1 MiB.

        Raises:
            RequestError: If it is gone, empty, too large, no file, or has changed.
            OperatorError: If it may not be read.
        """
        with closing(self._chunks(video, offset)) as chunks:
            yield chunks

    def _chunks(self, video: SourceVideo, offset: int) -> Generator[bytes]:
        path = _to_path(video.url)
        with _translated(path):
            self._check(video, path)
            with path.open("rb") as file:
                file.seek(offset)
                while data := file.read(_CHUNK_BYTES):
                    yield data
                # A file that is still being copied into the folder ends too early, or grows.
                _check_same(video, os.fstat(file.fileno()))

    def _check(self, video: SourceVideo, path: Path) -> None:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):
            raise RequestError(f"{video.public_url} is not a file.", code="source:no-video")
        _check_same(video, found)
        if found.st_size == 0:
            raise RequestError(f"{video.public_url} is empty. Check the file.", code="source:empty")
        if found.st_size > self._max_bytes:
            raise RequestError(
                f"{video.public_url} has {found.st_size:,} bytes, and MAX_VIDEO_BYTES is "
                f"{self._max_bytes:,}. Raise it, or use a smaller video.",
                code="source:too-large",
            )


def _describe(path: Path) -> SourceVideo:
    found = path.stat()
    return SourceVideo(
        url=path.as_uri(),
        public_url=_text(path),
        name=path.name,
        size_bytes=found.st_size,
        validator=_validator(found),
        resumable=True,
    )


def _validator(found: os.stat_result) -> str:
    return f"{found.st_size}-{found.st_mtime_ns}"


def _check_same(video: SourceVideo, found: os.stat_result) -> None:
    if _validator(found) != video.validator:
        raise RequestError(
            f"{video.public_url} changed while it was being read. Start a new run when it is "
            "complete.",
            code="source:changed",
        )


def _is_video(path: Path) -> bool:
    return path.suffix.lower() in VIDEO_SUFFIXES and path.is_file()


def _to_path(place: str) -> Path:
    """Returns the absolute path; a relative one counts from where the ingest worker was started."""
    if not place.startswith("file:"):
        return Path(place).absolute()
    parts = urlsplit(place)
    if parts.netloc not in ("", "localhost"):
        raise RequestError(
            f"{place} names a file on {parts.netloc}. Use file:///path of the ingest worker's "
            "own machine.",
            code="source:not-found",
        )
    return Path(unquote(parts.path, errors="surrogateescape")).absolute()


def _text(path: Path) -> str:
    """Returns the path for people and JSON; bytes that are no UTF-8 become question marks."""
    return str(path).encode(errors="replace").decode()


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    try:
        yield
    except PermissionError as error:
        raise OperatorError(
            f"{_text(path)} may not be read by the ingest worker. Change its permissions.",
            code="source:denied",
        ) from error
    except (OSError, ValueError) as error:
        message = f"{_text(path)} cannot be read by the ingest worker ({_reason(error)})."
        if getattr(error, "errno", None) in _PASSING:
            raise TransientError(message, code="source:unreadable") from error
        raise RequestError(
            f"{message} Check the path; it is one of the machine that the worker runs on.",
            code="source:not-found",
        ) from error


def _reason(error: OSError | ValueError) -> str:
    return getattr(error, "strerror", None) or str(error)
