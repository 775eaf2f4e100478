"""What a run does with data: reads the videos it is to read, writes the frames it selects."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import boto3

from sandbox.lightly.frames import pick

if TYPE_CHECKING:
    from collections.abc import Iterator

    from types_boto3_s3 import S3Client

    from sandbox.lightly.control import Api

# The endings by which Lightly knows a video (docs.lightly.ai, "Videos as Input").
_VIDEOS = (".mp4", ".m4v", ".hevc", ".mpg", ".mpeg", ".avi", ".mov", ".webm")


class Aborted(Exception):  # noqa: N818  # the state in which such a run ends
    """The run cannot be carried out; the message says why."""


@dataclass(frozen=True)
class _Place:
    """A datasource: a bucket and the prefix in it, with its slash."""

    s3: S3Client
    bucket: str
    prefix: str

    @classmethod
    def of(cls, s3: S3Client, uri: str) -> _Place:
        parts = urlsplit(uri)
        prefix = parts.path.strip("/")
        return cls(s3, parts.netloc, f"{prefix}/" if prefix else "")

    def videos(self, *, after: float) -> Iterator[str]:
        pages = self.s3.get_paginator("list_objects_v2")
        for page in pages.paginate(Bucket=self.bucket, Prefix=self.prefix):
            for item in page.get("Contents", []):
                is_video = item["Key"].lower().endswith(_VIDEOS)
                if is_video and item["LastModified"].timestamp() > after:
                    yield item["Key"].removeprefix(self.prefix)

    def read(self, name: str) -> bytes:
        try:
            answer = self.s3.get_object(Bucket=self.bucket, Key=self.prefix + name)
        except self.s3.exceptions.NoSuchKey:
            message = f"There is no {name} in s3://{self.bucket}/{self.prefix}."
            raise Aborted(message) from None
        return answer["Body"].read()

    def write(self, name: str, data: bytes) -> None:
        self.s3.put_object(Bucket=self.bucket, Key=self.prefix + name, Body=data)


def select(api: Api, scheduled: dict[str, Any]) -> list[str]:
    """Carries a scheduled run out and returns the names of the frames selected.

    Raises:
        Aborted: If the rules of the documentation forbid it.
    """
    config = api.send("GET", f"docker/worker/config/vX/{scheduled['configId']}")["config"]
    dataset = api.send("GET", f"datasets/{scheduled['datasetId']}")
    docker = config.get("docker") or {}
    if dataset["nSamples"] and not docker.get("useDatapool"):
        message = "The dataset is not empty, and the datapool is off."
        raise Aborted(message)
    s3 = boto3.session.Session().client("s3")
    place = f"datasets/{dataset['id']}/datasource"
    source, target = (
        _Place.of(s3, api.send("GET", place, purpose=purpose)["fullPath"])
        for purpose in ("INPUT", "LIGHTLY")
    )
    proportion = config["selection"]["proportionSamples"]
    names = [
        name
        for video in _videos(docker, dataset, source, target)
        for name in _frames(video, source, target, proportion)
    ]
    if not names:
        message = "The input datasource has no video that is new and relevant."
        raise Aborted(message)
    return names


def _videos(
    docker: dict[str, Any], dataset: dict[str, Any], source: _Place, target: _Place
) -> list[str]:
    # By default a run takes what is new since the last one.
    processes_all = (docker.get("datasource") or {}).get("processAll")
    done_until = dataset.get("datasourceProcessedUntilTimestamp", 0)
    found = list(source.videos(after=0 if processes_all else done_until))
    path = docker.get("relevantFilenamesFile")
    if not path:
        return found
    if not path.startswith(".lightly/"):
        message = f"The file of relevant filenames, {path}, is not under .lightly."
        raise Aborted(message)
    relevant = target.read(path).decode().splitlines()
    return [name for name in found if name in relevant]


def _frames(video: str, source: _Place, target: _Place, proportion: float) -> Iterator[str]:
    with tempfile.NamedTemporaryFile(suffix=Path(video).suffix) as file:
        file.write(source.read(video))
        file.flush()
        for frame in pick(Path(file.name), name=video, proportion=proportion):
            stem = frame.name.removesuffix(".png")
            target.write(f".lightly/frames/{frame.name}", frame.image)
            target.write(f".lightly/thumbnails/{stem}_thumb.png", frame.thumbnail)
            yield frame.name
