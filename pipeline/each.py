"""A run for every video of a source: a few at once, each video once, also after an interruption."""

from __future__ import annotations

import logging
from itertools import islice
from typing import TYPE_CHECKING

from curation.errors import CurationError, RequestError, TransientError
from curation.ledger.locks import locked
from curation.links import public_url
from curation.ports import SourceVideo
from curation.schedules import video_key
from pipeline.client import enqueue, ledger, resume
from workers.base import wiring

if TYPE_CHECKING:
    from curation.schedules import Each, Schedule

log = logging.getLogger(__name__)

# A look that has died keeps others out no longer.
_HOLD_S = 600.0
# A look that nobody took within this time need not be taken: the next one is asked for soon.
FORGET_LOOK_S = 60.0
# A file that is being copied grows at least this often, in seconds.
_STILL_S = 1.0
# What a folder or prefix without videos says; a new one may come.
_NOTHING_THERE = frozenset({"source:no-video", "source:not-found"})


def look(name: str) -> None:
    """Looks at the source of a watch or backfill, and enqueues runs for new videos.

    Args:
        name: The schedule.
    """
    with locked(ledger().store, f"schedule:{name}", hold_s=_HOLD_S) as alone:
        schedule = ledger().schedules.find(name) if alone else None
        if schedule is None or schedule.each is None or schedule.paused:
            return
        facts = {"looked_at": repr(ledger().store.now()), "problem": ""}
        try:
            _begin_runs(schedule, schedule.each)
        except CurationError as error:
            facts["problem"] = error.message
            if schedule.each.until_done and not isinstance(error, TransientError):
                facts["done_at"] = facts["looked_at"]  # another look would find the same
            log.warning("Source not looked at: %s", error, extra={"schedule": name})
        ledger().schedules.note(name, **facts)


def n_open(name: str) -> int:
    """Returns how many runs of a watch or backfill have not ended."""
    own = set(ledger().schedules.videos(name).values())
    return sum(run.run_id in own for run in ledger().runs.active())


def _begin_runs(schedule: Schedule, each: Each) -> None:
    schedules, name = ledger().schedules, schedule.name
    found, exclusive = _offer(schedule, each)
    known = schedules.videos(name)
    takers = schedules.takers(found) if exclusive else {}
    mine = {url: video_key(schedule, url) for url in found}
    open_ones = [url for url in found if url not in known]
    new = [url for url in open_ones if takers.get(url, mine[url]) == mine[url]]
    skipped = len(open_ones) - len(new)
    if each.limit is not None:
        new = new[: max(each.limit - len(known), 0)]
    again = _resume_some(name, each.at_once - n_open(name))
    begun, free = 0, max(each.at_once - n_open(name), 0)
    for url in _still(schedule, [found[url] for url in new])[:free]:
        begun += _begin(schedule, url, exclusive=exclusive)
    waiting = len(new) - begun + len(again)
    schedules.note(name, waiting=waiting, skipped=skipped)
    if each.until_done and not waiting and not n_open(name):
        schedules.note(name, done_at=repr(ledger().store.now()))


def _resume_some(name: str, free: int) -> list[str]:
    """Resumes runs of the videos that are to be tried again; returns those videos that wait."""
    again = ledger().schedules.again(name)
    for _ in range(min(free, len(again))):
        url = again[0]
        try:
            _resume(name, url)
        except RequestError as error:
            log.warning("Run not resumed: %s", error, extra={"schedule": name})
        del again[0]
        ledger().schedules.note_again(name, again)
    return again


def _resume(name: str, url: str) -> None:
    ended = ledger().schedules.videos(name)[url]
    # A look that died, or a person, may have done it already.
    goes_on = (run.run_id for run in ledger().runs.active() if run.resumed_from == ended)
    ledger().schedules.add_video(name, url, next(goes_on, None) or resume(ended))


def _offer(schedule: Schedule, each: Each) -> tuple[dict[str, SourceVideo], bool]:
    """Returns the videos of the source by URL, and whether each may be taken by one run only."""
    if each.links:
        return {url: SourceVideo(url, public_url(url), url) for url in each.links}, False
    uri = schedule.request.source or ""
    exclusive = wiring().video_source(uri).exclusive
    most = None if exclusive else each.limit
    try:
        return {video.url: video for video in islice(wiring().videos_of(uri), most)}, exclusive
    except RequestError as error:
        if error.code not in _NOTHING_THERE or each.until_done:
            raise
        return {}, exclusive


def _still(schedule: Schedule, videos: list[SourceVideo]) -> list[str]:
    """Returns the URLs of the videos that nobody is writing: a file must look as it did before."""
    schedules, now = ledger().schedules, ledger().store.now()
    before = schedules.seen(schedule.name)
    seen: dict[str, tuple[str, float]] = {}
    ready: list[str] = []
    for video in videos:
        is_file, validator = video.url.startswith("file:"), video.validator or ""
        was, since = before.get(video.url, ("", now))
        since = since if was == validator else now
        if not is_file or now - since >= _STILL_S:
            ready.append(video.url)
        if is_file:
            seen[video.url] = (validator, since)
    schedules.note_seen(schedule.name, seen)
    return ready


def _begin(schedule: Schedule, url: str, *, exclusive: bool) -> bool:
    """Enqueues a video's run; False if another run has just taken the video."""
    key = video_key(schedule, url)
    if exclusive and not ledger().schedules.take(url, key):
        return False
    run_id = enqueue(schedule.request.model_copy(update={"source": url, "idempotency_key": key}))
    ledger().schedules.add_video(schedule.name, url, run_id)
    log.info("Run enqueued", extra={"schedule": schedule.name, "run_id": run_id})
    return True
