from __future__ import annotations

from typing import TYPE_CHECKING

from curation.ledger.locks import is_due, locked

if TYPE_CHECKING:
    from curation.ledger.ledger import Ledger
    from tests.support.clock import Clock

HOUR_S = 3600.0


def test_locked__is_one_callers_at_a_time(ledger: Ledger) -> None:
    """Who comes while the lock is taken does not get it, and takes it from nobody."""
    with locked(ledger.store, "round", hold_s=60) as first:
        with locked(ledger.store, "round", hold_s=60) as second:
            assert (bool(first), second) == (True, "")
        with locked(ledger.store, "round", hold_s=60) as third:
            assert not third

    with locked(ledger.store, "round", hold_s=60) as later:
        assert later


def test_locked__a_dead_holder_blocks_nobody_for_long(ledger: Ledger, clock: Clock) -> None:
    """A lock is over after its hold; the old holder gives back no lock of the new one."""
    with locked(ledger.store, "round", hold_s=60):
        clock.forward(61)
        with locked(ledger.store, "round", hold_s=60) as heir:
            assert heir


def test_locked__after_the_clock_was_set_back(ledger: Ledger, clock: Clock) -> None:
    """A lock of the time before lives for one hold, not for as long as the clock jumped."""
    with locked(ledger.store, "round", hold_s=60):
        clock.forward(-HOUR_S)
        with locked(ledger.store, "round", hold_s=60) as at_once:
            assert not at_once
        clock.forward(61)
        with locked(ledger.store, "round", hold_s=60) as later:
            assert later


def test_is_due__once_in_a_while(ledger: Ledger, clock: Clock) -> None:
    """One caller hears that it is time; the next one hears so when the time is over."""
    asked = [is_due(ledger.store, "listing", every_s=600) for _ in range(2)]
    clock.forward(601)

    assert [*asked, is_due(ledger.store, "listing", every_s=600)] == [True, False, True]
