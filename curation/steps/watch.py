"""Writes the end of the lease to where it is read without Redis: a tag, and the watchdog's file.

When Redis has forgotten everything, the tag tells the reaper whether somebody may still need the
instance. When nobody is left, the watchdog on the instance sees that its lease is over. Neither is
needed while all is well, so a failure is one warning and never the run's.
"""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING

from curation.errors import CurationError

if TYPE_CHECKING:
    from collections.abc import Callable

    from curation.steps.instance import Machine

log = logging.getLogger(__name__)

# Seconds since the epoch, whole, at which the lease is over that was seen last.
LEASE_TAG = "curation:lease-until"
# The run that held it then.
RUN_TAG = "curation:run-id"
# The watchdog looks once a minute. A shorter lease in its file would save nothing, and a renewal
# that comes a moment late would cost a live run its instance.
LEAST_S = 10.0


def tag_lease(holder: str, machine: Machine, *, at_once: bool = False) -> None:
    """Writes the end of the lease into a tag of the instance, if it is time for that.

    Args:
        holder: The run that holds it.
        machine: The instance.
        at_once: Whether it is always time, because the instance is about to be started.
    """
    leases, instance_id = machine.leases, machine.instance_id
    claim = leases.claim_renewal(instance_id, "tag", at_once=at_once)
    if claim != "no":
        tags = {LEASE_TAG: str(leases.end_of_lease()), RUN_TAG: holder}
        write = partial(machine.instances.tag, instance_id, tags)
        _try(write, "tag", holder, machine, is_news=claim == "send")


def renew_on_instance(holder: str, machine: Machine, *, boot: float) -> None:
    """Sends the end of the lease to the watchdog on the instance, if it is time for that.

    Args:
        holder: The run that holds it, or the reaper.
        machine: The instance; its SSM agent should be online.
        boot: Start of this boot; another one has not heard of any lease.
    """
    leases, instance_id = machine.leases, machine.instance_id
    claim = leases.claim_renewal(instance_id, "shell", boot=boot)
    if claim != "no":
        until = leases.end_of_lease(least_s=LEAST_S)
        write = partial(machine.shell.renew_lease, instance_id, until=until)
        _try(write, "shell", holder, machine, is_news=claim == "send")


def keep_watch(holder: str, machine: Machine) -> None:
    """Does both for a step that takes long and does not look at the instance by itself.

    Args:
        holder: The run that holds it.
        machine: The instance; until a worker is launched there, the step that does so renews.
    """
    boot = machine.leases.look(machine.instance_id).boot
    if boot is not None:
        tag_lease(holder, machine)
        renew_on_instance(holder, machine, boot=boot)


def _try(
    write: Callable[[], None], place: str, holder: str, machine: Machine, *, is_news: bool
) -> None:
    try:
        write()
    except CurationError as error:
        machine.leases.fail_renewal(machine.instance_id, place)
        # Said once; that it goes on failing at each look is no news.
        log.log(
            logging.WARNING if is_news else logging.DEBUG,
            "The end of the lease could not be written to its %s: %s",
            place,
            error,
            extra={"run_id": holder, "instance_id": machine.instance_id},
        )
