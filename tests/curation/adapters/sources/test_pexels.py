"""Videos by chance, from the stand-in over the real wire."""

from __future__ import annotations

import json
import random
import re
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import SecretStr

from curation.adapters.sources.http import HttpFiles
from curation.adapters.sources.pexels import PexelsSource
from curation.adapters.sources.pexels_api import PER_PAGE, PexelsApi
from curation.errors import OperatorError, RequestError, TransientError
from tests.support.file_server import FileServer, ServedFile
from tests.support.media import shipped_clip
from tests.support.pexels import KEY, Pexels, pexels_server
from tests.support.reading import fetch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from curation.ports import SourceVideo

PAGE_OF_VIDEO = "https://www.pexels.com/video/a-bridge-7/"


@pytest.fixture(scope="module")
def stand_in(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pexels]:
    """Pexels with 200 videos of many kinds."""
    with pexels_server(tmp_path_factory.mktemp("pexels")) as running:
        yield running


@pytest.fixture
def pexels(stand_in: Pexels) -> Pexels:
    """The same, without the faults of other tests."""
    stand_in.clear_faults()
    return stand_in


def source_at(
    url: str, uri: str = "pexels:popular", *, max_height: int = 1080, seed: int = 0
) -> PexelsSource:
    """Returns a source that may fetch from any port of 127.0.0.1."""
    return PexelsSource(
        uri,
        api=PexelsApi(url, SecretStr(KEY)),
        files=HttpFiles(max_bytes=3_000_000, allowed_hosts=["127.0.0.1"]),
        max_height=max_height,
        dice=random.Random(seed),
    )


def only(source: PexelsSource) -> SourceVideo:
    """Returns the one video that a source offers."""
    [video] = source.candidates()
    return video


def test_candidates__come_by_chance_from_many_pages(pexels: Pexels) -> None:
    """Whatever the dice say is taken, of all pages, each asked for once; no two runs need agree."""
    before = len(pexels.calls())

    names = {only(source_at(pexels.url, seed=seed)).name for seed in range(20)}

    asked = [call["parameters"] for call in pexels.calls("v1/videos/popular")[before:]]
    assert len(names) > 6
    assert {call["page"] for call in asked} == {"1", "2", "3"}
    assert {call["per_page"] for call in asked} == {"80"}


def test_listed__is_every_video_in_order_without_its_file(pexels: Pexels) -> None:
    """A backfill gets links to all videos of a listing, page after page, and asks for no file."""
    before = len(pexels.calls("file"))

    listed = list(source_at(pexels.url).listed())

    again = [video.url for video in source_at(pexels.url, seed=7).listed()]
    assert [video.url for video in listed] == again
    assert len(set(again)) == len(again) > PER_PAGE
    assert all(video.url.startswith("http") and video.name.endswith(".mp4") for video in listed)
    assert len(pexels.calls("file")) == before


def test_candidates__with_the_same_dice__agree(pexels: Pexels) -> None:
    """Nothing but the dice decides."""
    first, again = (only(source_at(pexels.url, seed=5)) for _ in range(2))

    assert first == again


def test_candidates__of_a_search(pexels: Pexels) -> None:
    """A search offers only what Pexels found for its words."""
    videos = [
        only(source_at(pexels.url, "pexels:search?query=bikes%20tram", seed=s)) for s in (1, 2)
    ]

    assert all("/video/bikes-" in video.public_url for video in videos)
    assert pexels.calls("v1/videos/search")[-1]["parameters"]["query"] == "bikes tram"


def test_candidates__of_a_search_for_nothing__name_the_words(pexels: Pexels) -> None:
    """A search that finds nothing is an error with its words."""
    with pytest.raises(RequestError, match=r"no video for pexels:search\?query=unicorns") as caught:
        only(source_at(pexels.url, "pexels:search?query=unicorns"))

    assert caught.value.code == "source:no-video"


def test_candidates__the_best_below_the_limit(pexels: Pexels) -> None:
    """The limit is the height of a landscape video and the width of an upright one."""
    sizes = set()
    for seed in range(12):
        name = only(source_at(pexels.url, max_height=210, seed=seed)).name
        match = re.fullmatch(r"\d+-sd_(\d+)_(\d+)_25fps\.mp4", name)
        assert match
        sizes.add((int(match[1]), int(match[2])))

    assert sizes == {(480, 204), (204, 480)}


def test_open__is_the_file_without_the_key(pexels: Pexels) -> None:
    """Listings are asked for with the key, files never; what comes is the real video."""
    source = source_at(pexels.url, seed=7)
    video = only(source)

    content = fetch(source, video)

    assert video.name.endswith("-hd_640_272_25fps.mp4")
    assert content == shipped_clip("bikes.mp4").read_bytes()
    assert re.fullmatch(rf"{pexels.url}/video/[a-z-]+-\d+/", video.public_url)
    assert not any(call["parameters"]["has_key"] for call in pexels.calls("file"))
    assert all(call["parameters"]["has_key"] for call in pexels.calls("v1/videos/popular"))


def test_candidates__on_the_older_path(pexels: Pexels) -> None:
    """A server of the older generation will do."""
    missing = {"operation": "v1/videos/popular", "kind": "error", "code": "404", "times": 9}
    pexels.add_faults(missing)

    assert only(source_at(pexels.url)).size_bytes


def test_candidates__empty_page__falls_back_to_the_first(pexels: Pexels) -> None:
    """A page far behind may be empty, whatever Pexels counts; the first one is not."""
    deep = next(seed for seed in range(99) if random.Random(seed).randrange(200) >= 80)
    first = {"operation": "v1/videos/popular", "kind": "pass"}
    missing = {"kind": "error", "code": "404"}
    script = [{"operation": f"{root}videos/popular", **missing} for root in ("v1/", "")]
    pexels.add_faults(first, *script)

    video = only(source_at(pexels.url, seed=deep))

    number = re.search(r"-(\d+)/$", video.public_url)
    assert number
    assert int(number[1]) <= 1080


@pytest.mark.parametrize(
    ("fault", "error", "code"),
    [
        ({"kind": "error", "code": "404"}, RequestError, "source:http:404"),
        ({"kind": "error", "code": "503"}, TransientError, "source:http:503"),
        ({"kind": "garbage"}, RequestError, "source:no-video"),
        ({"kind": "empty"}, RequestError, "source:empty"),
        ({"kind": "cut-before"}, TransientError, "source:unreachable"),
    ],
)
def test_candidates__bad_file__names_the_file(
    pexels: Pexels, fault: dict[str, Any], error: type[Exception], code: str
) -> None:
    """What is wrong with the file is said with its own link."""
    pexels.add_faults({"operation": "file", **fault})

    with pytest.raises(error, match=r"/video-files/\d+/\d+-hd_\d+_\d+_25fps\.mp4") as caught:
        only(source_at(pexels.url))

    assert getattr(caught.value, "code", None) == code


def test_open__gone_since__names_the_file(pexels: Pexels) -> None:
    """An error names what was asked for, although the page stands for the video."""
    source = source_at(pexels.url)
    video = only(source)
    pexels.add_faults({"operation": "file", "kind": "error", "code": "410"})

    with pytest.raises(RequestError, match=r"/video-files/\d+/\S+\.mp4 answered 410"):
        fetch(source, video)


def test_candidates__refused_key(pexels: Pexels) -> None:
    """A key that Pexels does not know is named by its setting."""
    source = PexelsSource(
        "pexels:popular",
        api=PexelsApi(pexels.url, SecretStr("another-key")),
        files=HttpFiles(max_bytes=1),
        max_height=1080,
        dice=random.Random(),
    )

    with pytest.raises(OperatorError, match="PEXELS_API_KEY") as caught:
        only(source)

    assert "another-key" not in caught.value.message


def test_candidates__of_a_file_on_a_private_host__are_refused(pexels: Pexels) -> None:
    """The setting of the API exempts the API alone: files obey the rules of all links."""
    source = PexelsSource(
        "pexels:popular",
        api=PexelsApi(pexels.url, SecretStr(KEY)),
        files=HttpFiles(max_bytes=3_000_000),
        max_height=1080,
        dice=random.Random(0),
    )

    with pytest.raises(RequestError, match="ALLOWED_VIDEO_HOSTS") as caught:
        only(source)

    assert caught.value.code == "source:not-https"


def listing(server: FileServer, *files: dict[str, Any], **video: object) -> str:
    """Serves a listing of one video with these files, and returns where."""
    answer = {"videos": [{"url": PAGE_OF_VIDEO, "video_files": files, **video}]}
    server.put("/v1/videos/popular", ServedFile(json.dumps(answer).encode()))
    return f"http://{server.host}"


def file_of(
    server: FileServer, name: str, width: int | None, height: int | None, kind: str = "video/mp4"
) -> dict[str, Any]:
    """Serves a file and returns how it is listed."""
    link = server.put(f"/{name}", ServedFile(b"x" * 9))
    return {"link": f"{link}?s=s3cret", "file_type": kind, "width": width, "height": height}


@pytest.mark.parametrize(
    ("sizes", "best"),
    [
        ([(1920, 1080), (1280, 720), (3840, 2160)], 0),
        ([(1280, 720), (1080, 1920), (2160, 3840)], 1),
        ([(1920, 1080), (2048, 1080), (1080, 1080)], 1),
        ([(None, None), (None, 360), (1921, 1081)], 1),
        ([(608, 1080), (1440, 1440)], 0),
    ],
)
def test_best__of_all_sizes(
    server: FileServer, sizes: list[tuple[int | None, int | None]], best: int
) -> None:
    """The shorter side decides, then the longer one; of a file of unknown size nothing is hoped."""
    files = [file_of(server, f"{number}.mp4", *size) for number, size in enumerate(sizes)]

    video = only(source_at(listing(server, *files)))

    assert video.name == f"{best}.mp4"


def test_best__other_kinds_are_skipped(server: FileServer) -> None:
    """A playlist or a WebM is not taken, however large, nor a file without a link."""
    files = [
        file_of(server, "a.m3u8", None, None, "application/x-mpegURL"),
        file_of(server, "b.webm", 1920, 1080, "video/webm"),
        {"file_type": "video/mp4", "width": 1920, "height": 1080, "link": None},
        file_of(server, "c.mp4", 640, 360),
    ]

    assert only(source_at(listing(server, *files))).name == "c.mp4"


def test_best__nothing_small_enough__names_the_setting(server: FileServer) -> None:
    """When no video has a file within the limit, the limit is named."""
    url = listing(server, file_of(server, "a.mp4", 1920, 1080))

    with pytest.raises(
        RequestError, match=r"at most 720 pixels\. Raise MAX_VIDEO_HEIGHT"
    ) as caught:
        only(source_at(url, max_height=720))

    assert caught.value.code == "source:no-rendition"


@pytest.mark.parametrize(
    ("page", "place"),
    [
        (PAGE_OF_VIDEO, PAGE_OF_VIDEO),
        (f"{PAGE_OF_VIDEO}?key=s3cret", f"{PAGE_OF_VIDEO}?key=***"),
        ("javascript:alert(1)", "http://HOST/a.mp4?s=***"),
        ("", "http://HOST/a.mp4?s=***"),
    ],
)
def test_public_url__is_where_a_person_sees_it(server: FileServer, page: str, place: str) -> None:
    """The page on Pexels stands for the video, or else its file, without what is secret."""
    url = listing(server, file_of(server, "a.mp4", 640, 360), url=page)

    assert only(source_at(url)).public_url == place.replace("HOST", server.host)
