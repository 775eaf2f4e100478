"""The connection goes to the address that was checked, and the name is still proved."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import pytest
import requests

from curation.adapters.sources.answers import prepare
from curation.adapters.sources.guard import PinnedAdapter
from curation.adapters.sources.http import HttpFiles
from curation.errors import RequestError
from tests.support.certificates import server_context
from tests.support.clips import small_clip
from tests.support.file_server import FileServer, ServedFile, file_server

if TYPE_CHECKING:
    from pathlib import Path


def ask(url: str, *, verify: bool | str = True) -> bytes:
    """Returns the body at `url`, asked of 127.0.0.1 whatever the name says."""
    with (
        closing(PinnedAdapter("127.0.0.1")) as adapter,
        closing(adapter.send(prepare(url, {}), verify=verify)) as response,
    ):
        return response.content


def test_pinned__name_is_not_looked_up_again(server: FileServer) -> None:
    """A name that leads nowhere, or has come to lead elsewhere, makes no difference."""
    server.put("/clip.mp4", ServedFile(small_clip()))

    body = ask(f"http://name.invalid:{server.port}/clip.mp4")

    assert body == small_clip()
    assert server.requests[0][1]["host"] == f"name.invalid:{server.port}"


def test_pinned__certificate_must_be_of_the_name(tmp_path: Path) -> None:
    """TLS asks for the name and checks the certificate against it, not against the address."""
    context, trusted = server_context("name.invalid", tmp_path)
    names: list[str] = []
    context.sni_callback = lambda _socket, name, _context: names.append(name)
    with file_server(context) as server:
        server.put("/clip.mp4", ServedFile(small_clip()))

        body = ask(f"https://name.invalid:{server.port}/clip.mp4", verify=str(trusted))
        with pytest.raises(requests.exceptions.SSLError):
            ask(f"https://other.invalid:{server.port}/clip.mp4", verify=str(trusted))

    assert body == small_clip()
    assert names == ["name.invalid", "other.invalid"]


def test_look__untrusted_certificate__is_refused(tmp_path: Path) -> None:
    """A host that cannot prove its name is not asked for a video."""
    context, trusted = server_context("localhost", tmp_path)
    with file_server(context) as server:
        url = f"https://localhost:{server.port}/clip.mp4"
        server.put("/clip.mp4", ServedFile(small_clip()))
        strict = HttpFiles(max_bytes=3_000_000, allowed_hosts=["localhost"])
        trusting = HttpFiles(
            max_bytes=3_000_000, allowed_hosts=["localhost"], ca_bundle=str(trusted)
        )

        with pytest.raises(RequestError, match="certificate is not trusted") as caught:
            strict.look(url)

        assert caught.value.code == "source:tls"
        assert trusting.look(url).size_bytes == len(small_clip())
