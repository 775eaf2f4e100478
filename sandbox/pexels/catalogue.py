"""The videos of the stand-in, as Pexels lists them."""

from __future__ import annotations

import re
from typing import Any

from sandbox.pexels.renditions import Size, sizes

Json = dict[str, Any]

N_VIDEOS = 200
MAX_PER_PAGE = 80
_FIRST_ID = 1001
_SUBJECTS = ("bikes", "cars", "people", "traffic")
_PLACES = ("bridge", "crossing", "square", "street", "tunnel")
# Two kinds that a client must be able to deal with: upright videos, and those without an MP4.
_EVERY_PORTRAIT, _EVERY_PLAYLIST = 4, 10
_SECONDS, _FPS = 10, 25
_FILE = re.compile(r"(?P<id>\d+)/(?P=id)-[a-z]+_(?P<width>\d+)_(?P<height>\d+)_\d+fps\.mp4")


def listed(query: str | None, *, page: int, per_page: int, url: str) -> Json:
    """Returns a page of videos.

    Args:
        query: Words, of which a video's title must have one; None for all videos.
        page: From 1.
        per_page: At most 80 come.
        url: Root of links.
    """
    words = None if query is None else {*query.lower().split()}
    ids = [number for number in _ids() if words is None or words & {*_title(number).split()}]
    size = min(per_page, MAX_PER_PAGE)
    shown = ids[(page - 1) * size : page * size]
    return {
        "page": page,
        "per_page": size,
        "total_results": len(ids),
        "url": f"{url}/videos/",
        "videos": [_video(number, url) for number in shown],
    }


def size_of(path: str) -> Size | None:
    """Returns width and height of the file at `/video-files/PATH`; None if there is none."""
    match = _FILE.fullmatch(path)
    if match is None or int(match["id"]) not in _ids():
        return None
    size = int(match["width"]), int(match["height"])
    return size if size in _sizes(int(match["id"])) else None


def _ids() -> range:
    return range(_FIRST_ID, _FIRST_ID + N_VIDEOS)


def _title(number: int) -> str:
    subject, place = _SUBJECTS[number % len(_SUBJECTS)], _PLACES[number % len(_PLACES)]
    return f"{subject} {place}"


def _sizes(number: int) -> list[Size]:
    if number % _EVERY_PLAYLIST == 0:
        return []
    return sizes(portrait=number % _EVERY_PORTRAIT == 0)


def _video(number: int, url: str) -> Json:
    portrait = number % _EVERY_PORTRAIT == 0
    width, height = sizes(portrait=portrait)[-1]
    slug = f"{_title(number).replace(' ', '-')}-{number}"
    playlist = {"quality": "hls", "file_type": "application/x-mpegURL"}
    playlist["link"] = f"{url}/video-files/{number}/{number}.m3u8"
    return {
        "id": number,
        "width": width,
        "height": height,
        "url": f"{url}/video/{slug}/",
        "duration": _SECONDS,
        "user": {"id": 1, "name": "Sandbox", "url": f"{url}/@sandbox"},
        "video_files": [
            *(_file(number, size, url) for size in _sizes(number)),
            {"id": number * 1000, "width": None, "height": None, "fps": None, **playlist},
        ],
        "video_pictures": [],
    }


def _file(number: int, size: Size, url: str) -> Json:
    width, height = size
    quality = "hd" if size == sizes(portrait=width < height)[-1] else "sd"
    name = f"{number}-{quality}_{width}_{height}_{_FPS}fps.mp4"
    return {
        "id": number * 1000 + min(size),
        "quality": quality,
        "file_type": "video/mp4",
        "width": width,
        "height": height,
        "fps": float(_FPS),
        "link": f"{url}/video-files/{number}/{name}",
    }
