"""Flower as a process over a real broker, with its links to our pages."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import requests
from celery import Celery
from tornado.template import ParseError

from pipeline.web.flower import LinkingLoader, with_links
from sandbox.processes import free_port
from tests.support.browser import open_page
from tests.support.waiting import wait_until
from tests.support.web import LOGIN

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from playwright.sync_api import Browser, BrowserContext

    from tests.support.web import Site

ROOT = Path(__file__).parents[3]
TASK_ID = "7d3b0c5e-4a51-4a3f-9a56-0b1c2d3e4f50"
RUN_ID = "20261122-093015-5f0c2d81ab"


@pytest.fixture(scope="module")
def flower(variables: dict[str, str], site: Site) -> Iterator[str]:
    """Address of a Flower that knows where our pages are, and has seen a task of a run."""
    port = free_port()
    login = {"FLOWER_BASIC_AUTH": ":".join(LOGIN), "WEB_URL": f"{site.url}/"}
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "celery", "-A", "pipeline", "flower", "--address=127.0.0.1"),
            *(f"--port={port}", f"--conf={ROOT / 'flowerconfig.py'}"),
        ],
        env={**os.environ, "PYTHON_DOTENV_DISABLED": "1", **variables, **login},
        stderr=subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}"
    run_id = site.runs["selecting"]
    try:
        wait_until(lambda: has_seen(url, variables, run_id), limit_s=120)
        yield url
    finally:
        process.terminate()
        process.wait(timeout=60)


@pytest.fixture(scope="module")
def window(browser: Browser) -> Iterator[BrowserContext]:
    """A window of somebody who has both passwords."""
    with browser.new_context(
        viewport={"width": 1600, "height": 900},
        http_credentials={"username": LOGIN[0], "password": LOGIN[1]},
    ) as context:
        yield context


@pytest.mark.parametrize("path", ["/", "/tasks", "/broker", f"/task/{TASK_ID}", "/no-such-page"])
def test_menu__leads_to_the_runs(
    flower: str, site: Site, window: BrowserContext, path: str
) -> None:
    """From every page of Flower there is a way back to the runs."""
    with open_page(window, f"{flower}{path}") as look:
        look.page.get_by_role("link", name="Runs", exact=True).click()
        look.page.wait_for_url(f"{site.url}/")

        assert look.page.get_by_role("heading", level=1).inner_text() == "Runs"


def test_task__leads_to_its_run(flower: str, site: Site, window: BrowserContext) -> None:
    """Whoever looks at a task comes to the run that it works for."""
    run_id = site.runs["selecting"]
    with open_page(window, f"{flower}/task/{TASK_ID}") as look:
        assert f"('{run_id}',)" in look.page.inner_text("main")
        look.page.get_by_role("link", name=run_id).click()
        look.page.wait_for_url(f"{site.url}/runs/{run_id}")

        assert run_id in look.page.inner_text("main")


def test_tasks__tell_their_run(flower: str, site: Site, window: BrowserContext) -> None:
    """The list of tasks says for which run each of them works."""
    with open_page(window, f"{flower}/tasks") as look:
        look.page.get_by_text(site.runs["selecting"]).wait_for()


def test_with_links__escapes_what_is_no_run() -> None:
    """Arguments are a stranger's text, in which nothing but a run id is a link."""
    shown = with_links(f"{RUN_ID}, <b>", pages="http://pages")

    assert shown == f'<a href="http://pages/runs/{RUN_ID}">{RUN_ID}</a>, &lt;b&gt;'


@pytest.mark.parametrize("text", ["<nav>Menu</nav>", '{% set end = "</ul>" %}<nav></nav>'])
def test_loader__leaves_another_template_as_it_is(tmp_path: Path, text: str) -> None:
    """A later Flower may have a menu without a list, or one that bears no entry."""
    (tmp_path / "navbar.html").write_text(text)

    loader = LinkingLoader(str(tmp_path), pages="http://pages")

    assert b"http://pages" not in loader.load("navbar.html").generate()


def test_loader__shows_the_error_of_a_template_that_is_wrong_itself(tmp_path: Path) -> None:
    """What Flower could not show without us is Flower's own error."""
    (tmp_path / "navbar.html").write_text("{% no such thing %}")

    with pytest.raises(ParseError):
        LinkingLoader(str(tmp_path), pages="http://pages").load("navbar.html")


def test_link_back__bears_another_flower(tmp_path: Path) -> None:
    """A Flower that is built in another way starts without our links."""
    (tmp_path / "flower").mkdir()
    (tmp_path / "flower" / "__init__.py").touch()
    program = "from pipeline.web.flower import link_back; link_back('http://pages')"

    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stderr.strip()) == (
        0,
        "This Flower has no place for links to our pages",
    )


def has_seen(url: str, variables: Mapping[str, str], run_id: str) -> bool:
    """Tells of a task, as a Celery worker would, and returns whether Flower has heard it."""
    with (
        Celery(broker=variables["REDIS_URL"], set_as_current=False) as app,
        app.connection_for_write() as connection,
        app.events.Dispatcher(connection, hostname="ingest@tests") as dispatcher,
    ):
        dispatcher.send("worker-online", sw_ident="tests")
        dispatcher.send(
            "task-received",
            uuid=TASK_ID,
            name="ingest.ingest_video",
            args=f"('{run_id}',)",
            kwargs="{}",
        )
    try:
        return requests.get(f"{url}/task/{TASK_ID}", auth=LOGIN, timeout=20).ok
    except requests.ConnectionError:
        return False
