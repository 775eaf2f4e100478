"""The lines of `curate serve` as a process, and what a defect leaves behind."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from curation.telemetry import say_what_is_at_work
from pipeline.web.lines import Lines
from tests.support.waiting import wait_until
from tests.support.web import Site, serve

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from starlette.types import Message, Receive, Scope, Send

RUN_ID = "20261122-093015-5f0c2d81ab"
ASKED = {"source": "https://example.com/clip.mp4?signature=canary"}


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the server writes."""
    return tmp_path_factory.mktemp("log") / "web.log"


@pytest.fixture(scope="module")
def told(variables: dict[str, str], site: Site, log: Path) -> Iterator[Site]:
    """Pages and API that write JSON."""
    with log.open("wb") as file, serve(variables | {"LOG_FORMAT": "json"}, stderr=file) as url:
        yield Site(url, site.runs)


def test_lines__are_json_from_the_first(told: Site, log: Path) -> None:
    """A collector of logs can read every line, from the first one on."""
    lines = [json.loads(line) for line in log.read_text().splitlines()]

    assert lines[0]["message"].startswith(f"The pages are at {told.url}/")
    assert {"time", "level", "logger", "process"} <= lines[0].keys()


def test_lines__of_a_request_name_its_run(told: Site, log: Path) -> None:
    """What changed something is told with the run that it was about, a new run's too."""
    before = len(answered(log))
    made = told.api("POST", "/runs?token=canary", json=ASKED).json()["run_id"]
    told.api("POST", f"/runs/{made}/cancel")

    asked, canceled = next_of(log, before, 2)
    assert (asked["method"], asked["path"], asked["status"]) == ("POST", "/runs", 202)
    assert (canceled["path"], canceled["status"]) == (f"/runs/{made}/cancel", 200)
    assert (asked["run_id"], canceled["run_id"]) == (made, made)


def test_lines__of_refusals_have_no_secret(told: Site, log: Path) -> None:
    """A query, a login and a ticket stay out of the logs, also where they do not fit."""
    before = len(answered(log))
    told.ask("GET", "/cost?password=canary", auth=("me", "canary"))
    told.ask("GET", f"/runs/{RUN_ID}/report/canary-ticket/frames/a.jpg")

    refused = next_of(log, before, 2)
    assert [line["path"] for line in refused] == ["/cost", f"/runs/{RUN_ID}/report/…/frames/a.jpg"]
    assert [line["status"] for line in refused] == [401, 401]
    assert "canary" not in log.read_text()


def test_lines__leave_out_who_only_looks(told: Site, log: Path) -> None:
    """A page that follows a run asks every other second, which nobody wants to read of."""
    before = len(answered(log))
    told.get("/")
    told.get("/no-such-page")

    assert [line["path"] for line in next_of(log, before, 1)] == ["/no-such-page"]


def test_lines__of_the_server_itself_are_json_too(told: Site, log: Path) -> None:
    """What the web server says of a client that speaks no HTTP comes in the same form."""
    address = urlsplit(told.url)
    with socket.create_connection((str(address.hostname), address.port or 0)) as client:
        client.sendall(b"canary?\r\n\r\n")

    (line,) = wait_until(lambda: [it for it in parsed(log) if it["logger"] == "uvicorn.error"])
    assert line["message"] == "Invalid HTTP request received."


def test_lines__of_a_defect_name_the_run(caplog: pytest.LogCaptureFixture) -> None:
    """A defect is answered by 500, and its traceback can be found by the run."""
    sent: list[Message] = []

    async def broken(*_: Scope | Receive | Send) -> None:
        raise ZeroDivisionError

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "http.request"}

    caplog.handler.addFilter(say_what_is_at_work)
    scope = {"type": "http", "method": "GET", "path": f"/runs/{RUN_ID}", "headers": []}
    with caplog.at_level(logging.INFO):
        asyncio.run(Lines(broken)(scope, receive, send))

    defect, answer = caplog.records
    assert sent[0]["status"] == 500
    assert defect.exc_info
    assert defect.exc_info[0] is ZeroDivisionError
    assert {vars(record)["run_id"] for record in (defect, answer)} == {RUN_ID}


def parsed(log: Path) -> list[dict[str, object]]:
    """Returns all whole lines."""
    return [
        json.loads(line) for line in log.read_text().splitlines(keepends=True) if line[-1:] == "\n"
    ]


def answered(log: Path) -> list[dict[str, object]]:
    """Returns the lines of requests."""
    return [line for line in parsed(log) if line["message"] == "Request answered"]


def next_of(log: Path, before: int, count: int) -> list[dict[str, object]]:
    """Returns the lines of that many requests after those before, when they are there."""

    def found() -> list[dict[str, object]] | None:
        lines = answered(log)[before:]
        return lines if len(lines) >= count else None

    return wait_until(found, limit_s=60)
