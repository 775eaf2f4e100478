"""The calls to AWS, Lightly and Pexels that the steps of a run make, in their usual order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from curation.models import Record
from curation.source_uri import SourceKind, kind_of
from curation.states import Backend, StepName

if TYPE_CHECKING:
    from collections.abc import Iterator

    from curation.models import Request
    from curation.settings import Settings

_RUN = "RUN_ID"


class Call(Record):
    """One call to somebody else's service.

    Attributes:
        name: As the service and its permissions call it, e.g. `ec2:StartInstances`.
        target: What it is about.
        changes: Whether it changes anything there.
        note: How often, or when it is left out.
    """

    name: str
    target: str
    changes: bool
    note: str = ""


def calls_of(request: Request, settings: Settings) -> dict[StepName, list[Call]]:
    """Returns the calls of each step when all goes well.

    Args:
        request: What the run is asked to do.
        settings: The settings in force.
    """
    instance_id = settings.ec2.ec2_instance_id
    select = _lightly if request.selection_backend is Backend.LIGHTLY else _engine
    return {
        StepName.INGEST_VIDEO: [*_fetch(request.source), *_ingest(settings)],
        StepName.START_INSTANCE: list(_start(instance_id, settings)) if instance_id else [],
        StepName.RUN_SELECTION: [*_renew(instance_id), *select(settings)],
        StepName.RELEASE_INSTANCE: list(_release(instance_id)) if instance_id else [],
    }


def _fetch(source: str) -> Iterator[Call]:
    match kind_of(source):
        case SourceKind.PEXELS:
            yield _read("pexels:Videos", source)
            yield _read("http:GET", "the video that was chosen")
        case SourceKind.HTTP:
            yield _read("http:GET", "the video")
        case SourceKind.S3:
            yield _read("s3:ListBucket", source)
            yield _read("s3:GetObject", source)
        case SourceKind.FOLDER:
            return


def _ingest(settings: Settings) -> Iterator[Call]:
    video = f"{settings.s3.input_bucket}{_RUN}/VIDEO"
    yield _change("s3:PutObject", video, note="in parts, as one multipart upload")
    yield _read("s3:GetObject", video, note="to verify it")
    yield _read("s3:ListBucketMultipartUploads", video)


def _start(instance_id: str, settings: Settings) -> Iterator[Call]:
    yield _read("ec2:DescribeInstances", instance_id, note="again and again until it runs")
    yield _change("ec2:CreateTags", instance_id, note="until when it is leased")
    yield _change("ec2:StartInstances", instance_id, note="unless it runs")
    yield _read("ssm:DescribeInstanceInformation", instance_id, note="until its agent answers")
    lease, launch = settings.ec2.ssm_lease_document, settings.ec2.ssm_document
    yield _change("ssm:SendCommand", f"{instance_id}, {lease}", note="the watchdog's lease")
    script = settings.ec2.script_path
    yield _change("ssm:SendCommand", f"{instance_id}, {launch}", note=f"{script}, once in a boot")
    yield _read("ssm:GetCommandInvocation", instance_id)


def _renew(instance_id: str | None) -> Iterator[Call]:
    if instance_id:
        yield _read("ec2:DescribeInstances", instance_id, note="at each look")
        yield _change("ec2:CreateTags", instance_id, note="now and then, to renew the lease")
        yield _change("ssm:SendCommand", instance_id, note="now and then, to renew the lease")


def _engine(settings: Settings) -> Iterator[Call]:
    yield _read("s3:GetObject", f"{settings.s3.input_bucket}{_RUN}/VIDEO", note="by the engine")
    results = f"{settings.s3.lightly_bucket}{_RUN}/"
    yield _change("s3:PutObject", results, note="frames, selected.txt, selection.json")


def _lightly(settings: Settings) -> Iterator[Call]:
    dataset = settings.lightly.dataset_name or "dataset"
    yield _read("lightly:GetDatasets", dataset)
    yield _change("lightly:CreateDataset", dataset, note="unless there is one")
    yield _change("lightly:UpdateDatasource", settings.s3.input_bucket, note="input")
    yield _change("lightly:UpdateDatasource", settings.s3.lightly_bucket, note="results")
    marker = f"{settings.s3.lightly_bucket}.lightly/curate/{_RUN}.txt"
    yield _change("s3:PutObject", marker, note="the one video of this run")
    yield _change("lightly:CreateWorkerConfig", dataset)
    yield _change("lightly:CreateScheduledRun", dataset)
    yield _read("lightly:GetRun", dataset, note="again and again until it has ended")
    yield _read("lightly:GetTags", dataset)
    yield _change("s3:PutObject", f"{settings.s3.lightly_bucket}{_RUN}/", note="selected.txt")


def _release(instance_id: str) -> Iterator[Call]:
    yield _change("ec2:StopInstances", instance_id, note="unless another run holds it")
    yield _read("ec2:DescribeInstances", instance_id, note="until it is stopped")


def _read(name: str, target: str, *, note: str = "") -> Call:
    return Call(name=name, target=target, changes=False, note=note)


def _change(name: str, target: str, *, note: str = "") -> Call:
    return Call(name=name, target=target, changes=True, note=note)
