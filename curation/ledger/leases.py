"""Leases on the instance: counted, ending by themselves, and the last one out stops it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Literal

from curation.ledger import keys

if TYPE_CHECKING:
    from curation.ledger.store import Store
    from curation.states import InstanceState

# How long a stop keeps out new leases without renewal; above botocore's worst case for one call
# (3 tries of 5 s connect and 30 s read), so that nobody gets a lease while StopInstances hangs.
STOP_HOLD_S = 120.0
# After a start, DescribeInstances may go on saying `stopped` (jenkinsci/ec2-plugin#398); within
# this time that is taken for lag, and StartInstances is not sent again.
START_LAG_S = 60.0
# How long the sending of a launch command keeps others from sending it; the same reason.
LAUNCH_HOLD_S = 120.0
# The end of the lease is written to where it is seen without Redis this often in its life.
_RENEWALS_PER_LEASE = 3


class Lease(StrEnum):
    """Answer to asking for, or prolonging, a lease."""

    HELD = "held"
    ENDED = "ended"  # the run has its outcome: no lease is granted from there on
    STOPPING = "stopping"  # the instance is being stopped; ask again when it has
    LOST = "lost"  # the lease was over and has been taken away


class Release(StrEnum):
    """What is left to do after giving a lease back."""

    SHARED = "shared"  # others hold the instance, or somebody else is stopping it
    UNUSED = "unused"  # no run has used it since it was last stopped
    STOP = "stop"  # the caller was the last one out and must stop it


@dataclass(frozen=True)
class InstanceNote:
    """What the ledger knows of an instance.

    Attributes:
        state: EC2's state as last seen.
        started_at: When a run last sent StartInstances in this boot.
        stop_sent_at: When StopInstances was accepted, if it was.
        in_use: Whether a run has used it since it was last stopped.
        boot: Start of the boot in which a worker was launched.
        launched_at: When the launch command of this boot was sent.
        command_id: The launch command of this boot.
        unheld_s: Billed seconds in which no run held a lease.
    """

    state: str | None
    started_at: float | None
    stop_sent_at: float | None
    in_use: bool
    boot: float | None
    launched_at: float | None
    command_id: str | None
    unheld_s: float


class LeaseLedger:
    """Who holds which instance, and what it costs whom.

    Args:
        store: The Redis connection.
        ttl_s: Seconds that a lease lives without renewal.
    """

    def __init__(self, store: Store, *, ttl_s: float) -> None:
        self._store = store
        self._ttl_s = ttl_s

    def end_of_lease(self, *, least_s: float = 0.0) -> int:
        """Returns when a lease that is prolonged now, and lives `least_s` or more, is over.

        In whole seconds since the epoch, never too early.
        """
        return math.ceil(self._store.now() + max(self._ttl_s, least_s))

    def acquire(self, run_id: str, instance_id: str) -> Lease:
        """Gives the run a lease, or prolongs the one it has."""
        answer: str = self._store.script(
            "acquire_lease",
            [
                keys.run_key(run_id),
                keys.instance_key(instance_id),
                keys.leases_key(instance_id),
                keys.expected_key(instance_id),
                keys.BILLED,
            ],
            [self._store.now(), run_id, instance_id, self._ttl_s, keys.run_key("")],
        )
        return Lease(answer)

    def renew(self, run_id: str, instance_id: str) -> Lease:
        """Prolongs the run's lease; never gives a new one."""
        answer: str = self._store.script(
            "renew_lease",
            [
                keys.run_key(run_id),
                keys.instance_key(instance_id),
                keys.leases_key(instance_id),
            ],
            [self._store.now(), run_id, self._ttl_s],
        )
        return Lease(answer)

    def release(self, holder: str, instance_id: str, *, unused_too: bool = False) -> Release:
        """Gives the holder's lease back.

        While the answer `STOP` stands nobody gets a lease; it is renewed by calling again.

        Args:
            holder: A run id, or the name of whoever else wants the instance stopped.
            instance_id: The instance.
            unused_too: Whether to stop even an instance that no run has used.
        """
        answer: str = self._store.script(
            "release_lease",
            [
                keys.instance_key(instance_id),
                keys.leases_key(instance_id),
                keys.expected_key(instance_id),
                keys.BILLED,
            ],
            [self._store.now(), holder, STOP_HOLD_S, keys.run_key(""), int(unused_too)],
        )
        return Release(answer)

    def confirm_stopped(self, holder: str, instance_id: str) -> bool:
        """Ends the stop that `holder` was given; False if somebody else has it now."""
        confirmed: int = self._store.script(
            "confirm_stopped",
            [keys.instance_key(instance_id), keys.leases_key(instance_id)],
            [self._store.now(), holder],
        )
        return bool(confirmed)

    def forsake_stop(self, holder: str, instance_id: str) -> None:
        """Gives up a stop that EC2 refused, and the lease with it; the reaper goes on."""
        self._store.script(
            "forsake_stop",
            [keys.instance_key(instance_id), keys.leases_key(instance_id), keys.BILLED],
            [self._store.now(), holder, keys.run_key("")],
        )

    def observe(self, instance_id: str, state: InstanceState) -> None:
        """Notes what EC2 answered, and shares the billed seconds among the holders."""
        self._store.script(
            "observe_instance",
            [
                keys.instance_key(instance_id),
                keys.leases_key(instance_id),
                keys.expected_key(instance_id),
                keys.BILLED,
            ],
            [
                *(self._store.now(), state, int(state.is_billed), keys.run_key("")),
                *(self._ttl_s, STOP_HOLD_S, LAUNCH_HOLD_S),
            ],
        )

    def claim_start(self, run_id: str, instance_id: str) -> bool:
        """Asks to send StartInstances; False if that was done a moment ago.

        The run whose delivery died in the call may send it again at once: twice is once for EC2.
        """
        claimed: int = self._store.script(
            "claim_start",
            [keys.instance_key(instance_id)],
            [self._store.now(), START_LAG_S, run_id],
        )
        return bool(claimed)

    def record_start(self, instance_id: str) -> None:
        """Notes that EC2 has answered StartInstances."""
        self._store.drop_fields(keys.instance_key(instance_id), "starting_by")

    def claim_launch(self, run_id: str, instance_id: str, boot: float) -> tuple[str, str]:
        """Asks to send the launch command of this boot.

        To the run whose delivery died in the call the answer is `unsure` at once.

        Returns:
            `("send", "")` if the caller must send it, `("sent", command_id)` if it was sent,
            `("busy", "")` if somebody is sending it right now, `("unsure", "")` if somebody has
            sent it in this boot, or has not: the caller must find out, and send it if need be.
        """
        answer: list[str] = self._store.script(
            "claim_launch",
            [keys.instance_key(instance_id)],
            [self._store.now(), repr(boot), LAUNCH_HOLD_S, run_id],
        )
        return answer[0], answer[1] if len(answer) > 1 else ""

    def record_launch(self, instance_id: str, command_id: str) -> None:
        """Notes the command that launched the worker in this boot."""
        self._store.set_fields(
            keys.instance_key(instance_id),
            {"command_id": command_id, "launched_at": repr(self._store.now())},
        )

    def forget_start(self, instance_id: str) -> None:
        """Lets StartInstances be sent again, because EC2 has refused it."""
        self._store.drop_fields(keys.instance_key(instance_id), "started_at", "starting_by")

    def doubt_launch(self, instance_id: str) -> None:
        """Lets the next caller find out whether the launch was sent, because its answer is lost."""
        self._store.drop_fields(keys.instance_key(instance_id), "launching_until")

    def forget_launch(self, instance_id: str) -> None:
        """Lets the launch be sent again in this boot, because the last one has failed."""
        self._store.drop_fields(keys.instance_key(instance_id), "boot", "command_id")

    def record_stop(self, instance_id: str) -> None:
        """Notes that EC2 has accepted StopInstances."""
        fields = {"stop_sent_at": repr(self._store.now())}
        self._store.set_fields(keys.instance_key(instance_id), fields)

    def claim_renewal(
        self, instance_id: str, place: str, *, boot: float = 0.0, at_once: bool = False
    ) -> Literal["no", "send", "again"]:
        """Asks to write the end of the lease to a place that can be read without Redis.

        Args:
            instance_id: The instance.
            place: `tag` or `shell`.
            boot: Start of the boot, where another boot knows nothing of it.
            at_once: Whether it must be written, however short a time ago that was done.

        Returns:
            `no` if that was done a moment ago, `send` if the caller must do it, `again` if the
            last caller has failed.
        """
        interval_s = 0.0 if at_once else self._ttl_s / _RENEWALS_PER_LEASE
        answer: Literal["no", "send", "again"] = self._store.script(
            "claim_renewal",
            [keys.instance_key(instance_id)],
            [self._store.now(), place, repr(boot), interval_s],
        )
        return answer

    def fail_renewal(self, instance_id: str, place: str) -> None:
        """Lets the next caller write the end of the lease, because this one has failed."""
        self._store.set_fields(keys.instance_key(instance_id), {f"{place}_renewed": "failed"})

    def knows(self, run_id: str) -> bool:
        """Whether the ledger has the run, ended or not."""
        return bool(self._store.hash_of(keys.run_key(run_id)))

    def mark_unheld(self, instance_id: str, *, unheld: bool) -> float:
        """Notes since when nobody holds the running instance (or that somebody does).

        Returns:
            Seconds for which it has been marked, 0 when it was not or is no more.
        """
        if not unheld:
            self._store.drop_fields(keys.instance_key(instance_id), "marked_at")
            return 0.0
        now = self._store.now()
        since = self._store.hash_of(keys.instance_key(instance_id)).get("marked_at")
        if since is None:
            self._store.set_fields(keys.instance_key(instance_id), {"marked_at": repr(now)})
        return now - float(since or now)

    def look(self, instance_id: str) -> InstanceNote:
        """Returns what the ledger knows of the instance."""
        fields = self._store.hash_of(keys.instance_key(instance_id))
        return InstanceNote(
            state=fields.get("state"),
            started_at=_number(fields.get("started_at")),
            stop_sent_at=_number(fields.get("stop_sent_at")),
            in_use="in_use" in fields,
            boot=_number(fields.get("boot")),
            launched_at=_number(fields.get("launched_at")),
            command_id=fields.get("command_id"),
            unheld_s=float(fields.get("unheld_seconds", "0")),
        )

    def holders(self, instance_id: str) -> dict[str, float]:
        """Returns each run that has a lease, with the time when it is over."""
        return self._store.scores_of(keys.leases_key(instance_id))

    def expected(self, instance_id: str) -> dict[str, float]:
        """Returns each run that will soon ask for the instance, with when that is over."""
        return self._store.scores_of(keys.expected_key(instance_id))


def _number(text: str | None) -> float | None:
    return float(text) if text else None
