"""A host of video files, and a reader that may ask it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from curation.adapters.sources.http import HttpFiles
from tests.support.file_server import FileServer, file_server

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def server() -> Iterator[FileServer]:
    """A host on 127.0.0.1."""
    with file_server() as running:
        yield running


@pytest.fixture
def files(server: FileServer) -> HttpFiles:
    """A reader for which the host is exempted from https and public addresses."""
    return HttpFiles(
        max_bytes=3_000_000,
        allowed_hosts=[server.host],
        connect_timeout_s=1.0,
        read_timeout_s=0.3,
        total_timeout_s=5.0,
    )
