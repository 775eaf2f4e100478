from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from curation.errors import OperatorError
from curation.ledger.store import LedgerUnavailable, Store
from tests.support.proxy import Moment, Proxy
from tests.support.servers import valkey_server

if TYPE_CHECKING:
    from pathlib import Path

    from redis import Redis

_KEYS = ("run", "key", "runs", "active", "")
_ARGS: tuple[str | float, ...] = ("run-1", 1.0, 2.0, "k", "")
NEW_RUN = ("create_run", _KEYS, _ARGS)


def waits(store: Store) -> dict[str, str]:
    """What the server has counted of WAITAOF."""
    found = store._redis.info("commandstats")
    return {name: str(value) for name, value in found.get("cmdstat_waitaof", {}).items()}


def test_script_to_disk__waits_where_there_is_a_journal(tmp_path: Path) -> None:
    """What is answered is on the disk: the connection that wrote has waited for the sync."""
    with valkey_server("--dir", str(tmp_path), "--appendonly", "yes") as url:
        store = Store.connect(url)
        first = store.script_to_disk(*NEW_RUN)
        persistence = store._redis.info("persistence")

        assert first == "run-1"
        assert (waits(store)["calls"], waits(store)["failed_calls"]) == ("1", "0")
        assert persistence["aof_last_write_status"] == "ok"


def test_script_to_disk__a_disk_that_hangs_is_one_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A disk that takes nothing holds nobody up for longer than enqueue may take.

    Nothing is ever synced here, so the wait is as long as it may be: also for who only finds the
    run by its key, because the run that is answered may not be on the disk yet.
    """
    options = ("--dir", str(tmp_path), "--appendonly", "yes", "--appendfsync", "no")
    with valkey_server(*options) as url, caplog.at_level(logging.WARNING):
        Store.connect(url).script(*NEW_RUN)
        began = time.monotonic()
        found = Store.connect(url).script_to_disk(*NEW_RUN)

    assert found == "run-1"
    assert 1.9 < time.monotonic() - began < 20
    assert "Redis has not written to its disk within 2 s" in caplog.text


def test_script_to_disk__without_a_journal(redis_client: Redis, valkey: str) -> None:
    """A server that keeps nothing on disk answers at once."""
    redis_client.config_resetstat()

    assert Store.connect(valkey).script_to_disk(*NEW_RUN) == "run-1"
    assert waits(Store.connect(valkey))["failed_calls"] == "1"


def test_script_to_disk__on_a_server_that_does_not_know_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A Redis before 7.2 does not know WAITAOF; that is no error and no warning."""
    with valkey_server("--rename-command", "WAITAOF", "") as url, caplog.at_level(logging.INFO):
        assert Store.connect(url).script_to_disk(*NEW_RUN) == "run-1"

    assert caplog.records == []


def test_script_to_disk__a_refused_write_is_an_error(redis_client: Redis, valkey: str) -> None:
    """A write that the server refused is not taken for one that needs no disk."""
    redis_client.set("run", "no hash")

    with pytest.raises(OperatorError, match="refused a command"):
        Store.connect(valkey).script_to_disk(*NEW_RUN)


def test_script__of_a_server_that_restarts_in_between_may_be_tried_again(
    valkey: str, redis_client: Redis
) -> None:
    """A server that dies after it has got the script does not know it when it is called."""
    port = urlsplit(valkey).port
    assert port
    redis_client.script_flush()
    with Proxy(lambda: port) as proxy:
        store = Store.connect(f"redis://127.0.0.1:{proxy.port}/0")
        proxy.strike(rb"SCRIPT\r\n", Moment.AFTER, lambda _: redis_client.script_flush())

        with pytest.raises(LedgerUnavailable):
            store.script(*NEW_RUN)

        assert store.script(*NEW_RUN) == "run-1"
