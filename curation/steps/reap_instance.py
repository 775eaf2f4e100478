"""The reaper of instances: stops what nobody holds, as EC2 sees it."""

from __future__ import annotations

import logging
import math
from typing import TYPE_CHECKING, Literal

from curation.errors import CurationError
from curation.ledger.leases import Release
from curation.steps.finish import stop
from curation.steps.watch import LEASE_TAG, RUN_TAG, renew_on_instance

if TYPE_CHECKING:
    from curation.ledger.leases import LeaseLedger
    from curation.ports import InstanceView
    from curation.steps.instance import Machine

log = logging.getLogger(__name__)

REAPER = "reaper"
# A tag with a time (seconds since the epoch) until which nobody may stop the instance: people
# install things over SSH.
KEEP_TAG = "curation:keep-until"
# What this pipeline may start and stop bears it, with the value `true`.
MANAGED_TAG = "curation:managed"


def reap_instance(machine: Machine, *, now: float, mark_s: float, boot_grace_s: float) -> str:
    """Stops an instance that runs although no run holds it.

    Two phases: what is unheld is marked, and stopped only if a later round finds it still so.

    Args:
        machine: The instance.
        now: Seconds since the epoch.
        mark_s: Seconds for which it must have been marked.
        boot_grace_s: Seconds after boot for which an instance that no run used is left alone.

    Returns:
        What was found or done: `off`, `held`, `kept`, `marked`, `stopping` or `stopped`.
    """
    view = machine.look()
    leases = machine.leases
    if not view.state.is_billed:
        leases.confirm_stopped(REAPER, machine.instance_id)
        return "off"
    hold = hold_on(view, leases, now=now, boot_grace_s=boot_grace_s)
    marked_for_s = leases.mark_unheld(machine.instance_id, unheld=not hold)
    if hold == "kept":
        # The watchdog leaves alone whom the reaper leaves alone.
        renew_on_instance(REAPER, machine, boot=view.launched_at)
    if hold:
        return hold
    if marked_for_s < mark_s:
        return "marked"
    released = leases.release(REAPER, machine.instance_id, unused_too=True)
    if released is not Release.STOP:
        return "held"
    log.warning(
        "Instance that nobody holds is being stopped", extra={"instance_id": view.instance_id}
    )
    return "stopped" if stop(machine, holder=REAPER, now=now) else "stopping"


def hold_on(
    view: InstanceView, leases: LeaseLedger, *, now: float, boot_grace_s: float
) -> Literal["held", "kept", ""]:
    """Returns why a running instance is to be left alone, or an empty string.

    Args:
        view: The instance.
        leases: Who holds it.
        now: Seconds since the epoch.
        boot_grace_s: Seconds after boot for which an instance that no run used is left alone.

    Returns:
        `held` by a run, or for one that will soon ask for it; or `kept` by a person. Of a boot that
        Redis knows nothing of, the instance's own tags tell.
    """
    claims = leases.holders(view.instance_id) | leases.expected(view.instance_id)
    if any(until > now for until in claims.values()):
        return "held"
    if (time_in(view, KEEP_TAG) or 0.0) > now:
        return "kept"
    if leases.look(view.instance_id).in_use:
        return ""
    tagged_until = _tagged_lease(view, leases)
    if tagged_until is not None:
        return "held" if tagged_until > now else ""
    return "kept" if now - view.launched_at < boot_grace_s else ""


def report_strangers(machine: Machine, *, now: float) -> list[str]:
    """Reports what runs with our tags although the ledger does not know it; nothing is done to it.

    Args:
        machine: The instance that the reaper looks after.
        now: Seconds since the epoch.

    Returns:
        `unknown` and a run id if a run that is not in the ledger may still need the instance;
        `foreign` and an instance id for each other instance that bears our tag and costs money.
    """
    try:
        views = machine.instances.billed(MANAGED_TAG)
    except CurationError as error:
        log.warning("Instances with our tag could not be listed: %s", error)
        return []
    found: list[str] = []
    for view in views:
        facts = {"instance_id": view.instance_id}
        if view.instance_id != machine.instance_id:
            log.info("Instance with our tag runs, and is not EC2_INSTANCE_ID", extra=facts)
            found.append(f"foreign {view.instance_id}")
        elif (_tagged_lease(view, machine.leases) or 0.0) > now:
            run_id = view.tags.get(RUN_TAG, "?")
            log.warning(
                "Instance is held by a run that the ledger does not know",
                extra=facts | {"run_id": run_id},
            )
            found.append(f"unknown {run_id}")
    return found


def time_in(view: InstanceView, tag: str) -> float | None:
    """Returns the seconds since the epoch that a tag names, or None: people write tags too."""
    text = view.tags.get(tag)
    try:
        seconds = float(text) if text else math.nan
    except ValueError:
        seconds = math.nan
    if text and not math.isfinite(seconds):
        log.warning("Tag %s is no time: %r", tag, text, extra={"instance_id": view.instance_id})
    return seconds if math.isfinite(seconds) else None


def _tagged_lease(view: InstanceView, leases: LeaseLedger) -> float | None:
    """Returns when the lease in the tag is over; None if the tag says nothing of this boot.

    A run that the ledger knows is the ledger's to answer for, and its tag may be an older boot's.
    """
    until = time_in(view, LEASE_TAG)
    if until is None or until < view.launched_at or leases.knows(view.tags.get(RUN_TAG, "")):
        return None
    return until
