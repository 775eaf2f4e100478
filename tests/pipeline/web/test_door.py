from __future__ import annotations

import base64
import subprocess
import sys

import pytest

from pipeline.web.login import TICKET_S, has_ticket, new_ticket
from tests.support.web import LOGIN, Site

PATHS = ["/", "/runs", "/instances", "/cost", "/docs", "/openapi.json", "/static/style.css", "/no"]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    "auth", [None, ("me", "guess"), ("you", "canary-login"), ("me", ""), ("", "")]
)
def test_pages__want_the_password(site: Site, path: str, auth: tuple[str, str] | None) -> None:
    """Whoever has not the password sees nothing, not even what is there."""
    answer = site.get(path, auth=auth)

    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Basic ")


@pytest.mark.parametrize(
    "header",
    [
        "Basic",
        "Basic ",
        "Basic ???",
        "Basic " + base64.b64encode(b"me").decode(),
        "Basic " + base64.b64encode("mé:canary-login".encode("latin-1")).decode(),
        "Digest username=me",
    ],
)
def test_pages__bear_any_header(site: Site, header: str) -> None:
    """What is no login is refused like a wrong one."""
    assert site.get("/", auth=None, headers={"Authorization": header}).status_code == 401


@pytest.mark.parametrize(
    "host", ["example.com", "127.0.0.1.example.com", "[::2]:8080", "", "a:1:2"]
)
def test_hosts__of_other_names_are_refused(site: Site, host: str) -> None:
    """No name on the internet can lead a page in somebody's browser here."""
    assert site.get("/", headers={"Host": host}).status_code in {400, 421}


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:8080", "[::1]:8080", "LOCALHOST:99"])
def test_hosts__of_this_machine_are_answered(site: Site, host: str) -> None:
    """A tunnel may use another port, and names are the same in capitals."""
    assert site.get("/", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("path", PATHS)
def test_answers__bear_the_headers(site: Site, path: str) -> None:
    """Nothing inline, from elsewhere, in a frame or guessed: on every answer, errors included."""
    for answer in (site.get(path), site.ask("GET", path), site.api("POST", path)):
        policy = dict.fromkeys(answer.headers["Content-Security-Policy"].split("; "))
        assert {"default-src 'none'", "script-src 'self'", "frame-ancestors 'none'"} <= set(policy)
        assert "unsafe" not in str(policy)
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["X-Frame-Options"] == "DENY"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert "Server" not in answer.headers


def test_pages__only_read(site: Site) -> None:
    """A form of another site, which a browser sends with the password, changes nothing."""
    answers = [
        site.ask("POST", path, auth=LOGIN, data={"a": "b"})
        for path in ("/", "/runs", f"/runs/{site.runs['selecting']}/cancel")
    ]

    assert {answer.status_code for answer in answers} <= {401, 404}
    assert site.api("GET", f"/runs/{site.runs['selecting']}").json()["outcome"] is None


def test_head__is_get_without_a_body(site: Site) -> None:
    """Whoever wants only to know whether a page is there asks by HEAD."""
    answer = site.ask("HEAD", "/", auth=LOGIN)

    assert (answer.status_code, answer.text) == (200, "")


def test_health__needs_no_password(site: Site) -> None:
    """The container's health check asks without one, and learns nothing."""
    answer = site.ask("GET", "/health")

    assert (answer.status_code, answer.text) == (200, "ok\n")


def test_ticket__opens_the_frames_of_its_run_alone(site: Site) -> None:
    """In its sandbox a report has no password: its address lets it see its own frames, not more."""
    run_id, other = site.runs["completed"], site.runs["hosted"]
    shown = site.get(f"/runs/{run_id}/report").url.removeprefix(site.url)
    frame = f"{shown}frames/bikes-000-mp4.jpg"
    forged = frame.replace(frame.split("/")[4], f"{2**33:x}-{'0' * 64}")
    paths = [frame, frame.replace(run_id, other), forged, shown, f"{shown}frames/a/b"]

    answers = [site.ask("GET", path) for path in paths]

    assert [answer.status_code for answer in answers] == [200, 401, 401, 401, 401]
    assert answers[0].headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert site.ask("GET", f"{shown}frames/selection.json").status_code == 422


def test_ticket__that_is_over_leads_to_a_new_one(site: Site) -> None:
    """Whoever has the password and an old address sees the report all the same."""
    answer = site.get(f"/runs/{site.runs['completed']}/report/0-0/")

    assert answer.status_code == 200
    assert "/report/0-0/" not in answer.url


def test_has_ticket__for_a_day() -> None:
    """A ticket opens until its time is over, and none is made up."""
    ticket = new_ticket("run", now=1000.0)

    assert has_ticket("run", ticket, now=1000.0 + TICKET_S - 2)
    assert not has_ticket("run", ticket, now=1000.0 + TICKET_S)
    assert not has_ticket("another", ticket, now=1000.0)
    assert not has_ticket("run", f"f{ticket}", now=1000.0)
    assert not has_ticket("run", "é-é", now=1000.0)


@pytest.mark.parametrize("login", ["", "me", "me:", ":secret"])
def test_serve__does_not_start_without_a_password(variables: dict[str, str], login: str) -> None:
    """No password, no pages, and a sentence that says what to set."""
    started = subprocess.run(
        [sys.executable, "-m", "pipeline.cli", "serve"],
        env=variables | {"WEB_BASIC_AUTH": login, "PYTHON_DOTENV_DISABLED": "1"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert started.returncode == 2
    assert started.stderr.endswith("Set WEB_BASIC_AUTH to user:password.\n")


def test_enqueue__loads_nothing_of_the_web() -> None:
    """Whoever only asks for a run waits for no web framework."""
    program = (
        "import sys, pipeline, pipeline.cli;"
        "print({'fastapi', 'starlette', 'uvicorn', 'jinja2', 'pipeline.web'} & set(sys.modules))"
    )

    printed = subprocess.check_output([sys.executable, "-c", program], text=True)

    assert printed == "set()\n"
