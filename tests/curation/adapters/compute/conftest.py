"""One stand-in for all tests that only read errors off it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.cloud import cloud_server

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.cloud import Cloud


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """A stand-in whose instance runs."""
    with cloud_server(tmp_path_factory.mktemp("cloud")) as cloud:
        cloud.boot()
        yield cloud


@pytest.fixture
def running(server: Cloud, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    """The same, with boto3's variables set; its script of faults is empty before and after."""
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    yield server
    server.clear_faults()
