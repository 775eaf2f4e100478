"""The modelled AWS account: its instances, its two services, and the hand from outside."""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING, Any

from sandbox.cloud import power_off, processes
from sandbox.cloud.ec2 import Ec2
from sandbox.cloud.faults import Faults
from sandbox.cloud.instance import Instance
from sandbox.cloud.services import Services
from sandbox.cloud.ssm import Ssm
from sandbox.cloud.store import Call, Store

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from sandbox.cloud.instance import Delays

# What a person at the console does, and what the instance itself does.
_HANDS: dict[str, Callable[[Instance], None]] = {
    "start": Instance.start,
    "stop": Instance.stop,
    "power-off": lambda instance: instance.stop(cause="Client.InstanceInitiatedShutdown"),
    "agent-off": lambda instance: instance.agent.drop(),
    "agent-on": lambda instance: instance.agent.boot(),
}


class Account:
    """Everything that the stand-in models, without the wire."""

    def __init__(
        self,
        data: Path,
        instance_ids: Sequence[str],
        delays: Delays,
        address: str,
        boot_script: Path | None = None,
    ) -> None:
        self._store = Store(data)
        self._markers = {"SANDBOX_CLOUD": str(data)}
        self._delays = delays
        environment = _environment(data, address)
        services = Services(boot_script, environment, run=data / "run", log=data / "boot.log")
        self._instances = self._load(instance_ids, services)
        self.ec2 = Ec2(self._instances)
        self.ssm = Ssm(self._instances, delays=delays, folder=data, environment=environment)
        self.faults = Faults([*self.ec2.operations, *self.ssm.operations])

    @property
    def calls(self) -> list[Call]:
        """The call log, oldest first."""
        return self._store.calls

    def log(self, call: Call) -> None:
        """Appends to the call log."""
        self._store.log(call)

    async def open(self) -> None:
        """Ends what an earlier stand-in on the same data folder left running."""
        await processes.end(self._markers, grace_s=self._delays.grace_s)
        self._save()

    async def close(self) -> None:
        """Ends everything that runs on the instances, and their bills."""
        for instance in self._instances.values():
            instance.close()
        await processes.end(self._markers, grace_s=self._delays.grace_s)
        self._save()

    def hand(self, name: str, instance_id: str | None) -> None:
        """Does what a person at the console, or the instance itself, would do.

        Raises:
            KeyError: If there is no such hand or no such instance.
            AwsError: If the instance's state forbids it.
        """
        act = _HANDS[name]
        instance = self._instances[instance_id or next(iter(self._instances))]
        act(instance)
        self.log(
            Call(
                time=time.time(),
                service="sandbox",
                operation=name,
                parameters={"InstanceId": instance.instance_id},
                code="ok",
                acted=True,
            )
        )

    def truth(self) -> dict[str, Any]:
        """Returns state and agent of each instance, as they are now, whatever describe says."""
        return {
            instance.instance_id: {
                "state": instance.now.state,
                "launched_at": instance.now.launched_at,
                "agent_is_up": instance.agent.is_up,
                "tags": instance.tags,
                "run_folder": str(instance.run_folder),
            }
            for instance in self._instances.values()
        }

    def billing(self) -> dict[str, Any]:
        """Returns what each instance costs: boots, seconds, and seconds with AWS's minimum."""
        return {
            instance.instance_id: {
                "boots": len(instance.boots),
                "seconds": sum(boot.seconds for boot in instance.boots),
                "billed_seconds": sum(boot.billed_seconds for boot in instance.boots),
                "spans": [[boot.started_at, boot.ended_at] for boot in instance.boots],
            }
            for instance in self._instances.values()
        }

    def _load(self, instance_ids: Sequence[str], services: Services) -> dict[str, Instance]:
        saved, alive_at = self._store.load()
        instances = {}
        for instance_id in instance_ids:
            instance = instances[instance_id] = Instance(
                instance_id,
                self._delays,
                markers=self._markers,
                saved=saved.get(instance_id),
                changed=self._save,
                services=services,
            )
            instance.close(alive_at)
        return instances

    def _save(self) -> None:
        self._store.save({name: item.to_saved() for name, item in self._instances.items()})


def _environment(data: Path, address: str) -> dict[str, str]:
    """Returns what every command finds: the stand-in's own environment and its `shutdown`."""
    for folder in ("bin", "tmp"):
        (data / folder).mkdir(exist_ok=True)
    shutdown = data / "bin" / "shutdown"
    shutdown.write_text(f'#!/bin/sh\nexec "{sys.executable}" -I "{power_off.__file__}" "$@"\n')
    shutdown.chmod(0o755)
    return {
        **os.environ,
        "PATH": f"{shutdown.parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        "SANDBOX_PYTHON": os.environ.get("SANDBOX_PYTHON", sys.executable),
        "SANDBOX_ADDRESS": address,
        "TMPDIR": str(data / "tmp"),
    }
