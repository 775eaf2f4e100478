"""The SSM agent of an instance: when it is online, and when it last pinged."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sandbox.cloud.instance import Delays


class Agent:
    """Comes online some time after the boot, then pings every few seconds.

    As on AWS, SSM goes on saying `Online` for a while after the last ping: also when the instance
    has been stopped, or has been started again and its agent is not up yet.
    """

    def __init__(self, delays: Delays, *, last_ping: float | None) -> None:
        self._delays = delays
        self._online_at: float | None = None  # None: not in this boot, or dropped out
        self._last_ping = last_ping

    def boot(self) -> None:
        """The instance runs: the agent will come online."""
        self._online_at = time.time() + self._delays.agent_s

    def drop(self) -> None:
        """The agent is gone: the instance goes down, or its network does."""
        self._last_ping = self.last_ping
        self._online_at = None

    @property
    def is_up(self) -> bool:
        """Whether a command can be delivered now."""
        return self._online_at is not None and time.time() >= self._online_at

    @property
    def last_ping(self) -> float | None:
        """Seconds since the epoch of the last ping; None if it has never been online."""
        if self._online_at is None or not self.is_up:
            return self._last_ping
        since = time.time() - self._online_at
        return self._online_at + since // self._delays.ping_s * self._delays.ping_s

    @property
    def ping_status(self) -> str:
        """What SSM believes: `Online` until the last ping is too old."""
        ping = self.last_ping
        if ping is not None and time.time() - ping < max(self._delays.lost_s, self._delays.ping_s):
            return "Online"
        return "ConnectionLost"
