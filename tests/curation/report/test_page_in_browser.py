"""The report in a real browser: as a file, without a server, without the net."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.support.browser import LOW_CONTRAST
from tests.support.report import ReportFiles

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import Literal

    from playwright.sync_api import Browser, Dialog, Page


class Opened:
    """A report on the screen, and what the browser says of it."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.said: list[str] = []
        self.asked: list[str] = []
        page.on("console", lambda message: self.said.append(message.text))
        page.on("pageerror", lambda error: self.said.append(str(error)))
        page.on("dialog", self._dismiss)
        page.on("request", lambda request: self.asked.append(request.url))

    def open(self, path: Path) -> None:
        """Opens a file."""
        self.page.goto(path.as_uri())

    def _dismiss(self, dialog: Dialog) -> None:
        self.said.append(dialog.message)
        dialog.dismiss()


@pytest.fixture
def opened(browser: Browser) -> Iterator[Opened]:
    """An empty page."""
    page = browser.new_page(viewport={"width": 1600, "height": 1000})
    yield Opened(page)
    page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [400, 1600])
def test_report__fits_the_screen_in_both_schemes(
    width: int, scheme: Literal["light", "dark"], opened: Opened, tmp_path: Path
) -> None:
    """At a phone's width and at a wide screen's nothing sticks out, and all can be read."""
    opened.page.set_viewport_size({"width": width, "height": 800})
    opened.page.emulate_media(color_scheme=scheme)

    opened.open(ReportFiles(n_damaged=10, name="a" * 90 + ".mp4").write(tmp_path))

    assert opened.page.evaluate("document.documentElement.scrollWidth") == width
    assert opened.page.evaluate(LOW_CONTRAST) == []
    paper = opened.page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert paper == {"light": "rgb(251, 250, 248)", "dark": "rgb(20, 21, 23)"}[scheme]
    assert opened.said == []


def test_report__asks_nobody_for_anything(opened: Opened, tmp_path: Path) -> None:
    """The page is one file: opening it and pointing at things loads nothing more."""
    report = ReportFiles().write(tmp_path)

    opened.open(report)
    opened.page.locator("#map").hover()
    opened.page.locator("#line").hover()

    asked = [url for url in opened.asked if not url.startswith("data:")]
    assert (asked, opened.said) == ([report.as_uri()], [])


def test_report__map_shows_the_frame_under_the_pointer(opened: Opened, tmp_path: Path) -> None:
    """Number, time and picture are those of the frame at which one points."""
    opened.open(ReportFiles().write(tmp_path))
    ring = opened.page.locator("#map circle[class]").first  # the frame that was chosen last
    box = ring.bounding_box()
    assert box

    opened.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)

    text = opened.page.locator("#look-text")
    expect(text).to_have_text("frame 0 · 0:00.00 · chosen as no. 5")
    shown = opened.page.locator("#look-picture").get_attribute("src")
    assert shown == opened.page.locator('.frames img[data-frame="0"]').get_attribute("src")


def test_report__can_be_walked_through_by_keyboard(opened: Opened, tmp_path: Path) -> None:
    """Arrow keys go from frame to frame, and whoever cannot see the page is told the same."""
    opened.open(ReportFiles().write(tmp_path))
    walk = opened.page.get_by_label("Walk through the frames")

    walk.press("Home")
    walk.press("ArrowRight")

    expect(opened.page.get_by_role("status")).to_have_text("frame 1 · 0:00.04")
    assert walk.get_attribute("aria-valuetext") == "frame 1, 0:00.04"


def test_report__timeline_shows_the_moment_under_the_pointer(
    opened: Opened, tmp_path: Path
) -> None:
    """The right end of the timeline is the last frame."""
    opened.open(ReportFiles(n_frames=40).write(tmp_path))
    box = opened.page.locator("#line").bounding_box()
    assert box

    opened.page.mouse.move(box["x"] + box["width"] - 2, box["y"] + 5)

    expect(opened.page.locator("#look-text")).to_have_text("frame 39 · 0:01.56")


def test_report__click_enlarges_the_frame(opened: Opened, tmp_path: Path) -> None:
    """The frame beside the page is shown at full size, and arrow keys go on to the next."""
    opened.open(ReportFiles().write(tmp_path))
    large = opened.page.locator("#large-picture")

    opened.page.locator("#frames a").first.click()
    expect(large).to_have_js_property("naturalWidth", 640)
    opened.page.keyboard.press("ArrowRight")

    expect(opened.page.locator("#large-text")).to_have_text("frame 60 0:02.40")
    opened.page.keyboard.press("Escape")
    expect(large).to_be_hidden()


def test_report__click_enlarges_the_thumbnail_where_there_are_no_frames(
    opened: Opened, tmp_path: Path
) -> None:
    """A page that was sent to somebody alone still shows something."""
    report = tmp_path / "alone.html"
    report.write_bytes(ReportFiles().page())
    opened.open(report)

    opened.page.locator("#frames a").first.click()

    expect(opened.page.locator("#large-picture")).to_have_js_property("naturalWidth", 160)


def test_report__can_be_sorted_by_time(opened: Opened, tmp_path: Path) -> None:
    """By order of choice at first, by time when one asks for it."""
    opened.open(ReportFiles().write(tmp_path))
    frames = opened.page.locator("#frames li")
    before = [frame.get_attribute("data-frame") for frame in frames.all()]

    opened.page.get_by_label("time", exact=True).check()

    after = [frame.get_attribute("data-frame") for frame in frames.all()]
    assert before == ["80", "60", "40", "20", "0"]
    assert after == before[::-1]


def test_report__runs_no_code_of_strangers(opened: Opened, tmp_path: Path) -> None:
    """A script in a file name is text, and were it not, the page's policy would refuse it."""
    hostile = "<script>alert(1)</script>.mp4"
    report = tmp_path / "report.html"
    report.write_bytes(ReportFiles(name=hostile).page())

    opened.open(report)
    opened.page.evaluate(
        "document.body.append(Object.assign(document.createElement('script'), {text: 'alert(2)'}))"
    )

    expect(opened.page.get_by_role("heading", level=1)).to_have_text(hostile)
    assert len(opened.said) == 1
    assert "Content Security Policy" in opened.said[0]
