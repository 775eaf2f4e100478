"""Virtual time: one clock, a list of what happens when, and actors that take turns.

Every process of the modelled system is an actor: a thread of its own, of which one runs at a time.
Whoever sleeps, or waits for an answer, hands over to what is due before, so that deliveries really
interleave, and always in the same way.
"""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from typing import TYPE_CHECKING, SupportsFloat, SupportsIndex

if TYPE_CHECKING:
    from collections.abc import Callable

# Any moment will do; it is the same in every run, so that runs can be compared.
EPOCH = 1_800_000_000.0
# Real seconds after which an actor that does not hand over is taken for deadlocked.
_STUCK_S = 300.0
_real_sleep = time.sleep


class Killed(BaseException):
    """The process is dead. Not an Exception: nothing in a process outlives a SIGKILL."""


class Actor:
    """A modelled process.

    Attributes:
        name: Whose work it does: a run id, or what else tells it from others.
        is_dead: Whether it was killed; it must not do anything any more.
        is_over: Whether it has come to its end.
    """

    def __init__(self, clock: Clock, name: str, work: Callable[[], None]) -> None:
        self.name = name
        self.is_dead = False
        self.is_over = False
        self._clock = clock
        self._turn = threading.Semaphore(0)
        self._thread = threading.Thread(target=self._live, args=(work,), daemon=True)
        self._thread.start()

    def go_on(self) -> None:
        """Lets it run until it hands over again."""
        self._clock.active = self
        self._turn.release()
        if not self._clock.handed_over.acquire(timeout=_STUCK_S):
            raise RuntimeError(f"{self.name} does not hand over")
        self._clock.active = None
        if self._clock.failure:
            raise RuntimeError(f"{self.name} failed") from self._clock.failure

    def hand_over(self) -> None:
        """Waits until it is its turn again; called by itself."""
        self._clock.handed_over.release()
        self._turn.acquire()

    def is_me(self) -> bool:
        """Whether the caller is this actor."""
        return threading.current_thread() is self._thread

    def _live(self, work: Callable[[], None]) -> None:
        self._turn.acquire()
        try:
            work()
        except Killed:
            pass
        except BaseException as error:  # noqa: BLE001  # a fault of the harness, told to the main thread
            self._clock.failure = error
        finally:
            self.is_over = True
            self._clock.handed_over.release()


class Clock:
    """Virtual time, and everything that is due.

    Attributes:
        now: Seconds since the epoch.
        active: The actor whose turn it is.
        failure: What went wrong in the harness itself.
    """

    def __init__(self) -> None:
        self.now = EPOCH
        self.active: Actor | None = None
        self.failure: BaseException | None = None
        self.handed_over = threading.Semaphore(0)
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()

    def reset(self) -> None:
        """Forgets all that is due, and begins at the epoch again."""
        self.now = EPOCH
        self._due.clear()
        self._order = itertools.count()

    def at(self, moment: float, act: Callable[[], None]) -> None:
        """Has something done at a moment; what is due at the same one is done in this order."""
        heapq.heappush(self._due, (max(moment, self.now), next(self._order), act))

    def after(self, seconds: float, act: Callable[[], None]) -> None:
        """Has something done after some time."""
        self.at(self.now + seconds, act)

    def spawn(self, name: str, work: Callable[[], None]) -> None:
        """Starts an actor; it has its first turn at once."""
        Actor(self, name, work).go_on()

    def step(self) -> bool:
        """Does what is due next; False if nothing is."""
        if not self._due:
            return False
        moment, _, act = heapq.heappop(self._due)
        self.now = max(self.now, moment)
        act()
        return True

    def pause(self, seconds: float) -> None:
        """Lets time pass for the caller; whatever is due before is done meanwhile."""
        wake_at = self.now + max(seconds, 0.0)
        actor = self.active
        if actor and actor.is_me() and self._due and self._due[0][0] <= wake_at:
            self.at(wake_at, actor.go_on)
            actor.hand_over()
        else:
            self.now = wake_at
        self.check_alive()

    def check_alive(self) -> None:
        """Ends the calling process if it was killed, also while it cleans up."""
        if self.active and self.active.is_dead and self.active.is_me():
            raise Killed


CLOCK = Clock()


def install() -> None:
    """Makes Python's clock virtual in this process. To be called before anything else is imported.

    Modules that were imported before keep the real one: `threading` does, which is as it should be.
    """
    time.time = lambda: CLOCK.now
    time.monotonic = lambda: CLOCK.now
    time.sleep = _sleep


def _sleep(seconds: SupportsFloat | SupportsIndex) -> None:
    seconds = float(seconds)
    if CLOCK.active and CLOCK.active.is_me():
        CLOCK.pause(seconds)
    else:
        _real_sleep(min(seconds, 0.05))
