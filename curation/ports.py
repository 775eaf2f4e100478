"""What the steps need from the outside world; adapters in `curation/adapters` provide it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager
    from typing import BinaryIO

    from curation.models import Run
    from curation.states import InstanceState


# --- where videos come from -------------------------------------------------------------------


@dataclass(frozen=True)
class SourceVideo:
    """One video that a source offers, before its bytes are fetched.

    Attributes:
        url: Where its bytes are. May be private (a signed link): for the ledger, never for logs.
        public_url: The same place for people: without credentials, signature or query secrets.
        name: File name as the source calls it; not yet safe for a key.
        size_bytes: Length in bytes, or None when the source does not say.
        content_type: MIME type as the source calls it, or None.
        validator: ETag or the like that changes with the content, or None.
        resumable: Whether `open` can begin at an offset.
    """

    url: str
    public_url: str
    name: str
    size_bytes: int | None = None
    content_type: str | None = None
    validator: str | None = None
    resumable: bool = False


class VideoSource(Protocol):
    """Where raw video comes from."""

    @property
    def exclusive(self) -> bool:
        """Whether a video that one run has taken is not given to another (folder, prefix)."""
        ...

    def candidates(self) -> Iterator[SourceVideo]:
        """Yields the videos on offer, the preferred one first.

        Raises:
            RequestError: If the source does not exist or what it offers is no video.
            OperatorError: If a key or permission is missing.
            TransientError: If the source cannot be reached now.
        """
        ...

    def open(self, video: SourceVideo, *, offset: int) -> AbstractContextManager[Iterator[bytes]]:
        """Opens the video's bytes from `offset` (0 unless `resumable`), as chunks up to 1 MiB.

        Raises:
            RequestError: If it is gone, is no video, or its content has changed.
            TransientError: If the connection fails or ends before the promised length.
        """
        ...


# --- where objects are ------------------------------------------------------------------------


@dataclass(frozen=True)
class ObjectInfo:
    """An object in a bucket."""

    uri: str
    size_bytes: int
    content_type: str | None


@dataclass(frozen=True)
class Part:
    """One uploaded part of a multipart upload; `number` counts from 1."""

    number: int
    etag: str
    size_bytes: int
    sha256: str


@dataclass(frozen=True)
class OpenUpload:
    """A multipart upload that is neither completed nor aborted."""

    uri: str
    upload_id: str


# Code of the TransientError that says: this upload, or a part of it, is no longer there.
UPLOAD_GONE = "upload:gone"


class Uploads(Protocol):
    """Multipart uploads. Every method may be called again after a lost answer."""

    def begin(self, uri: str, *, content_type: str) -> str:
        """Begins a multipart upload and returns its upload id."""
        ...

    def put_part(self, uri: str, upload_id: str, *, number: int, data: bytes) -> Part:
        """Uploads part `number` (from 1; 5 MiB or more except the last)."""
        ...

    def complete(self, uri: str, upload_id: str, parts: Sequence[Part]) -> None:
        """Makes the object of its parts. Succeeds if that has already happened."""
        ...

    def abort(self, uri: str, upload_id: str) -> None:
        """Drops the upload and its parts. Succeeds if there is none."""
        ...

    def unfinished(self, uri: str) -> list[str]:
        """Returns the ids of the object's open uploads; none if the server does not list them."""
        ...

    def open_under(self, prefix_uri: str) -> list[OpenUpload]:
        """Returns all open uploads under a prefix; none if the server does not list them."""
        ...


class Objects(Protocol):
    """Whole objects, named by `s3://bucket/key`."""

    def head(self, uri: str) -> ObjectInfo | None:
        """Returns the object's facts, or None if there is none."""
        ...

    def under(self, uri: str) -> Iterator[ObjectInfo]:
        """Yields the objects whose URIs begin with this one, by name, without their types."""
        ...

    def read(self, uri: str) -> AbstractContextManager[Iterator[bytes]]:
        """Opens the whole object as a stream of chunks."""
        ...

    def open(self, uri: str) -> BinaryIO:
        """Opens the object as a seekable file that fetches ranges as they are read."""
        ...

    def put(self, uri: str, data: bytes, *, content_type: str) -> None:
        """Writes a small object in one request."""
        ...

    def delete(self, uri: str) -> None:
        """Deletes the object. Succeeds if there is none."""
        ...


# --- is it a video? ---------------------------------------------------------------------------


class VideoProbe(Protocol):
    """Tells whether bytes are a video that the engine can decode."""

    def check_head(self, head: bytes, *, name: str) -> str:
        """Returns the MIME type that the first bytes (4 KiB or all) prove.

        Raises:
            RequestError: If they are not the beginning of an accepted container.
        """
        ...

    def check(self, video: BinaryIO, *, name: str) -> None:
        """Decodes the first frame.

        Raises:
            RequestError: If it cannot be decoded, has no video stream or is beyond the limits.
        """
        ...


# --- the instance -----------------------------------------------------------------------------


@dataclass(frozen=True)
class InstanceView:
    """An instance as EC2 describes it.

    Attributes:
        instance_id: EC2's id.
        state: EC2's state.
        launched_at: EC2's `LaunchTime` in seconds since the epoch: the name of this boot.
        tags: EC2 tags.
    """

    instance_id: str
    state: InstanceState
    launched_at: float
    tags: dict[str, str]


class Instances(Protocol):
    """EC2. Every error is a TransientError or an OperatorError with an `ec2:…` code."""

    def describe(self, instance_id: str) -> InstanceView:
        """Looks at the instance."""
        ...

    def start(self, instance_id: str) -> InstanceState:
        """Starts it and returns the state EC2 answers. Harmless when it runs."""
        ...

    def stop(self, instance_id: str) -> InstanceState:
        """Stops it and returns the state EC2 answers. Harmless when it is stopped."""
        ...

    def tag(self, instance_id: str, tags: Mapping[str, str]) -> None:
        """Sets tags, and leaves the others as they are. Holds nobody up."""
        ...

    def billed(self, tag: str) -> list[InstanceView]:
        """Returns all instances of the region that bear the tag `true` and cost money now."""
        ...


@dataclass(frozen=True)
class Invocation:
    """One SSM command on one instance.

    Attributes:
        status: SSM's word, e.g. `Pending`, `InProgress`, `Success`, `Failed`.
        is_end: Whether that status is final.
        succeeded: Whether it is `Success`.
        detail: Exit code and the tails of both outputs, for an error message.
    """

    status: str
    is_end: bool
    succeeded: bool
    detail: str


class Shell(Protocol):
    """SSM. Every error is a TransientError or an OperatorError with an `ssm:…` code."""

    def is_online(self, instance_id: str, *, since: float) -> bool:
        """Whether the SSM agent is `Online` and has pinged after `since` (the boot's time)."""
        ...

    def launch(self, instance_id: str, *, boot: float) -> str:
        """Sends the launch of the worker's script, detached, and returns the command id."""
        ...

    def find_launch(self, instance_id: str, *, boot: float) -> str | None:
        """Returns the id of a launch that was sent in this boot, or None."""
        ...

    def invocation(self, instance_id: str, command_id: str) -> Invocation | None:
        """Looks at the command; None while SSM does not know it yet."""
        ...

    def cancel(self, instance_id: str, command_id: str) -> None:
        """Cancels the command if it is still going."""
        ...

    def renew_lease(self, instance_id: str, *, until: int) -> None:
        """Sends the instance's watchdog the time when its lease is over. Holds nobody up."""
        ...


# --- the selection ----------------------------------------------------------------------------


@dataclass(frozen=True)
class SelectionLook:
    """What one look at a selection run found.

    Attributes:
        state: The backend's own word.
        is_end: Whether that state is final.
        succeeded: Whether the frames are selected.
        message: Why it ended badly, or an empty string.
        code: Error code of a bad end.
        n_frames: Frames seen so far or in all, or None.
        n_selected: Frames selected, or None.
        filenames_uri: Object that lists the selected frames, or None.
        report_uri: Object that shows the report, or None.
    """

    state: str
    is_end: bool = False
    succeeded: bool = False
    message: str = ""
    code: str = "selection:failed"
    n_frames: int | None = None
    n_selected: int | None = None
    filenames_uri: str | None = None
    report_uri: str | None = None


class SelectionBackend(Protocol):
    """Who selects. Methods may be called again after any failure; no second run comes of it."""

    def schedule(self, run: Run) -> str:
        """Schedules the selection run, or finds the one already scheduled, and returns its id."""
        ...

    def look(self, run: Run) -> SelectionLook:
        """Looks once at the selection run."""
        ...

    def cancel(self, run: Run) -> None:
        """Cancels the selection run if it is still going."""
        ...


# --- messages to people -----------------------------------------------------------------------


class Notifier(Protocol):
    """Sends messages to people."""

    @property
    def names(self) -> list[str]:
        """The targets, fit to be shown."""
        ...

    def send(self, title: str, body: str, *, only: Collection[int] = ()) -> list[int]:
        """Sends a message to all targets, or to those at these places (from 1).

        Returns:
            The places of the targets that it did not reach.
        """
        ...
