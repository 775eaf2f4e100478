"""What the Pexels API answers, and what becomes of it."""

from __future__ import annotations

import json
import time
import traceback
from email.utils import formatdate
from typing import TYPE_CHECKING

import pytest
from pydantic import SecretStr

from curation.adapters.sources.pexels_api import PexelsApi
from curation.errors import OperatorError, RequestError, TransientError
from tests.support.file_server import ServedFile, file_server
from tests.support.scripted_server import Answer, ScriptedServer, scripted_server

if TYPE_CHECKING:
    from collections.abc import Iterator

KEY = "c4n4ry-key"
JSON = {"Content-Type": "application/json"}
PAGE = Answer(200, json.dumps({"total_results": 3, "videos": [{"url": "u"}]}).encode(), JSON)
MISSING = Answer(404, b"{}", JSON)


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    """In place of Pexels."""
    with scripted_server() as running:
        running.answers = [PAGE]
        yield running


@pytest.fixture
def api(server: ScriptedServer) -> PexelsApi:
    """The API there."""
    return PexelsApi(f"{server.url}/", SecretStr(KEY), read_timeout_s=0.3, total_timeout_s=1.0)


def test_page__asks_with_the_key_for_as_much_as_there_is(
    api: PexelsApi, server: ScriptedServer
) -> None:
    """The key is a header, the page is as large as Pexels makes it, and words are quoted."""
    page = api.page("search", 2, {"query": "red cars & trucks"})

    [asked] = server.asked
    assert asked.path == "/v1/videos/search?query=red+cars+%26+trucks&page=2&per_page=80"
    assert asked.headers["authorization"] == KEY
    assert (page.total_results, [video.url for video in page.videos]) == (3, ["u"])


def test_page__on_the_older_path(api: PexelsApi, server: ScriptedServer) -> None:
    """A server without today's path is asked on the older one, from then on at once."""
    server.answers = [MISSING, PAGE]

    api.page("popular", 1, {})
    api.page("popular", 2, {})

    paths = [asked.path.partition("?")[0] for asked in server.asked]
    assert paths == ["/v1/videos/popular", "/videos/popular", "/videos/popular"]


def test_page__on_no_path__names_the_setting(api: PexelsApi, server: ScriptedServer) -> None:
    """A server that knows neither path is not Pexels."""
    server.answers = [MISSING]

    with pytest.raises(OperatorError, match=r"PEXELS_API_URL.*neither /v1/videos/popular") as error:
        api.page("popular", 1, {})

    assert error.value.code == "config:pexels"


def test_page__beyond_the_last__is_empty(api: PexelsApi, server: ScriptedServer) -> None:
    """A page that is not there is no fault of the settings."""
    server.answers = [PAGE, MISSING]
    api.page("popular", 1, {})

    assert api.page("popular", 9, {}).videos == []


@pytest.mark.parametrize("key", [None, SecretStr(""), SecretStr(" \n")])
def test_page__without_a_key__asks_nobody(server: ScriptedServer, key: SecretStr | None) -> None:
    """A missing key is named before anything is sent."""
    api = PexelsApi(server.url, key)

    with pytest.raises(OperatorError, match="PEXELS_API_KEY is not set") as caught:
        api.page("popular", 1, {})

    assert caught.value.code == "config:pexels"
    assert server.asked == []


@pytest.mark.parametrize("key", ["c4n4ry\r\nX-Other: 1", "c4n4ry\u20ac"])
def test_page__with_a_key_that_is_none__asks_nobody(server: ScriptedServer, key: str) -> None:
    """A key that cannot be sent is named by its setting, not shown, and adds no header."""
    api = PexelsApi(server.url, SecretStr(key))

    with pytest.raises(OperatorError, match="PEXELS_API_KEY has characters") as caught:
        api.page("popular", 1, {})

    assert "c4n4ry" not in as_logged(caught.value)
    assert server.asked == []


@pytest.mark.parametrize("status", [401, 403])
def test_page__refused_key__names_the_setting(
    api: PexelsApi, server: ScriptedServer, status: int
) -> None:
    """A refused key is for the operator to replace."""
    server.answers = [Answer(status, json.dumps({"error": KEY}).encode(), JSON)]

    with pytest.raises(
        OperatorError, match=f"refused the key \\({status}.*PEXELS_API_KEY"
    ) as error:
        api.page("popular", 1, {})

    assert error.value.code == "pexels:denied"
    assert KEY not in as_logged(error.value)


def as_logged(error: Exception) -> str:
    """Returns an error with its traceback and all that led to it."""
    return "".join(traceback.format_exception(error))


_DATE, _TIME = "(in a minute, as a date)", "(in a minute, as a number)"


def now_said(value: str) -> str:
    """Returns a header's value; the time is asked for when the test runs, not when collected."""
    minute = time.time() + 60
    return {_DATE: formatdate(minute, usegmt=True), _TIME: f"{minute:.0f}"}.get(value, value)


@pytest.mark.parametrize(
    ("headers", "low", "high"),
    [
        ({"Retry-After": "7"}, 7.0, 7.0),
        ({"Retry-After": _DATE}, 30.0, 61.0),
        ({"X-Ratelimit-Reset": _TIME}, 30.0, 61.0),
        ({"X-Ratelimit-Reset": "12"}, 12.0, 12.0),
        ({"X-Ratelimit-Reset": "1700000000"}, 0.0, 0.0),
        ({"Retry-After": "7", "X-Ratelimit-Reset": _TIME}, 7.0, 7.0),
        ({"Retry-After": "soon", "X-Ratelimit-Reset": "12"}, 12.0, 12.0),
    ],
)
def test_page__rate_limit__tells_how_long_to_wait(
    api: PexelsApi, server: ScriptedServer, headers: dict[str, str], low: float, high: float
) -> None:
    """429 is no failure: the request is sent again when Pexels wants it."""
    said = {name: now_said(value) for name, value in headers.items()}
    server.answers = [Answer(429, b"", said)]

    with pytest.raises(TransientError, match="429 \\(Too Many Requests\\)") as caught:
        api.page("popular", 1, {})

    assert caught.value.code == "pexels:http:429"
    assert caught.value.retry_after_s is not None
    assert low <= caught.value.retry_after_s <= high


@pytest.mark.parametrize("status", [429, 500, 503, 599])
def test_page__for_now(api: PexelsApi, server: ScriptedServer, status: int) -> None:
    """A server that is busy or broken may be asked again, whenever that suits us."""
    server.answers = [Answer(status)]

    with pytest.raises(TransientError) as caught:
        api.page("popular", 1, {})

    assert caught.value.code == f"pexels:http:{status}"
    assert caught.value.retry_after_s is None


def test_page__other_refusals__are_of_the_request(api: PexelsApi, server: ScriptedServer) -> None:
    """Whatever else is refused is said with the words that were asked for."""
    server.answers = [Answer(400)]

    with pytest.raises(RequestError, match=r"400 \(Bad Request\).*query=x") as caught:
        api.page("search", 1, {"query": "x"})

    assert caught.value.code == "pexels:http:400"


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_page__redirect__is_not_followed(
    api: PexelsApi, server: ScriptedServer, status: int
) -> None:
    """The key goes to the host of the setting and to no other."""
    with scripted_server() as other:
        other.answers = [PAGE]
        server.answers = [Answer(status, b"", {"Location": f"{other.url}/v1/videos/popular"})]

        with pytest.raises(OperatorError, match=r"redirects to .*PEXELS_API_URL") as caught:
            api.page("popular", 1, {})

        assert caught.value.code == "config:pexels"
        assert other.asked == []


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        (Answer(200, b"<html>hello</html>", {"Content-Type": "text/html"}), "text/html, 18 bytes"),
        (Answer(200, b"", JSON), "0 bytes"),
        (Answer(200, b'{"videos": [', JSON), "Invalid JSON"),
        (Answer(200, b"[]", JSON), "Input should be an object"),
        (Answer(200, b"{}", JSON), "videos: Field required"),
        (Answer(200, b'{"videos": null}', JSON), "videos: Input should be a valid array"),
        (Answer(200, b'{"videos": [{"video_files": [7]}]}', JSON), r"videos\.0\.video_files\.0"),
        (Answer(200, b'{"videos": []}', {"Content-Length": "99"}), "14 bytes, then .* was cut"),
        (Answer(200, b'{"videos": ["' + b"x" * 9_000_000, JSON), "bytes and no end"),
    ],
)
def test_page__unreadable__says_what_was_found(
    api: PexelsApi, server: ScriptedServer, answer: Answer, found: str
) -> None:
    """An answer that is no list of videos is described, not quoted, and may be better next time."""
    server.answers = [answer]

    with pytest.raises(TransientError, match=found) as caught:
        api.page("popular", 1, {})

    assert caught.value.code == "pexels:unreadable"
    assert "hello" not in as_logged(caught.value)


def test_page__stalls__is_tried_again() -> None:
    """A server that stops in the middle is not waited for."""
    with file_server() as stalling:
        stalling.put("/v1/videos/popular", ServedFile(b'{"videos": []}', stalls_after=5))
        api = PexelsApi(f"http://{stalling.host}", SecretStr(KEY), read_timeout_s=0.2)

        with pytest.raises(TransientError, match="5 bytes, then no byte came any more"):
            api.page("popular", 1, {})


def test_page__drips__is_not_waited_for(server: ScriptedServer) -> None:
    """An answer may not take longer than it is given in all."""
    api = PexelsApi(server.url, SecretStr(KEY), total_timeout_s=0.0)

    with pytest.raises(TransientError, match="bytes and no end"):
        api.page("popular", 1, {})


def test_page__no_answer__is_tried_again(api: PexelsApi, server: ScriptedServer) -> None:
    """A connection that is closed may be better next time."""
    server.answers = [Answer(0)]

    with pytest.raises(TransientError, match="does not answer") as caught:
        api.page("popular", 1, {})

    assert caught.value.code == "source:unreachable"


@pytest.mark.parametrize(
    "url", ["", "api.pexels.com", "ftp://host", "http://", "https://u:c4n4ry@host", "http://h:x"]
)
def test_api_url__malformed__is_named(url: str) -> None:
    """A mistyped root is named by its variable, without what may be secret in it."""
    with pytest.raises(OperatorError, match="PEXELS_API_URL") as caught:
        PexelsApi(url, SecretStr(KEY))

    assert "c4n4ry" not in caught.value.message


def test_api_url__of_no_host__is_named() -> None:
    """A host that does not exist is a matter of the setting."""
    api = PexelsApi("https://a..b", SecretStr(KEY))

    with pytest.raises(OperatorError, match=r"PEXELS_API_URL cannot be used.*no host 'a\.\.b'"):
        api.page("popular", 1, {})


def test_key__shows_nowhere(server: ScriptedServer) -> None:
    """Neither the object nor what it raises has the key in it."""
    server.answers = [Answer(500)]
    api = PexelsApi(server.url, SecretStr(KEY))

    with pytest.raises(TransientError) as caught:
        api.page("popular", 1, {})

    assert KEY not in repr(api) + repr(vars(api)) + repr(caught.value) + as_logged(caught.value)
