"""S3 in memory, with multipart uploads that can be listed; and the host that the video is on."""

from __future__ import annotations

import hashlib
import itertools
import re
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from tests.chaos.wire import Answer

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.chaos.wire import Ask

_XML = {"Content-Type": "application/xml"}
_RANGE = re.compile(r"bytes=(\d+)-(\d*)")


@dataclass
class _Object:
    data: bytes
    etag: str
    content_type: str


@dataclass
class _Upload:
    key: str
    content_type: str
    parts: dict[int, bytes] = field(default_factory=dict)


class Buckets:
    """All buckets; an object's name is `bucket/key`."""

    def __init__(self) -> None:
        self._objects: dict[str, _Object] = {}
        self._uploads: dict[str, _Upload] = {}
        self._ids = itertools.count(1)
        self._operations: dict[str, Callable[[Ask, str], Answer]] = {
            "CreateMultipartUpload": self._begin,
            "UploadPart": self._put_part,
            "CompleteMultipartUpload": self._complete,
            "AbortMultipartUpload": self._abort,
            "ListMultipartUploads": self._list_uploads,
            "HeadObject": self._get,
            "GetObject": self._get,
            "PutObject": self._put,
            "DeleteObject": self._delete,
        }

    @property
    def objects(self) -> dict[str, str]:
        """SHA-256 of each object, by its URI."""
        return {f"s3://{name}": sha256(item.data) for name, item in self._objects.items()}

    @property
    def open_uploads(self) -> list[str]:
        """URI of each upload that is neither completed nor aborted."""
        return [f"s3://{upload.key}" for upload in self._uploads.values()]

    def contents(self) -> list[tuple[str, bytes]]:
        """Returns each object as `bucket/key` and its data."""
        return [(name, item.data) for name, item in self._objects.items()]

    def answer(self, ask: Ask) -> Answer:
        """Does what is asked."""
        return self._operations[ask.operation](ask, ask.path.lstrip("/"))

    def _begin(self, ask: Ask, name: str) -> Answer:
        upload_id = f"upload-{next(self._ids)}"
        kind = ask.headers.get("Content-Type", "")
        self._uploads[upload_id] = _Upload(name, kind)
        bucket, _, key = name.partition("/")
        return _xml("InitiateMultipartUploadResult", Bucket=bucket, Key=key, UploadId=upload_id)

    def _put_part(self, ask: Ask, _: str) -> Answer:
        upload = self._uploads.get(ask.query["uploadId"][0])
        if upload is None:
            return refusal(404, "NoSuchUpload")
        upload.parts[int(ask.query["partNumber"][0])] = ask.body
        return Answer(200, headers={"ETag": _etag(ask.body)})

    def _complete(self, ask: Ask, name: str) -> Answer:
        upload_id = ask.query["uploadId"][0]
        upload = self._uploads.get(upload_id)
        if upload is None:
            return refusal(404, "NoSuchUpload")
        data = b""
        for part in ET.fromstring(ask.body).iter():
            if part.tag.endswith("Part"):
                number = int(next(item.text or "" for item in part if item.tag.endswith("Number")))
                etag = next(item.text or "" for item in part if item.tag.endswith("ETag"))
                if _etag(upload.parts.get(number, b"")) != etag:
                    return refusal(400, "InvalidPart")
                data += upload.parts[number]
        del self._uploads[upload_id]
        self._objects[name] = _Object(data, _etag(data), upload.content_type)
        bucket, _, key = name.partition("/")
        return _xml("CompleteMultipartUploadResult", Bucket=bucket, Key=key, ETag=_etag(data))

    def _abort(self, ask: Ask, _: str) -> Answer:
        if self._uploads.pop(ask.query["uploadId"][0], None) is None:
            return refusal(404, "NoSuchUpload")
        return Answer(204)

    def _list_uploads(self, ask: Ask, bucket: str) -> Answer:
        prefix = f"{bucket}/{ask.query.get('prefix', [''])[0]}"
        root = ET.Element("ListMultipartUploadsResult")
        for upload_id, upload in self._uploads.items():
            if upload.key.startswith(prefix):
                item = ET.SubElement(root, "Upload")
                ET.SubElement(item, "Key").text = upload.key.partition("/")[2]
                ET.SubElement(item, "UploadId").text = upload_id
        return Answer(200, ET.tostring(root), _XML)

    def _get(self, ask: Ask, name: str) -> Answer:
        found = self._objects.get(name)
        if found is None:
            return refusal(404, "NoSuchKey")
        headers = {"ETag": found.etag, "Content-Type": found.content_type}
        return ranged(ask, found.data, headers | {"Last-Modified": formatdate(0, usegmt=True)})

    def _put(self, ask: Ask, name: str) -> Answer:
        kind = ask.headers.get("Content-Type", "")
        self._objects[name] = _Object(ask.body, _etag(ask.body), kind)
        return Answer(200, headers={"ETag": _etag(ask.body)})

    def _delete(self, _: Ask, name: str) -> Answer:
        self._objects.pop(name, None)
        return Answer(204)


def sha256(data: bytes) -> str:
    """Returns the sum in hex."""
    return hashlib.sha256(data).hexdigest()


def ranged(ask: Ask, data: bytes, headers: dict[str, str]) -> Answer:
    """Returns the bytes that a GET asks for, or the length that a HEAD does."""
    if ask.method == "HEAD":
        return Answer(200, headers={**headers, "Content-Length": str(len(data))})
    asked = _RANGE.fullmatch(ask.headers.get("Range") or "")
    if not asked:
        return Answer(200, data, headers)
    start, end = int(asked[1]), int(asked[2] or len(data) - 1)
    part = data[start : end + 1]
    where = f"bytes {start}-{start + len(part) - 1}/{len(data)}"
    return Answer(206, part, {**headers, "Content-Range": where})


def refusal(status: int, code: str, message: str = "Refused.") -> Answer:
    """Returns S3's way to refuse."""
    root = ET.Element("Error")
    ET.SubElement(root, "Code").text = code
    ET.SubElement(root, "Message").text = message
    return Answer(status, ET.tostring(root), _XML, code)


def _xml(root: str, **fields: str) -> Answer:
    element = ET.Element(root)
    for name, value in fields.items():
        ET.SubElement(element, name).text = value
    return Answer(200, ET.tostring(element), _XML)


def _etag(data: bytes) -> str:
    return f'"{hashlib.md5(data).hexdigest()}"'
