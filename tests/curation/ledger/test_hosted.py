from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from curation.errors import TransientError
from curation.ledger.hosted import LOCK_HOLD_S, HostedLedger, HostedRun

if TYPE_CHECKING:
    from redis import Redis

    from curation.ledger.ledger import Ledger
    from tests.support.clock import Clock

RUN = "20270115-080000-0123456789"


@pytest.fixture
def hosted(ledger: Ledger) -> HostedLedger:
    """The part of the ledger that is about the hosted service."""
    return HostedLedger(ledger.store)


def test_note__what_is_known_stands(hosted: HostedLedger) -> None:
    """Of two deliveries that made a configuration, both go on with the first one."""
    assert hosted.get(RUN) == HostedRun()
    assert hosted.note(RUN, config_id="first").config_id == "first"
    assert hosted.note(RUN, config_id="second", dataset_id="d") == HostedRun("d", "first")
    assert hosted.get(RUN) == HostedRun("d", "first")


def test_note__does_not_outlive_a_lost_run(hosted: HostedLedger, redis_client: Redis) -> None:
    """What is noted is garbage one day, and then collected."""
    hosted.note(RUN, config_id="c")
    with hosted.lock("dataset:videos"):
        lives_s = [redis_client.ttl(key) for key in redis_client.scan_iter("curation:*")]

    assert len(lives_s) == 2
    assert all(0 < life_s <= 30 * 24 * 3600 for life_s in lives_s)


def test_doubt__counts_in_a_row(hosted: HostedLedger) -> None:
    """Doubts add up until one look is believed."""
    assert [hosted.doubt(RUN), hosted.doubt(RUN)] == [1, 2]
    assert hosted.get(RUN).n_doubts == 2
    hosted.trust(RUN)
    assert hosted.doubt(RUN) == 1


def test_lock__one_at_a_time(hosted: HostedLedger) -> None:
    """Whoever comes second is told to come again; another lock is no matter."""
    with hosted.lock("dataset:videos"):
        with pytest.raises(TransientError) as caught, hosted.lock("dataset:videos"):
            pass
        with hosted.lock("dataset:others"):
            pass

    assert caught.value.code == "lightly:busy"
    assert caught.value.retry_after_s == 1.0
    with hosted.lock("dataset:videos"):
        pass


def test_lock__is_given_back_after_an_error(hosted: HostedLedger) -> None:
    """A holder that fails lets go."""
    with pytest.raises(ValueError, match="failed"), hosted.lock("dataset:videos"):
        raise ValueError("failed")

    with hosted.lock("dataset:videos"):
        pass


def test_lock__of_a_dead_holder_ends(hosted: HostedLedger, clock: Clock) -> None:
    """A holder that died keeps others out for a time; should it live, it takes nothing back."""
    dead = hosted.lock("dataset:videos")
    dead.__enter__()
    clock.forward(LOCK_HOLD_S - 1)
    with pytest.raises(TransientError), hosted.lock("dataset:videos"):
        pass
    clock.forward(2)

    with hosted.lock("dataset:videos"):
        dead.__exit__(None, None, None)
        with pytest.raises(TransientError), hosted.lock("dataset:videos"):
            pass
