"""Video sources `pexels:popular` and `pexels:search?query=WORDS`: one video of many, by chance."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

from curation.errors import RequestError
from curation.links import public_url
from curation.ports import SourceVideo

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager
    from random import Random

    from curation.adapters.sources.http import HttpFiles
    from curation.adapters.sources.pexels_api import Page, PexelsApi, PexelsVideo, Rendition

# The video is chosen among the first so many. How deep the pages of Pexels really go was not
# verified, so an empty one is no error.
MAX_VIDEOS = 8_000


class PexelsSource:
    """A listing on Pexels: each run that names it gets a video by chance.

    Args:
        uri: `pexels:popular` or `pexels:search?query=WORDS`.
        api: Tells what there is.
        files: Fetches the file.
        max_height: Largest rendition taken: its shorter side, in pixels. For a landscape video that
            is the height, and a portrait video of the same quality is its mirror image.
        dice: Chooses.
    """

    exclusive = False

    def __init__(
        self, uri: str, *, api: PexelsApi, files: HttpFiles, max_height: int, dice: Random
    ) -> None:
        path, _, query = uri.removeprefix("pexels:").partition("?")
        self._uri = uri
        self._listing = path
        self._words = {"query": parse_qs(query)["query"][0]} if path == "search" else {}
        self._api = api
        self._files = files
        self._max_height = max_height
        self._dice = dice

    def candidates(self) -> Iterator[SourceVideo]:
        """Yields one video, chosen by chance.

        Raises:
            RequestError: If there is none, or none that is small enough, or its file is no video.
            OperatorError: If PEXELS_API_KEY is missing or refused.
            TransientError: If Pexels or the host of the file cannot be reached now.
        """
        first = self._page(1)
        number = self._random_number(first)
        pages = [first] if number == 1 else [self._page(number), first]
        usable = next(filter(None, map(self._usable, pages)), None)
        if usable is None:
            raise RequestError(
                f"None of {len(first.videos)} videos of {self._uri} has an MP4 file whose shorter "
                f"side is at most {self._max_height} pixels. Raise MAX_VIDEO_HEIGHT.",
                code="source:no-rendition",
            )
        page, link = self._dice.choice(usable)
        video = self._files.look(link)
        yield replace(video, public_url=_place(page, video))

    def listed(self) -> Iterator[SourceVideo]:
        """Yields a link to each video of the listing, in its order, without asking for the files.

        Raises:
            RequestError: If there is none.
            OperatorError: If PEXELS_API_KEY is missing or refused.
            TransientError: If Pexels cannot be reached now.
        """
        number, passed = 1, 0
        while passed < MAX_VIDEOS and (page := self._page(number)).videos:
            for place, link in self._usable(page):
                name = urlsplit(link).path.rpartition("/")[2]
                yield SourceVideo(url=link, public_url=public_url(place), name=name)
            number, passed = number + 1, passed + len(page.videos)

    def open(self, video: SourceVideo, *, offset: int) -> AbstractContextManager[Iterator[bytes]]:
        """Opens the video's bytes from `offset`; an error names the file, not its page."""
        return self._files.open(replace(video, public_url=public_url(video.url)), offset=offset)

    def _page(self, number: int) -> Page:
        page = self._api.page(self._listing, number, self._words)
        if number == 1 and not page.videos:
            raise RequestError(
                f"Pexels has no video for {self._uri}. Use other words.", code="source:no-video"
            )
        return page

    def _random_number(self, first: Page) -> int:
        """Returns the number of the page that a random video of the listing is on."""
        here = len(first.videos)
        total = min(max(first.total_results or 0, here), MAX_VIDEOS)
        return self._dice.randrange(total) // here + 1

    def _usable(self, page: Page) -> list[tuple[str, str]]:
        """Returns page and link of the videos that have a rendition within the limit."""
        best = [(video.url, self._best(video)) for video in page.videos]
        return [(url, link) for url, link in best if link]

    def _best(self, video: PexelsVideo) -> str | None:
        """Returns the link of the best MP4 rendition within the limit, or None."""
        fitting = [file for file in video.video_files if self._fits(file)]
        return max(fitting, key=_size).link if fitting else None

    def _fits(self, file: Rendition) -> bool:
        is_mp4 = file.file_type == "video/mp4" and bool(file.link)
        return is_mp4 and 0 < min(_size(file)) <= self._max_height


def _size(file: Rendition) -> tuple[int, int]:
    """Returns the shorter and the longer side in pixels, as far as they are known, else 0."""
    sides = sorted(filter(None, (file.width, file.height))) or [0]
    return sides[0], sides[-1]


def _place(page: str, video: SourceVideo) -> str:
    """Returns where a person can see the video: its page on Pexels, or else its file."""
    return public_url(page) if page.startswith(("https://", "http://")) else video.public_url
