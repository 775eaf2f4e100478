"""Where each step of a run shows on the wire, so that a strike comes at the right moment."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Place:
    """A request by which a step is recognised.

    Attributes:
        server: The server that gets it.
        request: Pattern of its bytes; only our own processes send such a one.
    """

    server: str
    request: bytes


PLACES = {
    "enqueue": Place("valkey", rb"LPUSH\r\n\$\d+\r\ningest\r\n"),
    "find": Place("pexels", rb"GET /v1/videos/popular"),
    "download": Place("files", rb"GET /clip\.mp4"),
    "upload": Place("s3", rb"PUT /input/\S+partNumber=1"),
    # The end of an upload, after which the object is there.
    "upload-end": Place("s3", rb"<CompleteMultipartUpload"),
    "start": Place("cloud", rb"Action=StartInstances"),
    "wait-running": Place("cloud", rb"Action=DescribeInstances"),
    "wait-ssm": Place("cloud", rb"DescribeInstanceInformation"),
    "send": Place("cloud", rb"Launch of the selection worker"),
    "invocation": Place("cloud", rb"GetCommandInvocation"),
    "create-dataset": Place("lightly", rb"POST /v1/datasets\?"),
    "schedule": Place("lightly", rb"POST /v1/datasets/\w+/docker/worker/schedule"),
    "poll": Place("lightly", rb"GET /v1/docker/runs/schedule/"),
    "stop": Place("cloud", rb"Action=StopInstances"),
    # After a stop only; see `Play.at`.
    "verify-stop": Place("cloud", rb"Action=DescribeInstances"),
}
