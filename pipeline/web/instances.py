"""Who holds which instance, as the ledger knows it; EC2 is not asked for a page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from curation.ledger.holders import Sighting, lease_terms, sighting
from pipeline import client

if TYPE_CHECKING:
    from curation.ledger.holders import LeaseTerm
    from curation.ledger.leases import InstanceNote
    from curation.models import Run


@dataclass(frozen=True)
class HeldInstance:
    """An instance with those who hold it.

    Attributes:
        instance_id: EC2's id.
        note: What the ledger knows of it.
        sighting: When that was, and what its watchdog has been told.
        leases: Its leases, the one that ends first in front.
        expected: Runs that will soon ask for it.
    """

    instance_id: str
    note: InstanceNote
    sighting: Sighting
    leases: list[LeaseTerm]
    expected: list[str]


def instances(active: list[Run]) -> list[HeldInstance]:
    """Returns the configured instance, and those that a run still uses.

    Args:
        active: All runs that have not ended; a run keeps its instance when the setting changes.
    """
    ids = {run.instance.instance_id for run in active if run.instance}
    configured = client.settings().ec2.ec2_instance_id
    return [_look(instance_id) for instance_id in sorted(ids | {configured or ""} - {""})]


def _look(instance_id: str) -> HeldInstance:
    ledger = client.ledger()
    return HeldInstance(
        instance_id=instance_id,
        note=ledger.leases.look(instance_id),
        sighting=sighting(ledger.store, instance_id),
        leases=lease_terms(ledger.store, instance_id),
        expected=list(ledger.leases.expected(instance_id)),
    )
