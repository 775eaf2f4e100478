from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

from curation.ledger import keys
from curation.ledger.locks import locked
from workers import reaper
from workers.base import wiring

if TYPE_CHECKING:
    from collections.abc import Iterator

    from redis import Redis

    from curation.wiring import Wiring


@pytest.fixture(autouse=True)
def _alone(here: Wiring, redis_client: Redis, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The reaper's own wiring leads to an empty ledger, without an instance."""
    assert here
    assert redis_client.dbsize() == 0
    monkeypatch.setenv("EC2_INSTANCE_ID", "")
    wiring.cache_clear()
    yield
    wiring.cache_clear()


def test_reap__two_at_once_are_one_round(
    here: Wiring, redis_client: Redis, caplog: pytest.LogCaptureFixture
) -> None:
    """A round that comes while another is going on (a second beat) does nothing."""
    with (
        locked(here.ledger.store, "reaper", hold_s=60),
        caplog.at_level(logging.INFO, "workers.reaper"),
    ):
        reaper.reap()

    assert "Nothing reaped: another round is going on" in caplog.text
    assert not redis_client.exists(keys.REAPER)


def test_reap__of_a_dead_round_is_soon_taken_over(here: Wiring, redis_client: Redis) -> None:
    """A reaper that died in its round blocks the one that is due an interval later no more."""
    now = here.ledger.store.now()
    redis_client.hset(keys.lock_key("reaper"), mapping={"owner": "dead", "until": repr(now)})

    reaper.reap()

    assert redis_client.exists(keys.REAPER)
    assert not redis_client.exists(keys.lock_key("reaper"))


def test_reap__without_redis_is_one_line(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """When the ledger is away there is one line that says so, and beat asks again."""
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1/0")
    wiring.cache_clear()

    with caplog.at_level(logging.INFO, "workers.reaper"):
        reaper.reap()

    (line,) = caplog.records
    assert line.getMessage().startswith("Nothing reaped: Redis at 127.0.0.1:1 does not answer")
    assert line.exc_info is None


def test_reap_orphans__lists_the_bucket_once_in_ten_rounds(
    here: Wiring, redis_client: Redis
) -> None:
    """Each listing is paid for, so not every round asks for one; the marks tell that it was."""
    uri = f"{here.settings.s3.input_bucket}20261122-093015-5f0c2d81ab/clip.mp4"
    here.storage.begin(uri, content_type="video/mp4")
    reaper.reap_orphans()
    first = redis_client.hgetall(keys.ORPHANS)
    redis_client.delete(keys.ORPHANS)
    reaper.reap_orphans()

    assert len(first) == 1
    assert redis_client.hgetall(keys.ORPHANS) == {}


def test_mark_s__after_a_pause_gives_live_runs_the_time_to_look(
    redis_client: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the clock was set forward all leases are over; live runs renew theirs before a stop."""
    monkeypatch.setenv("REAP_INTERVAL_S", "0.5")
    wiring.cache_clear()
    here = wiring()
    usual_s = reaper._mark_s(here)
    redis_client.hset(keys.REAPER, "resumed_at", here.ledger.store.now())

    assert usual_s < 0.5
    assert reaper._mark_s(here) == here.settings.run.lease_ttl_s / 2
