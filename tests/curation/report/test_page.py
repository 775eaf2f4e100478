from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

from tests.support.report import ReportFiles

HOSTILE = '"><script>alert(1)</script><img src=x onerror=alert(2)>.mp4'


class Elements(HTMLParser):
    """All elements of a page, with their attributes, as a browser would find them."""

    def __init__(self, page: bytes) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str]]] = []
        self.feed(page.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Is called by the parser."""
        self.found.append((tag, {name: value or "" for name, value in attrs}))

    def of(self, tag: str) -> list[dict[str, str]]:
        """Returns the attributes of all elements of that name."""
        return [attributes for name, attributes in self.found if name == tag]


def test_build_report__shows_each_selected_frame_with_a_link_to_it() -> None:
    """Without any script there are the pictures in order of choice, each a link to its frame."""
    files = ReportFiles(n_selected=5)

    elements = Elements(files.page())

    links = [link["href"] for link in elements.of("a")]
    assert links == [f"frames/clip.mp4-{number}.jpg" for number in files.chosen]
    alts = [image["alt"] for image in elements.of("img") if image.get("alt")]
    assert alts[0] == "Frame 80 at 0:03.20"
    assert len(alts) == 5


def test_build_report__needs_nothing_but_itself() -> None:
    """Whatever the page loads is in it, and its own policy allows nothing else."""
    page = ReportFiles().page()

    elements = Elements(page)
    (policy,) = (meta for meta in elements.of("meta") if "http-equiv" in meta)
    sources = [image["src"] for image in elements.of("img") if "src" in image]
    assert {source.partition(",")[0] for source in sources} == {"data:image/jpeg;base64"}
    assert [link["href"] for link in elements.of("link")] == ["data:,"]
    assert not re.search(rb"https?://|@import|url\(", page)
    assert policy["content"].startswith("default-src 'none'; ")
    assert "unsafe" not in policy["content"]
    assert re.search(r"script-src 'sha256-[A-Za-z0-9+/]{43}='$", policy["content"])


@pytest.mark.parametrize("files", [ReportFiles(name=HOSTILE), ReportFiles(config={"a": HOSTILE})])
def test_build_report__takes_no_code_from_names_and_settings(files: ReportFiles) -> None:
    """A file name or a setting is text and nothing else, wherever it stands."""
    elements = Elements(files.page())

    assert [script.get("id") for script in elements.of("script")] == ["data", None]
    assert not [image for image in elements.of("img") if image.get("src") == "x"]


def test_build_report__of_a_run_that_chose_nothing() -> None:
    """Where the datapool has everything already, the page says so."""
    page = ReportFiles(n_selected=0).page().decode()

    assert "No frame was selected: 100 are like one that the datapool has already." in page


def test_build_report__tells_what_is_damaged() -> None:
    """Damaged stretches are listed with their times."""
    page = ReportFiles(n_damaged=25).page().decode()

    assert "25 damaged frames" in page
    assert "<li>0:02.00 \u2013 0:02.96</li>" in page


def test_build_report__of_many_frames_stays_small() -> None:
    """A page of 100,000 frames with 10,000 chosen is below 5 MB, and says what it leaves out."""
    page = ReportFiles(n_frames=100_000, n_selected=10_000).page()

    assert len(page) < 5_000_000
    assert "The first 600 of 10\u202f000 in order of choice." in page.decode()


def test_build_report__refuses_what_an_engine_run_does_not_leave() -> None:
    """Facts that are not all there are an error, not half a page."""
    files = ReportFiles()
    files.facts_json = lambda: b"{}"  # type: ignore[method-assign]  # another file in its place

    with pytest.raises(ValueError, match="run_id"):
        files.page()
