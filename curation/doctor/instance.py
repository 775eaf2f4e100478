"""Looks at the instance: is it there, may it be started and stopped, its SSM agent, its leases."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING

from curation.doctor.check import Answer, Check, Health, NotChecked, Once, fail, ok, warn
from curation.errors import CurationError
from curation.states import InstanceState
from curation.steps.instance import AGENT_TIMEOUT_S, OFFLINE_ADVICE
from curation.steps.reap_instance import hold_on
from curation.steps.watch import LEASE_TAG, RUN_TAG

if TYPE_CHECKING:
    from collections.abc import Callable

    from curation.ports import InstanceView
    from curation.wiring import Wiring

_NAME = "ec2 instance"
# The default of both documents: whoever may send it is root on the instance.
_ROOT_DOCUMENT = "AWS-RunShellScript"
_EC2_HINT = "Check the network, EC2_REGION and, if it is set, AWS_ENDPOINT_URL_EC2."
_SSM_HINT = "Check the network, EC2_REGION and, if it is set, AWS_ENDPOINT_URL_SSM."
_REDIS_HINT = "Start Redis, or correct REDIS_URL."


class InstanceChecks:
    """The checks on the instance that the settings name; EC2 is asked once for all of them."""

    def __init__(self, wiring: Wiring) -> None:
        self._wiring = wiring
        self._described = Once(self._describe)

    def all(self) -> list[Check]:
        """Returns them."""
        return [
            Check(_NAME, self._instance, _EC2_HINT),
            Check("ec2 start", self._start, _EC2_HINT, needs=_NAME),
            Check("ec2 stop", self._stop, _EC2_HINT, needs=_NAME),
            # Runs go well without: the tag is for the day on which Redis loses everything.
            Check("ec2 tags", self._tags, _EC2_HINT, worst=Health.WARN, needs=_NAME),
            Check("ssm agent", self._agent, _SSM_HINT, needs=_NAME),
            Check("watchdog lease", self._watchdog, _SSM_HINT, needs=_NAME),
            Check("leases", self._leases, _REDIS_HINT, needs=_NAME),
        ]

    def _describe(self) -> InstanceView | None:
        instance_id = self._wiring.settings.ec2.ec2_instance_id
        return self._wiring.instances.describe(instance_id) if instance_id else None

    def _view(self) -> InstanceView | None:
        try:
            return self._described()
        except CurationError as error:
            raise NotChecked(_NAME) from error

    def _instance(self) -> Answer | None:
        view = self._described()
        if view is None:
            return None
        found = f"{view.instance_id} is {view.state.value}."
        if view.state in (InstanceState.TERMINATED, InstanceState.SHUTTING_DOWN):
            return fail(found, "It never runs again. Set EC2_INSTANCE_ID to another one.")
        return ok(found)

    def _start(self) -> Answer | None:
        view, ec2 = self._view(), self._wiring.instances
        if view is None:
            return None
        is_harmless = view.state.is_billed
        return self._rehearsed(view, "StartInstances", ec2.would_start, is_harmless=is_harmless)

    def _stop(self) -> Answer | None:
        view, ec2 = self._view(), self._wiring.instances
        if view is None:
            return None
        is_harmless = not view.state.is_billed
        return self._rehearsed(view, "StopInstances", ec2.would_stop, is_harmless=is_harmless)

    def _tags(self) -> Answer | None:
        view, ec2 = self._view(), self._wiring.instances
        if view is None:
            return None
        rehearse = partial(ec2.would_tag, tags={LEASE_TAG: "0", RUN_TAG: "none"})
        return self._rehearsed(view, "CreateTags", rehearse, is_harmless=False)

    def _rehearsed(
        self,
        view: InstanceView,
        operation: str,
        rehearse: Callable[[str], bool],
        *,
        is_harmless: bool,
    ) -> Answer:
        """Asks by a dry run, but never one that would change something if it were none.

        A server that is not AWS may not know dry runs, and do it. So what would be harmless in
        the instance's present state is asked first.
        """
        if (is_harmless or self._knows_dry_runs(view)) and rehearse(view.instance_id):
            return ok(f"{operation} is permitted (dry run).")
        return warn(
            f"Whether {operation} is permitted is not known: EC2 does not know dry runs here.",
            f"See that the credentials have ec2:{operation} for this instance.",
        )

    def _knows_dry_runs(self, view: InstanceView) -> bool:
        ec2 = self._wiring.instances
        harmless = ec2.would_start if view.state.is_billed else ec2.would_stop
        try:
            return harmless(view.instance_id)
        except CurationError:  # denied, for one; which the check of that operation tells
            return ec2.would_describe(view.instance_id)

    def _agent(self) -> Answer | None:
        view, shell = self._view(), self._wiring.shell
        if view is None:
            return None
        is_online = shell.is_online(view.instance_id, since=view.launched_at)
        if view.state is not InstanceState.RUNNING:
            return ok(f"SSM answers; the agent shows only while the instance runs ({view.state}).")
        if is_online:
            return ok("The SSM agent is online.")
        age_s = time.time() - view.launched_at
        found = f"The SSM agent is not online {age_s:.0f} s after the start."
        if age_s < AGENT_TIMEOUT_S:
            return warn(found, f"Look again soon. {OFFLINE_ADVICE}")
        return fail(found, OFFLINE_ADVICE)

    def _watchdog(self) -> Answer | None:
        if self._view() is None:
            return None
        ec2 = self._wiring.settings.ec2
        if _ROOT_DOCUMENT == ec2.ssm_lease_document != ec2.ssm_document:
            return warn(
                f"The launch is sent by {ec2.ssm_document}, but the watchdog's lease by "
                f"{_ROOT_DOCUMENT}, which a narrow policy denies. Then the watchdog powers the "
                "instance off LEASE_TTL_S after its boot, whatever runs there.",
                "Set SSM_LEASE_DOCUMENT to the lease document of deploy/cloudformation.yaml.",
            )
        return ok(f"The watchdog's lease is renewed by {ec2.ssm_lease_document}.")

    def _leases(self) -> Answer | None:
        view = self._view()
        if view is None:
            return None
        leases, now = self._wiring.ledger.leases, self._wiring.ledger.store.now()
        if not view.state.is_billed:
            return self._leases_while_off(view, now)
        settings = self._wiring.settings.run
        held = hold_on(view, leases, now=now, boot_grace_s=settings.boot_grace_s)
        if held:
            return ok(f"The instance runs and is {held}.")
        return warn(
            "The instance runs and costs money although no run holds it.",
            "The reaper stops it within two rounds if beat runs. To do it now: curate reap, and "
            f"again {settings.reap_interval_s:g} s later.",
        )

    def _leases_while_off(self, view: InstanceView, now: float) -> Answer:
        ledger = self._wiring.ledger
        holders = ledger.leases.holders(view.instance_id)
        alive = [run_id for run_id, until in holders.items() if until > now]
        # Whoever has only just got its lease is about to start the instance.
        robbed = [it for it in alive if ledger.runs.get(it).steps.start_instance.state.is_done]
        if robbed:
            return warn(
                f"Run {robbed[0]} holds the instance, which is {view.state.value}: somebody else "
                "has stopped it.",
                f"curate cancel {robbed[0]}, then curate resume {robbed[0]}",
            )
        if alive:
            return ok(f"Run {alive[0]} is about to start the instance.")
        return ok(f"The instance is {view.state.value}, and no run holds it.")
