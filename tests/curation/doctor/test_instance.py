from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from curation.doctor.check import Finding, Health
from curation.doctor.instance import InstanceChecks
from curation.ledger.ledger import Ledger
from curation.ledger.store import Store
from tests.support.cli import new_run
from tests.support.cloud import INSTANCE_ID, REGION, slow
from tests.support.doctor import found, new_wiring
from tests.support.scripted_server import Answer, scripted_server

if TYPE_CHECKING:
    from redis import Redis

    from tests.support.cloud import Cloud

DENIED = {"kind": "error", "code": "UnauthorizedOperation", "times": None}
DESCRIBED = """<DescribeInstancesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">
<reservationSet><item><instancesSet><item><instanceId>{id}</instanceId>
<instanceState><name>{state}</name></instanceState><launchTime>2026-01-01T00:00:00Z</launchTime>
</item></instancesSet></item></reservationSet></DescribeInstancesResponse>"""


@pytest.fixture(autouse=True)
def settings(valkey: str, redis_client: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings that name the instance and an empty ledger."""
    assert redis_client.dbsize() == 0
    monkeypatch.setenv("REDIS_URL", valkey)
    monkeypatch.setenv("EC2_INSTANCE_ID", INSTANCE_ID)
    monkeypatch.setenv("EC2_REGION", REGION)


@pytest.fixture
def ledger(redis_client: Redis) -> Ledger:
    """The ledger that the settings name."""
    return Ledger.over(Store(redis_client), retention_days=1, lease_ttl_s=100)


def findings() -> dict[str, Finding]:
    """Returns what is found."""
    return found(InstanceChecks(new_wiring()).all())


def test_instance__nothing_when_all_is_well(cloud: Cloud) -> None:
    """A stopped instance that may be started is well; it is still stopped afterwards."""
    found = findings()

    assert list(found) == [
        *("ec2 instance", "ec2 start", "ec2 stop", "ec2 tags"),
        *("ssm agent", "watchdog lease", "leases"),
    ]
    assert {it.state for it in found.values()} == {Health.OK}
    assert (cloud.state, cloud.billing()["boots"]) == ("stopped", 0)


def test_instance__that_runs_for_a_run_is_well(cloud: Cloud, ledger: Ledger) -> None:
    """A running instance with its agent online and a lease is well, and goes on running."""
    ledger.leases.acquire(new_run(ledger), INSTANCE_ID)
    cloud.boot()

    found = findings()

    assert {it.state for it in found.values()} == {Health.OK}
    assert cloud.state == "running"


def test_instance__none_is_nothing_to_check(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where this machine does the work, EC2 is not asked."""
    monkeypatch.delenv("EC2_INSTANCE_ID")

    assert findings() == {}


@pytest.mark.usefixtures("cloud")
def test_instance__that_is_not_there_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """An unknown id is one failure that names the setting; the rest is not checked."""
    monkeypatch.setenv("EC2_INSTANCE_ID", "i-00000000000000000")

    found = findings()

    assert found["ec2 instance"].state is Health.FAIL
    assert "EC2_INSTANCE_ID" in str(found["ec2 instance"].mend)
    assert {it.mend for name, it in found.items() if name != "ec2 instance"} == {
        "Mend 'ec2 instance' first."
    }


@pytest.mark.parametrize("boots", [False, True], ids=["stopped", "running"])
@pytest.mark.parametrize("verb", ["start", "stop"])
def test_instance__denied_fails_with_the_permission(
    verb: str, *, boots: bool, cloud: Cloud
) -> None:
    """A start or stop that EC2 would refuse is found in every state, and names the IAM action."""
    if boots:
        cloud.boot()
    operation = f"{verb.capitalize()}Instances"
    cloud.add_faults({"operation": operation, **DENIED})
    before = cloud.state

    found = findings()

    failed = [name for name, it in found.items() if it.state is Health.FAIL]
    assert failed == [f"ec2 {verb}"]
    assert f"ec2:{operation}" in str(found[f"ec2 {verb}"].mend)
    assert cloud.state == before


@pytest.mark.parametrize(
    ("state", "sent", "not_sent"),
    [
        ("stopped", "StopInstances", "StartInstances"),
        ("running", "StartInstances", "StopInstances"),
    ],
)
def test_instance__is_not_touched_where_dry_runs_are_unknown(
    state: str, sent: str, not_sent: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that would do what was meant as a dry run is never asked what would do harm."""
    described = DESCRIBED.format(id=INSTANCE_ID, state=state).encode()
    with scripted_server() as ec2:
        ec2.answers = [Answer(body=described, headers={"Content-Type": "text/xml"})]
        for name in ("AWS_ENDPOINT_URL_EC2", "AWS_ENDPOINT_URL_SSM"):
            monkeypatch.setenv(name, ec2.url)
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.setenv(name, "test")

        found = findings()

    asked = b"\n".join(asked.body for asked in ec2.asked).decode()
    assert sent in asked
    assert not_sent not in asked
    assert (found["ec2 start"].state, found["ec2 stop"].state) == (Health.WARN, Health.WARN)
    assert "ec2:StartInstances" in str(found["ec2 start"].mend)


def test_instance__tags_denied_is_a_warning(cloud: Cloud) -> None:
    """Runs go well without the tag, so its permission is asked for and nothing fails."""
    cloud.add_faults({"operation": "CreateTags", **DENIED})

    finding = findings()["ec2 tags"]

    assert finding.state is Health.WARN
    assert "ec2:CreateTags" in str(finding.mend)
    assert cloud.instances()[INSTANCE_ID]["tags"] == {}


@pytest.mark.usefixtures("cloud")
def test_instance__forgotten_lease_document_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever has a document for the launch alone has a policy that denies the renewals."""
    monkeypatch.setenv("SSM_DOCUMENT", "curation-launch")
    forgotten = findings()["watchdog lease"]
    monkeypatch.setenv("SSM_LEASE_DOCUMENT", "curation-lease")

    assert forgotten.state is Health.WARN
    assert "SSM_LEASE_DOCUMENT" in str(forgotten.mend)
    assert findings()["watchdog lease"].state is Health.OK


@slow("agent_s")
def test_instance__agent_that_is_not_online_yet_is_a_warning(cloud: Cloud) -> None:
    """Soon after a boot an agent may be on its way."""
    cloud.hand("start")
    cloud.wait_for("running")

    finding = findings()["ssm agent"]

    assert finding.state is Health.WARN
    assert "AmazonSSMManagedInstanceCore" in str(finding.mend)


def test_instance__agent_denied_names_the_permission(cloud: Cloud) -> None:
    """Whoever may not ask SSM learns what to grant, also while the instance is stopped."""
    fault = {"operation": "DescribeInstanceInformation", "code": "AccessDeniedException"}
    cloud.add_faults({**fault, "times": None})

    finding = findings()["ssm agent"]

    assert finding.state is Health.FAIL
    assert "ssm:DescribeInstanceInformation" in str(finding.mend)


def test_leases__of_a_running_instance_that_nobody_holds(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An instance that costs money for nobody is told with the command; nothing is stopped."""
    monkeypatch.setenv("BOOT_GRACE_S", "0.001")
    cloud.boot()

    finding = findings()["leases"]

    assert finding.state is Health.WARN
    assert "curate reap" in str(finding.mend)
    assert cloud.state == "running"


def test_leases__of_an_instance_that_a_person_keeps(cloud: Cloud) -> None:
    """An instance that was started by hand a moment ago is left alone, as by the reaper."""
    cloud.boot()

    assert findings()["leases"].state is Health.OK


@pytest.mark.usefixtures("cloud")
@pytest.mark.parametrize(("is_started", "state"), [(False, Health.OK), (True, Health.WARN)])
def test_leases__on_a_stopped_instance(ledger: Ledger, *, is_started: bool, state: Health) -> None:
    """A run that had the instance running has lost it; one that has yet to start it has not."""
    run_id = new_run(ledger)
    ledger.leases.acquire(run_id, INSTANCE_ID)
    if is_started:
        ledger.runs.update(run_id, **{"start_instance.state": "succeeded"})

    finding = findings()["leases"]

    assert finding.state is state
    assert run_id in finding.found
    assert (f"curate cancel {run_id}" in str(finding.mend)) is is_started


def test_leases__need_redis(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without Redis the instance is looked at all the same; its leases are not known."""
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1/0")

    found = findings()

    assert cloud.state == "stopped"
    assert found.pop("leases").mend == "Mend 'redis' first."
    assert {it.state for it in found.values()} == {Health.OK}
