from __future__ import annotations

import json
import logging
import pickle
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from curation.errors import CurationError
from tests.support.hosted import EXTERNAL_ID, frames
from tests.support.lightly import TOKEN

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from redis import Redis

    from tests.support.hosted import Hosted

FORMS = (TOKEN, quote(TOKEN), quote(TOKEN, safe=""))
LOUD = ("urllib3", "lightly.openapi_generated.swagger_client")
FAULTS = [
    {"code": "401", "message": f"{TOKEN} is no token"},
    {"code": "429", "seconds": 1.0},
    {"code": "500", "message": f"at /v1/x?token={TOKEN}"},
    {"code": "404"},
    {"kind": "cut-before"},
    {"kind": "cut-after"},
    {"kind": "truncated"},
    {"kind": "garbage"},
    {"kind": "extra-field"},
]


def assert_clean(text: str) -> None:
    """Fails if the token is in the text, in any form."""
    assert [form for form in FORMS if form in text] == []


def everything_of(error: BaseException | None) -> Iterator[str]:
    """Yields all texts of an error, its causes and what it came up within."""
    while error:
        yield repr(error) + str(error) + repr(error.args) + repr(vars(error))
        error = error.__cause__ or error.__context__


@pytest.fixture
def debug(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """Every log record of every library."""
    caplog.set_level(logging.DEBUG)
    for name in (*LOUD, "urllib3.connectionpool", "urllib3.util.retry"):
        caplog.set_level(logging.DEBUG, logger=name)
    return caplog


@pytest.mark.parametrize("fault", FAULTS)
def test_token__in_no_trouble(
    hosted: Hosted,
    redis_client: Redis,
    debug: pytest.LogCaptureFixture,
    fault: dict[str, str | float],
) -> None:
    """Whatever goes wrong, and with which call: no error, log line, answer or record has it."""
    backend, old, new = hosted.backend(), hosted.new_run(), hosted.new_run()
    backend.schedule(old)
    hosted.lightly.complete(hosted.take(old), frames(old, 1))
    hosted.lightly.faults({"operation": "*", "times": None} | fault)
    texts = []

    for act, run in ((backend.schedule, new), (backend.look, old), (backend.cancel, old)):
        try:
            texts.append(repr(act(run)))
        except CurationError as error:
            texts += everything_of(error)

    # The connection itself is asked to log, so that this can fail.
    assert "urllib3" in {record.name.partition(".")[0] for record in debug.records}
    for text in (*texts, debug.text, dump(redis_client)):
        assert_clean(text)


def test_token__in_no_run_that_goes_well(
    hosted: Hosted, redis_client: Redis, debug: pytest.LogCaptureFixture
) -> None:
    """Nor is it in what is kept of a run, nor is a signed link, even if Lightly says them."""
    run = hosted.new_run()
    backend = hosted.backend()
    backend.schedule(run)
    made = hosted.take(run)
    hosted.lightly.add_report(made, "REPORT_PDF", b"%PDF-1.7")
    hosted.lightly.complete(made, frames(run, 1))

    texts = [repr(backend.look(run)), debug.text, dump(redis_client), repr(vars(backend))]
    hosted.lightly.enter(made, "FAILED", f"Could not get /v1/x?token={TOKEN}&y=1")
    texts.append(repr(backend.look(run)))

    for text in texts:
        assert_clean(text)
        assert EXTERNAL_ID not in text
        assert signature(hosted.lightly.data) not in text


def test_connection__is_never_pickled(hosted: Hosted) -> None:
    """The client would take its token along."""
    backend = hosted.backend()
    backend.schedule(hosted.new_run())

    with pytest.raises(TypeError, match="token"):
        pickle.dumps(backend._api._connection)


def test_connection__leaves_no_handlers(hosted: Hosted) -> None:
    """The client's own log handlers, which print past our redaction, are gone at once."""
    before = {name: list(logging.getLogger(name).handlers) for name in LOUD}
    filters = []

    for _ in range(3):
        hosted.backend().schedule(hosted.new_run())
        filters.append(len(logging.getLogger("urllib3.connectionpool").filters))

    assert {name: logging.getLogger(name).handlers for name in LOUD} == before
    assert len(set(filters)) == 1


def test_connection__asks_no_proxy_for_this_machine(
    hosted: Hosted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client knows no NO_PROXY, so a local endpoint gets none, or it would have the token."""
    for name in ("ALL_PROXY", "HTTPS_PROXY", "HTTP_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")

    hosted.backend().schedule(hosted.new_run())

    assert len(hosted.lightly.calls("get_minimum_compatible_pip_version")) == 1


def test_connection__uses_a_proxy_elsewhere(
    hosted: Hosted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that is elsewhere is asked through the proxy, unless NO_PROXY names it."""
    monkeypatch.setenv("LIGHTLY_SERVER_LOCATION", "http://lightly.invalid")
    monkeypatch.setenv("HTTP_PROXY", hosted.lightly.url)
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    settings = {"server": "http://lightly.invalid"}

    # The proxy is the stand-in itself, which does not answer to that host name.
    assert refusal(hosted, **settings) == "lightly:not-found"
    monkeypatch.setenv("NO_PROXY", "lightly.invalid")
    assert refusal(hosted, **settings) == "lightly:unreachable"


def test_connection__follows_no_redirect(hosted: Hosted, monkeypatch: pytest.MonkeyPatch) -> None:
    """A redirect would carry the token to another server."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Redirecting) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        monkeypatch.setenv("LIGHTLY_SERVER_LOCATION", url)
        _Redirecting.target = hosted.lightly.url

        code = refusal(hosted, server=url)
        server.shutdown()

    assert code == "lightly:refused"
    assert [call for call in hosted.lightly.calls() if "pip" not in call["operation"]] == []


def test_import__costs_only_who_needs_it() -> None:
    """No process loads the client before it talks to Lightly; one that does, loads no torch."""
    program = (
        "import sys\n"
        "import curation.wiring, curation.adapters.selection.lightly, pipeline, workers.selection\n"
        "assert 'lightly' not in sys.modules\n"
        "import curation.adapters.selection.lightly_client\n"
        "assert 'lightly' in sys.modules\n"
        "assert not {'torch', 'torchvision', 'pytorch_lightning'} & set(sys.modules)\n"
        "import threading\n"
        "assert threading.active_count() == 1, 'it calls home'\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )

    assert done.stderr == ""
    assert done.returncode == 0


class _Redirecting(BaseHTTPRequestHandler):
    target = ""

    def do_GET(self) -> None:
        self.send_response(302)
        self.send_header("Location", f"{self.target}{self.path}")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Keeps quiet."""


def refusal(hosted: Hosted, *, server: str) -> str:
    """Returns the code of the error that scheduling ends with."""
    with pytest.raises(CurationError) as caught:
        hosted.backend(server=server).schedule(hosted.new_run())
    return caught.value.code


def dump(redis: Redis) -> str:
    """Returns all keys and values of a Redis."""
    content: list[object] = []
    for key in redis.scan_iter():
        kind = redis.type(key)
        content += [key, redis.get(key) if kind == "string" else None]
        content += [redis.hgetall(key) if kind == "hash" else None]
        content += [redis.zrange(key, 0, -1) if kind == "zset" else None]
    return repr(content)


def signature(data: Path) -> str:
    """Returns the signature of the stand-in's links."""
    calls = map(json.loads, (data / "calls.jsonl").read_text().splitlines())
    uploads = (call for call in calls if call["operation"] == "upload_artifact")
    return str(next(uploads)["parameters"]["X-Amz-Signature"][0])
