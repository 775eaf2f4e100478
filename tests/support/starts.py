"""The step `start_instance` over the stand-in of EC2 and SSM: to its end, and what it has sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from curation.adapters.compute.ssm import LEASE_COMMENT
from curation.steps import instance
from tests.support.steps import carry
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from curation.ledger.ledger import Ledger
    from curation.steps.instance import Machine
    from tests.support.clock import Clock
    from tests.support.cloud import Cloud


def start(run_id: str, machine: Machine, ledger: Ledger, clock: Clock) -> None:
    """Carries the step to its end."""
    carry(lambda: instance.start_instance(ledger.runs.get(run_id), machine, now=clock.now))


def operations(cloud: Cloud) -> list[str]:
    """Names of all calls that changed something, but for the renewals of the watchdog's lease."""
    changing = ("StartInstances", "StopInstances", "SendCommand")
    return [
        call["operation"]
        for call in cloud.calls()
        if call["operation"] in changing and call["parameters"].get("Comment") != LEASE_COMMENT
    ]


def launches(launched: Path) -> str:
    """What the worker's script has written; it is detached, so it may come to it only later."""
    return wait_until(lambda: launched.read_text() if launched.exists() else None)
