"""The pages in a real browser: at 400 and 1600 pixels, by day and by night."""

from __future__ import annotations

import io
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

import pytest
from PIL import Image
from playwright.sync_api import expect
from redis import Redis

from curation.ledger.ledger import Ledger
from curation.ledger.store import Store
from tests.support.browser import LOW_CONTRAST, Look, open_page
from tests.support.report import ReportFiles
from tests.support.web import BUCKET, ERROR, INSTANCE_ID, LOGIN, N_FRAMES, Seeds, Site, serve

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, BrowserContext

# Each page, and what must be seen on it.
PAGES = {
    "/": ["Runs", "selecting", "bikes.mp4", "source:http:404", "12 of 250 frames"],
    "/?state=failed": ["failed", "clip.mp4"],
    "/?q=nothing-is-like-this": ["No run among", "Show all runs"],
    "/runs/{completed}": ["Give the instance back", "All 12 frames", "Report (html)", "7 looks"],
    "/runs/{failed}": ["Why it failed", ERROR, "curate resume {failed}"],
    "/runs/{canceled}": ["canceled", "curate resume {canceled}"],
    "/runs/{selecting}": ["180 of 400 frames", "s left", "curate cancel {selecting}"],
    "/runs/{completed}/frames": ["12 of 250", "0.40 s", "frame 10, choice 2"],
    "/runs/{hosted}": ["All 2 frames"],
    "/runs/{hosted}/frames": ["with the hosted service", "hosted-042-mp4.png"],
    "/runs/{selecting}/frames": ["There are none yet"],
    "/instances": [INSTANCE_ID, "running", "{selecting}", "over in", "Watchdog"],
    "/cost": ["By day", "By source", "/videos/bikes.mp4", "Frames selected", "% of 50.00 USD"],
    "/docs": ["POST", "/runs/{run_id}/resume", "Idempotency-Key", "Share of frames to keep"],
}
EMPTY = {
    "/": ["There are no runs yet", "curate run my-video.mp4 --wait"],
    "/instances": ["No instance is configured", "curate doctor"],
    "/cost": ["Nothing has cost anything yet", "curate run my-video.mp4 --wait"],
}


@pytest.fixture(
    scope="module", params=[(400, "light"), (400, "dark"), (1600, "light"), (1600, "dark")]
)
def window(request: pytest.FixtureRequest, browser: Browser) -> Iterator[BrowserContext]:
    """A window of a width and a colour scheme, of somebody who has the password."""
    with opened(browser, *request.param) as context:
        yield context


@pytest.fixture(scope="module")
def desk(browser: Browser) -> Iterator[BrowserContext]:
    """A large window by day."""
    with opened(browser, 1600, "light") as context:
        yield context


@pytest.fixture(scope="module")
def empty(variables: dict[str, str]) -> Iterator[Site]:
    """The pages of an installation where nothing has happened yet."""
    nobody = variables["REDIS_URL"].removesuffix("0") + "1"
    with serve(variables | {"REDIS_URL": nobody, "EC2_INSTANCE_ID": ""}) as url:
        yield Site(url, {})


@pytest.mark.parametrize("path", PAGES)
def test_page__can_be_read(site: Site, window: BrowserContext, path: str) -> None:
    """Each page has its content, fits the window, and makes no noise in the console."""
    with open_page(window, site.url + fill(path, site)) as look:
        check(look, [fill(text, site) for text in PAGES[path]])


@pytest.mark.parametrize("path", EMPTY)
def test_page__with_nothing_on_it_says_what_to_do(
    empty: Site, window: BrowserContext, path: str
) -> None:
    """Where there is nothing yet, the command stands that makes something."""
    with open_page(window, empty.url + path) as look:
        check(look, EMPTY[path])


def test_frames__are_all_shown(site: Site, desk: BrowserContext) -> None:
    """Every selected frame is loaded, and described for whoever cannot see it."""
    with open_page(desk, f"{site.url}/runs/{site.runs['completed']}/frames") as look:
        for picture in look.page.locator("figure img").all():
            picture.scroll_into_view_if_needed()
        look.page.wait_for_function("[...document.images].every(i => i.complete)")
        widths = look.page.eval_on_selector_all("figure img", "all => all.map(i => i.naturalWidth)")

        assert widths == [320] * N_FRAMES
        assert look.page.get_by_alt_text("Frame 110, at 4.40 s").count() == 1


def test_report__runs_our_script_alone(site: Site, desk: BrowserContext) -> None:
    """A report runs the script that we ship and no other one, and fetches frames alone."""
    with open_page(desk, f"{site.url}/runs/{site.runs['completed']}/report") as look:
        look.page.wait_for_function("[...document.images].every(i => i.complete)")
        widths = look.page.eval_on_selector_all("img", "all => all.map(i => i.naturalWidth)")

        assert look.page.title() == "Report"
        assert widths == [320, 0, 0]
        assert look.page.evaluate("origin") == "null"
        # Ours looks for its data, which this report has not.
        assert [line for line in look.noise if "reading 'textContent'" in line] != []
        assert [line for line in look.noise if "Refused to execute" in line or "script" in line]


def test_report__enlarges_the_frame(
    site: Site, desk: BrowserContext, broker: str, rclone_endpoint: str
) -> None:
    """A click shows the frame itself and not its thumbnail, as where the report lies on a disk."""
    files = ReportFiles(name="bikes")
    page = files.page()
    for number in files.chosen:
        page = page.replace(b"bikes-%d.jpg" % number, b"bikes-%03d-mp4.jpg" % number)
    with Redis.from_url(broker, decode_responses=True) as redis:
        run_id = Seeds(redis, endpoint=rclone_endpoint, bucket=BUCKET).completed(page)

    with open_page(desk, f"{site.url}/runs/{run_id}/report") as look:
        look.page.locator("#frames a").first.click()
        expect(look.page.locator("#large-picture")).to_have_js_property("naturalWidth", 320)
        look.page.keyboard.press("ArrowRight")

        expect(look.page.locator("#large-text")).to_have_text("frame 60 0:02.40")
        expect(look.page.locator("#large-picture")).to_have_js_property("naturalWidth", 320)
        assert look.noise == []


def test_run__follows_by_itself(site: Site, desk: BrowserContext, broker: str) -> None:
    """What happens to a run is seen on its page, also when the address holds the password."""
    run_id = site.runs["selecting"]
    address = site.url.replace("//", f"//{':'.join(LOGIN)}@")
    with (
        Redis.from_url(broker, decode_responses=True) as redis,
        open_page(desk, f"{address}/runs/{run_id}") as look,
    ):
        ledger = Ledger.over(Store(redis), retention_days=1, lease_ttl_s=900)
        try:
            ledger.engine.beat(run_id, 1, n_done=399)
            look.page.get_by_text("399 of 400 frames").wait_for()
        finally:
            ledger.engine.beat(run_id, 1, n_done=180)

        assert look.noise == []


def test_keyboard__comes_to_the_content_first(site: Site, desk: BrowserContext) -> None:
    """The first key of whoever has no mouse leads past the menu."""
    with open_page(desk, site.url) as look:
        look.page.keyboard.press("Tab")

        assert look.page.evaluate("document.activeElement.textContent") == "Skip to content"
        assert look.page.locator(":focus").bounding_box()["x"] >= 0  # type: ignore[index]  # it is seen


def test_search__finds_by_form(site: Site, desk: BrowserContext) -> None:
    """What a person types into the form is what the list is narrowed to."""
    with open_page(desk, site.url) as look:
        look.page.get_by_label("State").select_option("canceled")
        look.page.get_by_role("button", name="Search").click()
        look.page.get_by_text("Show all").wait_for()

        names = look.page.locator(".runs .id").all_inner_texts()
        assert site.runs["canceled"] in names
        assert site.runs["failed"] not in names


@pytest.mark.parametrize(
    "name",
    ["../secret.txt", "secret.txt", "..%2Fsecret.txt", "selection.json", "%2e%2e/selected.txt", ""],
)
def test_frame__of_another_name_is_not_handed_out(site: Site, name: str) -> None:
    """Nothing but the selected frames is read from the bucket."""
    answer = site.get(f"/runs/{site.runs['completed']}/frames/{name}")

    assert answer.status_code in {404, 422}
    assert "not for everybody" not in answer.text


def test_frame__is_kept_by_the_browser(site: Site) -> None:
    """A frame is a picture of a known kind that never changes, for this browser alone."""
    answer = site.get(f"/runs/{site.runs['completed']}/frames/bikes-010-mp4.jpg")

    assert answer.headers["Content-Type"] == "image/jpeg"
    assert answer.headers["Cache-Control"] == "private, max-age=86400, immutable"
    assert Image.open(io.BytesIO(answer.content)).size == (320, 180)


def test_report__is_sandboxed(site: Site) -> None:
    """The report has a policy of its own, stricter where it matters."""
    answer = site.get(f"/runs/{site.runs['completed']}/report")

    assert answer.headers["Content-Security-Policy"].startswith(
        "sandbox allow-scripts; default-src 'none'; script-src 'sha256-"
    )
    assert "allow-same-origin" not in answer.headers["Content-Security-Policy"]


@pytest.mark.parametrize(
    "path", ["/runs/nobody", "/no-such-page", "/?state=odd", "/?limit=1000000"]
)
def test_page__that_is_not_there_says_so(site: Site, path: str) -> None:
    """A wrong address is a page that leads back to the runs."""
    answer = site.get(path)

    assert answer.status_code in {404, 422}
    assert '<a href="/">All runs</a>' in answer.text


def test_runs__are_paged(site: Site) -> None:
    """What does not fit on one page is on the next, and the way back is there."""
    first = site.get("/?limit=2").text
    second = site.get(
        "/" + re.findall(r'rel="next" href="([^"]+)"', first)[0].replace("&amp;", "&")
    ).text

    assert len(re.findall(r'class="what"', first)) == 2
    assert set(ids(first)) & set(ids(second)) == set()
    assert 'rel="prev"' in second


@contextmanager
def opened(
    browser: Browser, width: int, scheme: Literal["light", "dark"]
) -> Iterator[BrowserContext]:
    """Opens a window of somebody who has the password."""
    with browser.new_context(
        viewport={"width": width, "height": 900},
        color_scheme=scheme,
        http_credentials={"username": LOGIN[0], "password": LOGIN[1]},
    ) as context:
        yield context


def check(look: Look, texts: list[str]) -> None:
    """Checks what holds for every page."""
    seen = look.page.inner_text("main")
    assert look.status == 200
    assert [text for text in texts if text not in seen] == []
    assert look.page.evaluate("document.documentElement.scrollWidth") <= look.width
    assert look.page.locator("h1").count() == 1
    assert look.page.locator("main, header, footer, nav").count() >= 4
    assert look.page.evaluate(LOW_CONTRAST) == []
    assert look.noise == []


def fill(text: str, site: Site) -> str:
    """Puts the ids of runs into a text."""
    return re.sub(r"\{(\w+)\}", lambda match: site.runs.get(match[1], match[0]), text)


def ids(page: str) -> list[str]:
    """Returns the ids of the runs on a page."""
    return re.findall(r'href="/runs/([0-9a-f-]+)"', page)
