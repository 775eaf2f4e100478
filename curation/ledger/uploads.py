"""Uploads in the ledger: which video a run has, and how far its way into the bucket has come."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

from curation.errors import TransientError
from curation.ledger import keys
from curation.models import Video
from curation.ports import Part, SourceVideo

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from curation.ledger.store import Store

_PART = "part:"


@dataclass(frozen=True)
class Upload:
    """What the ledger knows of a run's upload.

    Attributes:
        video: The video that the run has.
        uri: Where it goes; empty until its first bytes have proved what it is.
        upload_id: Id of the multipart upload; empty until it has begun.
        parts: Finished parts, without a gap from the first one on.
        is_whole: Whether these are all parts.
        result: The verified object, at the end.
    """

    video: SourceVideo
    uri: str = ""
    upload_id: str = ""
    parts: list[Part] = field(default_factory=list)
    is_whole: bool = False
    result: Video | None = None


class UploadLedger:
    """Keeps uploads over deliveries. Whatever two deliveries of a run write, one upload holds."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def get(self, run_id: str) -> Upload | None:
        """Returns the run's upload, or None if it has no video yet."""
        fields = self._store.hash_of(keys.upload_key(run_id))
        return _to_upload(fields) if "video" in fields else None

    def choose(self, run_id: str, video: SourceVideo, *, exclusive: bool) -> bool:
        """Gives the run this video, unless it has one already.

        Args:
            run_id: The run.
            video: The video.
            exclusive: Whether a video that one run has taken is not given to another.

        Returns:
            Whether the run has a video now; False if another run has taken this one.
        """
        chosen: int = self._store.script(
            "choose_video",
            [keys.upload_key(run_id), keys.taken_key(video.url), keys.UPLOADS],
            [
                run_id,
                video.url,
                json.dumps(asdict(video)),
                int(exclusive),
                keys.WORK_TTL_S,
                self._store.now(),
            ],
        )
        return bool(chosen)

    def place(self, run_id: str, uri: str) -> None:
        """Writes where the object will lie, before anything is there that could be left over."""
        self._store.update_fields(keys.upload_key(run_id), {"uri": uri})

    def begin(self, run_id: str, upload_id: str) -> str:
        """Writes the multipart upload's id, and returns the one that was written first.

        An empty string says that the ledger does not know the upload any more.
        """
        held: str = self._store.script("begin_upload", [keys.upload_key(run_id)], [upload_id])
        return held

    def add_part(self, run_id: str, upload_id: str, part: Part) -> None:
        """Writes a finished part.

        Raises:
            TransientError: If another delivery has given this upload up.
        """
        self._write(run_id, upload_id, f"{_PART}{part.number}", json.dumps(asdict(part)))

    def close(self, run_id: str, upload_id: str, *, n_parts: int) -> None:
        """Writes that all parts are up, and how many there are.

        Raises:
            TransientError: If another delivery has given this upload up.
        """
        self._write(run_id, upload_id, "n_parts", str(n_parts))

    def finish(self, run_id: str, upload_id: str, result: Video) -> None:
        """Writes the verified object.

        Raises:
            TransientError: If another delivery has given this upload up.
        """
        self._write(run_id, upload_id, "result", result.model_dump_json())
        self._store.remove_member(keys.UPLOADS, run_id)

    def restart(self, run_id: str, upload_id: str, *, n_parts: int | None) -> bool:
        """Forgets the upload if it is still as the caller saw it, so that it begins anew.

        Args:
            run_id: The run.
            upload_id: The upload as seen.
            n_parts: Its number of parts as seen, or None if not all were up.
        """
        seen = "" if n_parts is None else str(n_parts)
        return self._forget(run_id, upload_id, seen)

    def give_up(self, run_id: str) -> bool:
        """Forgets the upload whatever its state; False if it is finished, which stays."""
        return self._forget(run_id, "*", "*")

    def unfinished(self) -> list[str]:
        """Returns the runs whose upload is neither finished nor cleared away."""
        return list(self._store.scores_of(keys.UPLOADS))

    def clear(self, run_id: str) -> None:
        """Writes that nothing of the run's upload is left over."""
        self._store.remove_member(keys.UPLOADS, run_id)

    def mark_orphans(self, upload_ids: Sequence[str]) -> dict[str, float]:
        """Notes since when these open uploads seem to be left over, and forgets all others.

        Returns:
            Seconds for which each has been marked; 0 for a new one.
        """
        now, marks = self._store.now(), self._store.hash_of(keys.ORPHANS)
        # A mark that lies ahead was set before the clock was set back.
        since = {upload_id: min(float(marks.get(upload_id, now)), now) for upload_id in upload_ids}
        self._store.replace_fields(keys.ORPHANS, since, ttl_s=keys.WORK_TTL_S)
        return {upload_id: now - marked_at for upload_id, marked_at in since.items()}

    def _forget(self, run_id: str, upload_id: str, n_parts: str) -> bool:
        forgotten: int = self._store.script(
            "forget_upload", [keys.upload_key(run_id)], [upload_id, n_parts]
        )
        return bool(forgotten)

    def _write(self, run_id: str, upload_id: str, name: str, value: str) -> None:
        written: int = self._store.script(
            "write_upload",
            [keys.upload_key(run_id)],
            [upload_id, name, value, keys.WORK_TTL_S],
        )
        if not written:
            raise TransientError(
                f"The upload of run {run_id} was given up by another delivery of its message.",
                code="upload:superseded",
            )


def _to_upload(fields: Mapping[str, str]) -> Upload:
    n_parts = fields.get("n_parts")
    result = fields.get("result")
    return Upload(
        video=SourceVideo(**json.loads(fields["video"])),
        uri=fields.get("uri", ""),
        upload_id=fields.get("upload_id", ""),
        parts=_parts(fields, at_most=None if n_parts is None else int(n_parts)),
        is_whole=n_parts is not None,
        result=Video.model_validate_json(result) if result else None,
    )


def _parts(fields: Mapping[str, str], *, at_most: int | None) -> list[Part]:
    """Returns the parts up to the first gap; a source without ranges may leave later ones over."""
    parts: list[Part] = []
    while len(parts) != at_most and (text := fields.get(f"{_PART}{len(parts) + 1}")):
        parts.append(Part(**json.loads(text)))
    return parts
