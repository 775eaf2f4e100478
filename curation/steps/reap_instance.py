"""The reaper of instances: stops what nobody holds, as EC2 sees it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Literal

from curation.ledger.leases import Release
from curation.steps.finish import stop

if TYPE_CHECKING:
    from curation.ledger.leases import LeaseLedger
    from curation.ports import InstanceView
    from curation.steps.instance import Machine

log = logging.getLogger(__name__)

REAPER = "reaper"
# A tag with a time (seconds since the epoch) until which nobody may stop the instance: people
# install things over SSH.
KEEP_TAG = "curation:keep-until"


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
        `held` by a run, or for one that will soon ask for it; or `kept` by a person.
    """
    claims = leases.holders(view.instance_id) | leases.expected(view.instance_id)
    if any(until > now for until in claims.values()):
        return "held"
    is_new = now - view.launched_at < boot_grace_s and not leases.look(view.instance_id).in_use
    return "kept" if is_new or float(view.tags.get(KEEP_TAG, "0")) > now else ""
