from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import requests
from redis import Redis

from tests.support.web import LOGIN, TOKEN, Site, serve

if TYPE_CHECKING:
    from collections.abc import Iterator

ASKED = {"source": "https://example.com/clip.mp4", "proportion_samples": 0.2}


@pytest.fixture(scope="module")
def closed(variables: dict[str, str]) -> Iterator[Site]:
    """An installation without a token, whose Redis accepts connections and is silent."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        redis_url = f"redis://127.0.0.1:{silent.getsockname()[1]}/0"
        with serve(variables | {"API_TOKEN": "", "REDIS_URL": redis_url}) as url:
            yield Site(url, {})


@pytest.fixture(scope="module")
def away(variables: dict[str, str]) -> Iterator[Site]:
    """An installation whose Redis accepts connections and is silent."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        redis_url = f"redis://127.0.0.1:{silent.getsockname()[1]}/0"
        with serve(variables | {"REDIS_URL": redis_url}) as url:
            yield Site(url, {})


def test_ask_for_run__answers_the_status_object(site: Site, variables: dict[str, str]) -> None:
    """202, where the run is to be found, and the very object that `curate status` prints."""
    answer = site.api("POST", "/runs", json=ASKED)

    shown = subprocess.run(
        [
            str(Path(sys.executable).with_name("curate")),
            "status",
            answer.json()["run_id"],
            "--json",
        ],
        env=variables | {"PYTHON_DOTENV_DISABLED": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert answer.status_code == 202
    assert answer.headers["Location"] == f"/runs/{answer.json()['run_id']}"
    assert site.api("GET", answer.headers["Location"]).json() == json.loads(shown.stdout)
    assert answer.json()["request"] | ASKED == answer.json()["request"]


def test_ask_for_run__publishes_it(site: Site, broker: str) -> None:
    """What is asked for is on its way to the Celery workers."""
    with Redis.from_url(broker) as redis:
        before = redis.llen("ingest")
        site.api("POST", "/runs", json=ASKED)

        assert redis.llen("ingest") == before + 1


def test_ask_for_run__takes_all_from_the_settings(site: Site) -> None:
    """No body asks for a run as the settings have it."""
    request = site.api("POST", "/runs").json()["request"]

    assert request["source"] == "pexels:popular"
    assert request["proportion_samples"] == 0.1


def test_ask_for_run__twice_with_one_key_is_one_run(site: Site) -> None:
    """The same idempotency key gives the same run, as header or in the body."""
    by_header = site.api("POST", "/runs", json=ASKED, headers={"Idempotency-Key": "drive-1"})
    by_body = site.api("POST", "/runs", json={**ASKED, "idempotency_key": "drive-1"})

    assert by_header.json()["idempotency_key"] == "drive-1"
    assert by_header.json()["run_id"] == by_body.json()["run_id"]


@pytest.mark.parametrize(
    ("body", "status", "code", "words"),
    [
        ({**ASKED, "proportion_samples": 2}, 422, "request:invalid", "proportion_samples"),
        ({**ASKED, "proporton": 0.1}, 422, "request:invalid", "proporton"),
        ({"source": "gopher://x"}, 422, "source:unknown", "gopher"),
        ({"source": "/etc/passwd"}, 422, "request:local-source", "API_LOCAL_SOURCES"),
        ({"source": "file:///etc/passwd"}, 422, "request:local-source", "API_LOCAL_SOURCES"),
        ({**ASKED, "idempotency_key": "other"}, 422, "request:two-keys", "differ"),
        ({**ASKED, "proportion_samples": 0.3}, 409, "request:idempotency-key", "drive-2"),
    ],
)
def test_ask_for_run__refuses_what_is_wrong(
    site: Site, body: dict[str, object], status: int, code: str, words: str
) -> None:
    """What cannot be meant is a problem with a code and a sentence, and no run."""
    key = {"Idempotency-Key": "drive-2"}
    site.api("POST", "/runs", json=ASKED, headers=key)

    answer = site.api("POST", "/runs", json=body, headers=key)

    assert answer.headers["Content-Type"] == "application/problem+json"
    assert (answer.status_code, answer.json()["status"]) == (status, status)
    assert answer.json()["code"] == code
    assert words in answer.json()["detail"]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("not json", "The body is no JSON (Expecting value, at character 0)"),
        ("{", "The body is no JSON (Expecting property name"),
        ("[]", "The body must be a JSON object, sent with `Content-Type: application/json`"),
        ('{"source": 7}', "source: Input should be a valid string"),
    ],
)
def test_ask_for_run__refuses_what_is_no_request(site: Site, body: str, words: str) -> None:
    """Anything but a JSON object of a request is a problem, too, and the sentence says why."""
    answer = site.api("POST", "/runs", data=body, headers={"Content-Type": "application/json"})

    assert answer.status_code == 422
    assert answer.json()["code"] == "request:invalid"
    assert answer.json()["detail"].startswith(words)


@pytest.mark.parametrize(
    ("headers", "auth"),
    [
        ({}, None),
        ({"Authorization": "Bearer guess"}, None),
        ({"Authorization": "Bearer "}, None),
        ({"Authorization": f"Bearer {TOKEN} "[:-2]}, None),
        ({"Authorization": f"Token {TOKEN}"}, None),
        ({}, LOGIN),
    ],
)
def test_api__wants_the_token(
    site: Site, headers: dict[str, str], auth: tuple[str, str] | None
) -> None:
    """No token, another one, or the password of the pages asks for nothing."""
    answer = site.ask("POST", "/runs", json=ASKED, headers=headers, auth=auth)

    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert "API_TOKEN" in answer.json()["detail"]


def test_api__is_off_without_a_token(closed: Site) -> None:
    """An installation without API_TOKEN has no API, and says so."""
    answer = closed.api("POST", "/runs", json=ASKED)

    assert answer.status_code == 403
    assert "Set API_TOKEN" in answer.json()["detail"]


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_api__says_that_redis_is_away(away: Site, method: str) -> None:
    """503 and when to ask again; a page says the same."""
    answer = away.api(method, "/runs", json=ASKED if method == "POST" else None)

    assert answer.status_code == 503
    assert answer.json()["code"] == "redis:unreachable"
    assert answer.headers["Retry-After"] == "5"


def test_pages__say_that_redis_is_away(away: Site) -> None:
    """A page is there although the ledger is not."""
    answer = away.get("/")

    assert answer.status_code == 503
    assert "does not answer" in answer.text


def test_list_runs__filters(site: Site) -> None:
    """State, beginning of the source and words narrow the list, and pages of it follow."""
    failed = site.api("GET", "/runs", params={"state": "failed"}).json()
    by_source = site.api("GET", "/runs", params={"source": "s3://videos/"}).json()
    by_name = site.api("GET", "/runs", params={"q": failed["items"][0]["name"]}).json()
    second = site.api("GET", "/runs", params={"limit": 1, "skip": 1}).json()

    assert failed["schema"] == 1
    assert [run["run_id"] for run in failed["items"]] == [site.runs["failed"]]
    assert [run["run_id"] for run in by_source["items"]] == [site.runs["canceled"]]
    assert [run["run_id"] for run in by_name["items"]] == [site.runs["failed"]]
    assert second["items"] == site.api("GET", "/runs").json()["items"][1:2]


def test_show_run__knows_names_and_says_who_is_unknown(site: Site) -> None:
    """A run is found by its name; one that is not there is a 404 with its id."""
    run = site.api("GET", f"/runs/{site.runs['completed']}").json()

    assert site.api("GET", f"/runs/{run['name']}").json() == run
    assert site.api("GET", "/runs/nobody").status_code == 404
    assert site.api("GET", "/runs/nobody").json()["code"] == "run:unknown"


def test_cancel_and_resume__do_it(site: Site) -> None:
    """A run is canceled, twice without harm; one that has not ended cannot be resumed."""
    place = site.api("POST", "/runs", json=ASKED).headers["Location"]

    canceled = [site.api("POST", f"{place}/cancel") for _ in range(2)]
    too_early = site.api("POST", f"{place}/resume")
    resumed = site.api("POST", f"/runs/{site.runs['canceled']}/resume")

    assert [(answer.status_code, answer.json()["outcome"]) for answer in canceled] == [
        (200, "canceled")
    ] * 2
    assert (too_early.status_code, too_early.json()["code"]) == (409, "request:resume")
    assert resumed.status_code == 202
    assert resumed.json()["resumed_from"] == site.runs["canceled"]


def test_local_sources__are_taken_where_the_operator_says_so(variables: dict[str, str]) -> None:
    """With API_LOCAL_SOURCES a path is a source as any other."""
    with serve(variables | {"API_LOCAL_SOURCES": "true"}) as url:
        answer = Site(url, {}).api("POST", "/runs", json={"source": "/videos/clip.mp4"})

    assert answer.status_code == 202


def test_openapi__describes_every_operation(site: Site) -> None:
    """Both the page and the document name all that there is, the token included."""
    described = site.get("/openapi.json").json()
    page = site.get("/docs").text

    assert set(described["paths"]) == {
        "/runs",
        "/runs/{run_id}",
        "/runs/{run_id}/cancel",
        "/runs/{run_id}/resume",
    }
    assert described["components"]["securitySchemes"]["HTTPBearer"]["scheme"] == "bearer"
    assert all(path in page for path in described["paths"])
    assert site.api("GET", "/openapi.json").json() == described


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS"])
def test_api__knows_no_other_method(site: Site, method: str) -> None:
    """Nothing else changes anything, and no other origin is let in."""
    answer = site.api(method, "/runs", headers={"Origin": "https://example.com"})

    assert answer.status_code == 405
    assert not [name for name in answer.headers if name.lower().startswith("access-control")]


def test_requests__are_limited(site: Site) -> None:
    """A body above the limit is refused, also when its length is not announced."""
    announced = site.api("POST", "/runs", data=b" " * 70_000)
    unannounced = site.api("POST", "/runs", data=iter([b" " * 40_000] * 2))

    assert [announced.status_code, unannounced.status_code] == [413, 413]
    assert announced.json()["code"] == "request:too-large"


def test_secrets__are_in_no_answer(site: Site) -> None:
    """Neither the token nor the password nor the key of a link is shown to anybody."""
    paths = ["/", "/docs", "/openapi.json", "/instances", "/cost", f"/runs/{site.runs['failed']}"]

    texts = [site.get(path).text for path in paths]
    texts.append(requests.get(site.url, timeout=10).text)

    assert [text for text in texts if "canary" in text] == []
