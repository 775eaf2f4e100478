"""The Pexels stand-in over the real wire."""

from __future__ import annotations

import subprocess
import sys
from itertools import islice
from typing import TYPE_CHECKING, Any

import av
import pytest
import requests

from tests.support.media import shipped_clip
from tests.support.pexels import KEY, Pexels, pexels_server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LISTINGS = ["v1/videos/popular", "videos/popular", "v1/videos/search", "videos/search"]


@pytest.fixture(scope="module")
def stand_in(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pexels]:
    """The stand-in of all tests."""
    with pexels_server(tmp_path_factory.mktemp("pexels")) as running:
        yield running


@pytest.fixture
def pexels(stand_in: Pexels) -> Pexels:
    """The same, without the faults of other tests."""
    stand_in.clear_faults()
    return stand_in


def ask(pexels: Pexels, path: str, key: str | None = KEY, **headers: str) -> requests.Response:
    """Sends a request with a key, or without one."""
    known = {"Authorization": key} if key else {}
    return requests.get(f"{pexels.url}/{path}", headers=known | headers, timeout=5)


def videos(pexels: Pexels, path: str = "v1/videos/popular?per_page=80") -> list[dict[str, Any]]:
    """Returns the videos of a listing."""
    found: list[dict[str, Any]] = ask(pexels, path).json()["videos"]
    return found


def links(pexels: Pexels, video_id: int) -> dict[tuple[int, int], str]:
    """Returns the path of each file of a video by its width and height."""
    [video] = [video for video in videos(pexels) if video["id"] == video_id]
    return {
        (file["width"], file["height"]): file["link"].removeprefix(f"{pexels.url}/")
        for file in video["video_files"]
        if file["file_type"] == "video/mp4"
    }


@pytest.mark.parametrize("key", [None, "", "another", f"Bearer {KEY}"])
@pytest.mark.parametrize("path", LISTINGS)
def test_listing__wants_the_key(pexels: Pexels, path: str, key: str | None) -> None:
    """Nobody sees a listing without the key, on neither path."""
    answer = ask(pexels, f"{path}?query=bikes", key)

    assert (answer.status_code, "error" in answer.json()) == (401, True)


@pytest.mark.parametrize("root", ["v1/videos", "videos"])
def test_listing__comes_in_pages(pexels: Pexels, root: str) -> None:
    """Pages hold 80 videos at most, no video twice, and there is none beyond the last."""
    pages = [videos(pexels, f"{root}/popular?page={page}&per_page=100") for page in (1, 2, 3, 4)]

    assert [len(page) for page in pages] == [80, 80, 40, 0]
    assert len({video["id"] for page in pages for video in page}) == 200


def test_listing__tells_of_the_rate_limit(pexels: Pexels) -> None:
    """Every good answer says how many requests are left, and until when."""
    first, second = (ask(pexels, "v1/videos/popular?per_page=1").headers for _ in range(2))

    assert int(second["X-Ratelimit-Remaining"]) < int(first["X-Ratelimit-Remaining"])
    assert int(first["X-Ratelimit-Remaining"]) < int(first["X-Ratelimit-Limit"])
    assert int(first["X-Ratelimit-Reset"]) > 1_700_000_000


def test_search__finds_any_of_the_words(pexels: Pexels) -> None:
    """A search finds what has one of its words, and counts all of it."""
    answer = ask(pexels, "v1/videos/search?query=tunnel+Bikes&per_page=80").json()

    slugs = [video["url"] for video in answer["videos"]]
    assert all("bikes" in slug or "tunnel" in slug for slug in slugs)
    assert answer["total_results"] == len(slugs) == 80
    assert ask(pexels, "v1/videos/search?query=unicorns").json()["total_results"] == 0


@pytest.mark.parametrize("path", ["v1/videos/search", "v1/videos/popular?page=0", "videos/search"])
def test_listing__malformed__is_refused(pexels: Pexels, path: str) -> None:
    """A search needs words, and a page a number."""
    assert ask(pexels, path).status_code == 400


def test_video__has_renditions_and_a_playlist(pexels: Pexels) -> None:
    """As on Pexels: several sizes, upright videos among them, and some without an MP4."""
    sizes = {video["id"]: set(links(pexels, video["id"])) for video in videos(pexels)[:12]}

    assert sizes[1001] == {(320, 136), (480, 204), (640, 272)}
    assert sizes[1004] == {(136, 320), (204, 480), (272, 640)}
    assert sizes[1010] == set()


@pytest.mark.parametrize(("video_id", "size"), [(1001, (320, 136)), (1004, (204, 480))])
def test_file__is_a_real_video_of_its_size(
    pexels: Pexels, tmp_path: Path, video_id: int, size: tuple[int, int]
) -> None:
    """What a listing says of a file is true."""
    path = tmp_path / "video.mp4"
    path.write_bytes(ask(pexels, links(pexels, video_id)[size]).content)

    with av.open(str(path)) as container:
        [stream] = container.streams.video
        assert (stream.width, stream.height) == size
        assert sum(1 for _ in container.decode(stream)) == 250


def test_file__comes_in_ranges(pexels: Pexels) -> None:
    """A file is had without a key, whole or in parts, and its ETag is the same."""
    link = links(pexels, 1001)[640, 272]
    clip = shipped_clip("bikes.mp4").read_bytes()

    whole = ask(pexels, link, key=None)
    part = ask(pexels, link, Range="bytes=10-19", **{"If-Range": whole.headers["ETag"]})
    changed = ask(pexels, link, Range="bytes=10-19", **{"If-Range": '"another"'})
    beyond = ask(pexels, link, Range=f"bytes={len(clip)}-")

    assert (whole.status_code, whole.content) == (200, clip)
    assert (part.status_code, part.content) == (206, clip[10:20])
    assert part.headers["Content-Range"] == f"bytes 10-19/{len(clip)}"
    assert part.headers["ETag"] == whole.headers["ETag"]
    assert (changed.status_code, len(changed.content)) == (200, len(clip))
    assert beyond.status_code == 416


@pytest.mark.parametrize(
    "path", ["1001/1001-hd_1_1_25fps.mp4", "9/9-sd_320_136_25fps.mp4", "../calls.jsonl", "1001/"]
)
def test_file__unknown__is_missing(pexels: Pexels, path: str) -> None:
    """Nothing but the listed files is served."""
    assert ask(pexels, f"video-files/{path}").status_code == 404


def test_calls__tell_whether_there_was_a_key(pexels: Pexels) -> None:
    """Every request is noted, with its parameters, and never with the key itself."""
    before = len(pexels.calls())
    link = links(pexels, 1001)[640, 272]
    ask(pexels, link, key=None, Range="bytes=0-0")
    ask(pexels, link)

    calls = pexels.calls()[before:]

    assert [call["parameters"]["has_key"] for call in calls] == [True, False, True]
    assert [call["code"] for call in calls] == ["200", "206", "200"]
    assert calls[0]["parameters"]["per_page"] == "80"
    assert calls[1]["parameters"]["range"] == "bytes=0-0"
    assert KEY not in str(calls)


def test_faults__spoil_the_answers(pexels: Pexels) -> None:
    """Each kind does what it says, once, and is noted."""
    link = links(pexels, 1001)[640, 272]
    kinds = ["error", "garbage", "empty", "truncated", "cut-before", "endless", "pass"]
    codes = {"error": {"code": "429", "seconds": 3}}
    pexels.add_faults(
        *({"operation": "file", "kind": kind, **codes.get(kind, {})} for kind in kinds)
    )

    refused, page, empty = (ask(pexels, link) for _ in range(3))
    for _ in range(2):
        with pytest.raises(requests.RequestException):
            ask(pexels, link)
    with requests.get(f"{pexels.url}/{link}", stream=True, timeout=5) as endless:
        received = sum(map(len, islice(endless.iter_content(100_000), 99)))
    good = ask(pexels, link)

    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "3")
    assert (page.status_code, page.headers["Content-Type"]) == (200, "text/html")
    assert (empty.status_code, empty.content) == (200, b"")
    assert received > 2 * len(good.content)
    assert [call["code"] for call in pexels.calls("file")[-7:]] == ["429", *kinds[1:-1], "200"]


def test_server__answers_to_loopback_names_only(pexels: Pexels) -> None:
    """No name on the internet can lead a page in a browser to it."""
    assert ask(pexels, "sandbox/calls", Host="rebound.example").status_code == 404


def test_page__is_where_a_listing_leads(pexels: Pexels) -> None:
    """A person who follows a video's link finds a page."""
    [video, *_] = videos(pexels)

    page = requests.get(video["url"], timeout=5)

    assert (page.status_code, "Pexels" in page.text) == (200, True)


def test_main__without_a_key__says_so(tmp_path: Path) -> None:
    """A stand-in without a key would let everybody in, so it does not start."""
    command = [sys.executable, "-m", "sandbox.pexels", "--data", str(tmp_path)]

    ended = subprocess.run(command, capture_output=True, text=True, check=False, env={})

    assert ended.returncode == 2
    assert "PEXELS_API_KEY is not set" in ended.stderr


def test_sizes__without_a_decoder__are_the_clip_alone() -> None:
    """Where PyAV is not installed, the clip is served as it is."""
    script = (
        "import sys; sys.modules['av'] = None; from sandbox.pexels.renditions import sizes;"
        "print(sizes(portrait=False), sizes(portrait=True))"
    )

    printed = subprocess.check_output([sys.executable, "-c", script], text=True)

    assert printed == "[(640, 272)] [(640, 272)]\n"
