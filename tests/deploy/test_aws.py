"""What the policies and the template allow: what the code needs, on what is ours, and no more."""

from __future__ import annotations

import json
import os
import re
import subprocess
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from curation.adapters.compute.ssm import SsmShell
from curation.errors import OperatorError
from curation.steps.watch import LEASE_TAG, RUN_TAG
from tests.support.cloud import REGION
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.cloud import Cloud

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
POLICIES = {path.stem: path for path in sorted((DEPLOY / "iam").glob("*.json"))}
RIGHTS = [name for name in POLICIES if not name.endswith("-trust")]
# The right that S3 asks for where a call has another name.
S3_RIGHTS = {
    "CompleteMultipartUpload": "PutObject",
    "CreateMultipartUpload": "PutObject",
    "HeadBucket": "ListBucket",
    "HeadObject": "GetObject",
    "ListMultipartUploads": "ListBucketMultipartUploads",
    "ListObjectsV2": "ListBucket",
    "UploadPart": "PutObject",
}
STAND_INS = Path(__file__).parent / "stand_ins"
LONGEST_USER_DATA = 16_384  # bytes, before base64: EC2's limit
# What AWS itself knows only for all resources at once.
WITHOUT_RESOURCE = {
    "ec2:DescribeInstances",
    "ssm:CancelCommand",
    "ssm:DescribeInstanceInformation",
    "ssm:GetCommandInvocation",
    "ssm:ListCommandInvocations",
}

Statement = dict[str, Any]


def test_pipeline__may_do_what_the_code_does_and_no_more() -> None:
    """Each call that an adapter makes is allowed, and nothing that none makes."""
    allowed = {action for statement in policy("pipeline") for action in actions(statement)}

    assert allowed == calls()


@pytest.mark.parametrize("name", RIGHTS)
def test_policies__name_actions_and_resources(name: str) -> None:
    """No action is a pattern; a resource is one where AWS knows no other, or below a prefix."""
    for statement in policy(name):
        wide = {resource for resource in listed(statement["Resource"]) if "*" in resource}

        assert statement["Effect"] == "Allow"
        assert not [action for action in actions(statement) if "*" in action]
        assert "*" not in wide or actions(statement) <= WITHOUT_RESOURCE
        below = r"arn:aws:s3:::\$\{\w+\}/\$\{\w+\}\*(/segments/\*)?"
        assert all(re.fullmatch(rf"\*|{below}", one) for one in wide)


def test_pipeline__starts_and_stops_the_one_marked_instance() -> None:
    """It has power over one instance, and only while that is marked as the pipeline's."""
    (statement,) = (one for one in policy("pipeline") if "ec2:StopInstances" in actions(one))

    assert statement["Resource"] == "arn:aws:ec2:${REGION}:${ACCOUNT}:instance/${INSTANCE_ID}"
    assert statement["Condition"] == {"StringEquals": {"aws:ResourceTag/curation:managed": "true"}}


def test_pipeline__sends_its_own_documents_alone() -> None:
    """A document of AWS's that runs any command would make it root on the instance."""
    (statement,) = (one for one in policy("pipeline") if "ssm:SendCommand" in actions(one))

    assert statement["Resource"] == [
        "arn:aws:ssm:${REGION}:${ACCOUNT}:document/${SSM_DOCUMENT}",
        "arn:aws:ssm:${REGION}:${ACCOUNT}:document/${SSM_LEASE_DOCUMENT}",
        "arn:aws:ec2:${REGION}:${ACCOUNT}:instance/${INSTANCE_ID}",
    ]


def test_pipeline__sets_two_tags_on_the_one_instance() -> None:
    """Whoever has its keys cannot mark another instance as the pipeline's."""
    (statement,) = (one for one in policy("pipeline") if "ec2:CreateTags" in actions(one))

    assert statement["Resource"] == "arn:aws:ec2:${REGION}:${ACCOUNT}:instance/${INSTANCE_ID}"
    assert statement["Condition"]["ForAllValues:StringEquals"] == {
        "aws:TagKeys": [LEASE_TAG, RUN_TAG]
    }


def test_lightly__changes_its_own_bucket_alone() -> None:
    """Lightly reads the videos; it writes and deletes only among the results."""
    writing = [
        statement
        for statement in policy("lightly")
        if actions(statement) & {"s3:PutObject", "s3:DeleteObject"}
    ]

    assert [one["Resource"] for one in writing] == [
        "arn:aws:s3:::${LIGHTLY_BUCKET}/${LIGHTLY_PREFIX}*"
    ]


def test_trust__is_given_to_one_each() -> None:
    """EC2 takes the instance's role; Lightly takes its own with our external id."""
    (instance,), (lightly,) = policy("instance-trust"), policy("lightly-trust")

    assert instance["Principal"] == {"Service": "ec2.amazonaws.com"}
    assert lightly["Principal"] == {"AWS": "${LIGHTLY_PRINCIPAL}"}
    assert lightly["Condition"] == {"StringEquals": {"sts:ExternalId": "${EXTERNAL_ID}"}}


def test_policies__leave_open_what_the_guide_explains() -> None:
    """Whoever fills a policy in finds each of its names in the guide, and no others."""
    used = set(re.findall(r"\$\{\w+\}", "".join(map(Path.read_text, POLICIES.values()))))
    guide = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")

    assert set(re.findall(r"`(\$\{\w+\})`", guide)) == used


@pytest.mark.parametrize(
    ("name", "resource"),
    [("pipeline", "PipelinePolicy"), ("lightly", "LightlyRole"), ("instance", "InstanceRole")],
)
def test_template__grants_the_same(name: str, resource: str) -> None:
    """Whoever uses the template has the rights that the policies describe."""
    properties = template()["Resources"][resource]["Properties"]
    (document,) = [
        properties.get("PolicyDocument"),
        *(inline["PolicyDocument"] for inline in properties.get("Policies", [])),
    ][-1:]

    assert [shape(one) for one in document["Statement"]] == [shape(one) for one in policy(name)]


def test_template__has_what_stops_the_instance() -> None:
    """A shutdown is a stop, an idle hour ends in one, and only a person can destroy it."""
    resources = template()["Resources"]
    instance = resources["Instance"]["Properties"]

    assert len(resources) == 15
    assert instance["InstanceInitiatedShutdownBehavior"] == "stop"
    assert instance["DisableApiTermination"] is True
    assert instance["MetadataOptions"] == {"HttpTokens": "required", "HttpPutResponseHopLimit": 1}
    assert instance["BlockDeviceMappings"][0]["Ebs"]["Encrypted"] is True
    assert {"Key": "curation:managed", "Value": "true"} in instance["Tags"]
    assert ":ec2:stop" in str(resources["IdleAlarm"]["Properties"]["AlarmActions"])


@pytest.mark.parametrize("name", ["InputBucket", "LightlyBucket"])
def test_template__keeps_the_buckets_closed(name: str) -> None:
    """Nothing in a bucket is public or goes unencrypted, and no half of an upload stays."""
    bucket = template()["Resources"][name]
    rules = template()["Resources"][f"{name}Policy"]["Properties"]["PolicyDocument"]["Statement"]

    assert bucket["DeletionPolicy"] == bucket["UpdateReplacePolicy"] == "Retain"
    assert set(bucket["Properties"]["PublicAccessBlockConfiguration"].values()) == {True}
    assert "AbortIncompleteMultipartUpload" in str(bucket["Properties"]["LifecycleConfiguration"])
    assert [rule["Effect"] for rule in rules] == ["Deny"]
    assert rules[0]["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


INSTALLED = {
    "watchdog.sh": "usr/local/sbin/curation-watchdog",
    "curation-watchdog.service": "etc/systemd/system/curation-watchdog.service",
    "curation-watchdog.timer": "etc/systemd/system/curation-watchdog.timer",
}


@pytest.fixture
def first_boot(tmp_path: Path) -> Path:
    """The disk of an instance after its user data has run there."""
    _, parts = template()["Resources"]["Instance"]["Properties"]["UserData"]["Fn::Base64"]
    # The middle part is not filled in, because it is full of the shell's own variables.
    first, _, last = (re.sub(r"\$\{([\w:]+)\}", r"\1", part) for part in parts)
    text = here(first + parts[1] + last, tmp_path)
    assert len(text) < LONGEST_USER_DATA
    for folder in ("etc/systemd/system", "usr/local/sbin"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "images").touch()
    subprocess.run(
        ["bash", "-c", text],
        env={"PATH": f"{STAND_INS}:{os.environ['PATH']}", "STAND_IN": str(tmp_path)},
        timeout=30,
        check=True,
    )
    return tmp_path


def test_template__arms_the_watchdog_before_anything_else(first_boot: Path) -> None:
    """The first boot has the files of deploy/instance/ and an armed timer before any image."""
    calls = (first_boot / "calls").read_text().splitlines()
    settings = (first_boot / "etc/curation/instance.env").read_text()

    for name, path in INSTALLED.items():
        assert (first_boot / path).read_text() == (DEPLOY / "instance" / name).read_text()
    assert os.access(first_boot / INSTALLED["watchdog.sh"], os.X_OK)
    assert [call.split()[:2] for call in calls] == [
        ["systemctl", "daemon-reload"],
        ["systemctl", "enable"],
        ["docker", "pull"],
    ]
    assert "LEASE_TTL_S=LeaseTtlS\nMAX_UPTIME_S=MaxUptimeS\n" in settings


@pytest.mark.parametrize("until", ["1795340211", "9999999999"])
def test_document__renews_the_lease(until: str, cloud: Cloud, tmp_path: Path) -> None:
    """The template's second document writes ten digits, and takes nothing else."""
    content = template()["Resources"]["LeaseDocument"]["Properties"]["Content"]
    folder = tmp_path / "cloud" / "documents"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "curation-lease.json").write_text(json.dumps(content))
    cloud.boot()
    shell = SsmShell(region=REGION, document="-", script_path="/-", lease_document="curation-lease")

    shell.renew_lease(cloud.instance_id, until=int(until))

    lease = Path(cloud.instances()[cloud.instance_id]["run_folder"]) / "lease"
    assert wait_until(lambda: lease.exists() and lease.read_text()) == f"{until}\n"
    assert list(content["parameters"]) == ["LeaseUntil"]
    with pytest.raises(OperatorError, match="InvalidParameters"):
        shell.renew_lease(cloud.instance_id, until=99)


def test_document__launches_and_returns(cloud: Cloud, tmp_path: Path) -> None:
    """The template's document takes no parameter and has ended while what it started goes on."""
    content = template()["Resources"]["LaunchDocument"]["Properties"]["Content"]
    assert "parameters" not in content
    script = tmp_path / "run.sh"
    script.write_text(f"echo $$ >{tmp_path}/pid\nexec sleep 60\n")
    local = json.dumps(content).replace("/home/ubuntu/run.sh", str(script))
    folder = tmp_path / "cloud" / "documents"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "curation-launch.json").write_text(local.replace("/var/log/", f"{tmp_path}/"))
    cloud.boot()
    shell = SsmShell(region=REGION, document="curation-launch", script_path="/home/ubuntu/run.sh")

    command = shell.launch(cloud.instance_id, boot=1.0)

    def has_ended() -> bool:
        look = shell.invocation(cloud.instance_id, command)
        return look is not None and look.succeeded

    wait_until(has_ended)
    pid = wait_until(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text().strip())
    assert Path(f"/proc/{pid}").exists()


def policy(name: str) -> list[Statement]:
    """Returns the statements of a policy."""
    statements: list[Statement] = json.loads(POLICIES[name].read_text(encoding="utf-8"))[
        "Statement"
    ]
    return statements


def here(script: str, root: Path) -> str:
    """Returns the script with its own paths, and no others, below `root`."""
    script = re.sub(r"(?<=>)/(?=etc/|usr/)", f"{root}/", script)
    return re.sub(r"(?<=0755 )/(?=etc/|usr/)", f"{root}/", script)


def listed(value: str | list[str]) -> list[str]:
    """Returns one or many as a list."""
    return [value] if isinstance(value, str) else value


def actions(statement: Statement) -> set[str]:
    """Returns the actions of a statement."""
    return set(listed(statement["Action"]))


def shape(statement: Statement) -> tuple[str, set[str], str]:
    """Returns what can be compared without the names of resources."""
    condition = "ExternalId" if "ExternalId" in str(statement) else str(statement.get("Condition"))
    return statement["Sid"], actions(statement), condition


def calls() -> set[str]:
    """Returns the rights that the adapters' calls of AWS ask for."""
    return {
        right for path in (ROOT / "curation/adapters").rglob("*.py") for right in rights_of(path)
    }


def rights_of(module: Path) -> Iterator[str]:
    """Yields the right of each call of a boto3 client in a module."""
    call_of = re.compile(r"\b(ec2|ssm|s3)\.(?:get_paginator\(\")?([a-z]\w+)[(\"]")
    for service, call in call_of.findall(module.read_text("utf-8")):
        name = "".join(part.capitalize() for part in call.split("_"))
        yield f"{service}:{S3_RIGHTS.get(name, name) if service == 's3' else name}"


@cache
def template() -> dict[str, Any]:
    """Returns the CloudFormation template; `!Sub x` and its like are the text behind them."""
    content: dict[str, Any] = yaml.load(
        (DEPLOY / "cloudformation.yaml").read_text(encoding="utf-8"), Loader=_Loader
    )
    return content


class _Loader(yaml.SafeLoader):
    """YAML with CloudFormation's short forms."""


def _short_form(loader: yaml.SafeLoader, _: str, node: yaml.Node) -> object:
    if isinstance(node, yaml.ScalarNode):
        return loader.construct_scalar(node)
    assert isinstance(node, yaml.SequenceNode)
    return loader.construct_sequence(node)


_Loader.add_multi_constructor("!", _short_form)
