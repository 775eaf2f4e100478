"""A ledger over a real server, and a machine of the EC2 and SSM stand-in."""

from __future__ import annotations

import functools
import os
import stat
from typing import TYPE_CHECKING

import pytest

from curation.adapters.compute.ec2 import Ec2Instances
from curation.adapters.compute.ssm import RUN_SHELL_SCRIPT, SsmShell
from curation.adapters.storage.s3 import S3Storage
from curation.ledger.uploads import UploadLedger
from curation.steps.instance import Machine
from tests.support.file_server import FileServer, file_server
from tests.support.ingest_bench import Bench, a_run

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from types_boto3_s3 import S3Client

    from curation.ledger.ledger import Ledger
    from tests.support.cloud import Cloud


@pytest.fixture
def launched(tmp_path: Path) -> Path:
    """File in which each launch of the worker's script leaves a line."""
    return tmp_path / "launched"


@pytest.fixture
def machine(cloud: Cloud, ledger: Ledger, tmp_path: Path, launched: Path) -> Machine:
    """The stand-in's instance; its worker writes a line and stays."""
    script = tmp_path / "run.sh"
    script.write_text(f"echo launched >> {launched}\nsleep 60\n")
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    return machine_of(cloud, ledger, script_path=str(script))


@functools.cache  # building boto3's client takes longer than most tests
def storage_at(endpoint: str) -> S3Storage:
    """Returns the storage; boto3's variables must lead to this endpoint at its first call."""
    assert os.environ["AWS_ENDPOINT_URL_S3"] == endpoint
    return S3Storage()


@pytest.fixture
def bench(s3_client: S3Client, bucket: str, ledger: Ledger) -> Bench:
    """A run whose video is to be ingested, and an empty bucket."""
    storage = storage_at(s3_client.meta.endpoint_url)
    uploads = UploadLedger(ledger.store)
    return Bench(a_run("run-1"), bucket, s3_client, storage, storage, uploads)


@pytest.fixture
def server() -> Iterator[FileServer]:
    """A host of video files."""
    with file_server() as running:
        yield running


def machine_of(cloud: Cloud, ledger: Ledger, *, script_path: str) -> Machine:
    """Returns a machine whose worker is started by `script_path`."""
    return Machine(
        instance_id=cloud.instance_id,
        instances=Ec2Instances(region="us-east-1"),
        shell=SsmShell(region="us-east-1", document=RUN_SHELL_SCRIPT, script_path=script_path),
        leases=ledger.leases,
    )
