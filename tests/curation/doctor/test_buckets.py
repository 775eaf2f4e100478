from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import boto3
import pytest
from moto import mock_aws

from curation.doctor.buckets import BucketChecks
from curation.doctor.check import Finding, Health
from tests.support.doctor import found, new_wiring
from tests.support.servers import S3_REGION, bare_s3_client, s3_environment

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client


@pytest.fixture
def settings(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings that name one bucket for both."""
    monkeypatch.setenv("S3_REGION", S3_REGION)
    monkeypatch.setenv("S3_INPUT_BUCKET", f"s3://{bucket}/videos/")
    monkeypatch.setenv("S3_LIGHTLY_BUCKET", f"s3://{bucket}/results/")


@pytest.fixture
def moto(moto_endpoint: str, settings: None, monkeypatch: pytest.MonkeyPatch) -> S3Client:
    """A server that knows regions and bucket policies, instead of the one that checks keys."""
    assert settings is None
    for name, value in s3_environment(moto_endpoint).items():
        monkeypatch.setenv(name, value)
    return bare_s3_client(moto_endpoint)


def findings() -> dict[str, Finding]:
    """Returns what is found."""
    return found(BucketChecks(new_wiring()).all())


@pytest.mark.usefixtures("settings")
def test_buckets__nothing_when_all_is_well(s3_client: S3Client, bucket: str) -> None:
    """Both can be written, read, and uploaded to; nothing is left in them."""
    found = findings()

    assert list(found) == ["s3 input bucket", "s3 lightly bucket", "s3 uploads"]
    assert {it.state for it in found.values()} == {Health.OK}
    assert "Contents" not in s3_client.list_objects_v2(Bucket=bucket)


@pytest.mark.usefixtures("settings")
@pytest.mark.parametrize(
    ("variable", "name"),
    [("S3_INPUT_BUCKET", "s3 input bucket"), ("S3_LIGHTLY_BUCKET", "s3 lightly bucket")],
)
def test_buckets__that_is_not_there_fails(
    variable: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A missing bucket is one failure that names the bucket and its setting."""
    monkeypatch.setenv(variable, "s3://nowhere/videos/")

    found = findings()

    assert [name for name, it in found.items() if it.state is Health.FAIL] == [name]
    assert "'nowhere'" in found[name].found
    assert variable in str(found[name].mend)


def test_buckets__denied_names_the_permission(
    moto: S3Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever may not write learns which permission to grant on what."""
    name = f"bucket-{uuid.uuid4().hex[:12]}"
    moto.create_bucket(Bucket=name)
    moto.put_bucket_policy(Bucket=name, Policy=_denying("s3:PutObject", f"{name}/*"))
    monkeypatch.setenv("S3_INPUT_BUCKET", f"s3://{name}/videos/")

    finding = findings()["s3 input bucket"]

    assert finding.state is Health.FAIL
    assert f"s3:PutObject on arn:aws:s3:::{name}/*" in str(finding.mend)


def test_buckets__in_another_region_is_told(
    moto: S3Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bucket's own region is told; to a server that is not AWS it is a mere word."""
    name = use_bucket_in_ireland(moto, monkeypatch)

    wrong = findings()
    monkeypatch.setenv("S3_REGION", "eu-west-1")
    right = findings()

    assert wrong["s3 input bucket"].state is Health.WARN
    assert wrong["s3 lightly bucket"].mend == "Set S3_REGION=eu-west-1."
    assert {it.state for it in right.values()} == {Health.OK}
    assert "Uploads" not in moto.list_multipart_uploads(Bucket=name)


@mock_aws
@pytest.mark.usefixtures("settings")
def test_buckets__in_another_region_of_aws_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """On AWS itself Lightly could not read a bucket whose region is wrong."""
    monkeypatch.delenv("AWS_ENDPOINT_URL_S3")
    use_bucket_in_ireland(boto3.client("s3"), monkeypatch)

    finding = findings()["s3 input bucket"]

    assert (finding.state, finding.mend) == (Health.FAIL, "Set S3_REGION=eu-west-1.")


@pytest.mark.usefixtures("settings")
def test_buckets__refused_keys_show_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """Credentials that are refused are told by the variable's name."""
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "canary")

    found = findings()

    assert found["s3 input bucket"].state is Health.FAIL
    assert "AWS_SECRET_ACCESS_KEY" in str(found["s3 input bucket"].mend)
    assert "canary" not in str(found)


def use_bucket_in_ireland(s3: S3Client, monkeypatch: pytest.MonkeyPatch) -> str:
    """Makes a bucket elsewhere than S3_REGION says, for both settings, and returns its name."""
    name = f"bucket-{uuid.uuid4().hex[:12]}"
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    for variable in ("S3_INPUT_BUCKET", "S3_LIGHTLY_BUCKET"):
        monkeypatch.setenv(variable, f"s3://{name}/videos/")
    return name


def _denying(action: str, resource: str) -> str:
    return (
        '{"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Principal": "*", '
        f'"Action": "{action}", "Resource": "arn:aws:s3:::{resource}"}}]}}'
    )
