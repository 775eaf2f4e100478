"""The checker: one function for each promise finds its breaks in a history.

It knows nothing of the code under test.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from tests.chaos.history import Call, Figures, History, Hold, RunFacts, Span

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "PROMISES",
    "Break",
    "Call",
    "Figures",
    "History",
    "Hold",
    "RunFacts",
    "Span",
    "check",
    "worst_time_to_stop_s",
]

END_STATES = ("completed", "failed", "canceled")
_RANK = {state: rank for rank, state in enumerate(("pending", "preparing", "selecting"))} | {
    "finishing": 3,
    **dict.fromkeys(END_STATES, 4),
}
# Times come from samples and over several clocks; this much is no break.
_SLACK_S = 2.0


@dataclass(frozen=True)
class Break:
    """A promise that was not kept."""

    promise: str
    what: str


def check(history: History) -> list[Break]:
    """Returns every break of every promise."""
    return [Break(name, what) for name, find in PROMISES.items() for what in find(history)]


def worst_time_to_stop_s(history: History) -> float:
    """Returns the longest time for which an instance was billed after it was last let go."""
    return max((end - since for since, end in _unheld(history)), default=0.0)


def never_left_running(history: History) -> Iterator[str]:
    """Promise 1: an instance that no live run holds is stopped in time, whoever is dead."""
    figures = history.figures
    for since, end in _unheld(history):
        limit_s = _limit_s(history, since)
        if end - since > limit_s + _SLACK_S:
            yield (
                f"The instance was billed for {end - since:.0f} s after it was let go, "
                f"{limit_s:.0f} s are allowed"
            )
    for span in history.billed:
        length_s = (history.ended_at if span.end is None else span.end) - span.begin
        if length_s > figures.max_uptime_s + figures.watchdog_s + _SLACK_S:
            yield f"The instance ran for {length_s:.0f} s, longer than its maximum lifetime"


def never_lost(history: History) -> Iterator[str]:
    """Promise 2: a video ends verified in the bucket, or its run failed, with the reason."""
    if not history.has_ledger:
        return
    for run in history.runs:
        if run.state == "completed" or (run.video_uri and run.accepted_sha256):
            if not run.video_uri or run.video_uri not in history.objects:
                yield f"The video of run {run.run_id} ({run.state}) is not in the bucket"
            elif not history.objects[run.video_uri] == run.sha256 == run.accepted_sha256:
                yield f"The video of run {run.run_id} is not what its source sent"
        if run.state == "failed" and not all(run.error or ("",)):
            yield f"Run {run.run_id} failed without a reason"
    yield from _badly_resumed(history)


def never_twice(history: History) -> Iterator[str]:
    """Promise 3: a run has at most one selection run, and a key at most one run."""
    if not history.has_ledger:
        return
    for run_id, count in Counter(history.scheduled).items():
        if count > 1:
            yield f"Run {run_id} has {count} selection runs"
    keys = Counter(run.idempotency_key for run in history.runs if run.idempotency_key)
    for key, count in keys.items():
        if count > 1:
            yield f"The idempotency key {key} has {count} runs"


def never_under_another(history: History) -> Iterator[str]:
    """Promise 4: an instance is never stopped while another run holds a lease on it."""
    for call in history.calls:
        if call.operation != "StopInstances" or not call.acted:
            continue
        is_dead = history.dead_from is not None and call.time > history.dead_from
        if is_dead or not _is_billed(history, call.time):
            continue
        for hold in history.holds:
            if hold.run_id == call.run_id or _gave_up(history, hold, call.time):
                continue
            if hold.begin < call.time < hold.end - _SLACK_S:
                who = call.run_id or "nobody in particular"
                yield f"Stopped for {who} while run {hold.run_id} held the instance"


def always_ended(history: History) -> Iterator[str]:
    """Promise 5: every run is in an end state by its deadline, and an end state never changes."""
    if not history.has_ledger:
        return
    for run in history.runs:
        ended_at = next((time for time, state in run.states if state in END_STATES), None)
        limit = run.deadline_at + _refused_for_s(history, run.deadline_at) + _SLACK_S
        limit = max(limit, max((_end(history, span) for span in history.outages), default=0.0) + 90)
        if ended_at is None and history.ended_at > limit:
            yield f"Run {run.run_id} is {run.state} after its deadline"
        if ended_at is not None and ended_at > limit:
            yield f"Run {run.run_id} ended {ended_at - run.deadline_at:.0f} s after its deadline"
        for (_, before), (_, after) in pairwise(run.states):
            if _RANK[after] <= _RANK[before]:
                yield f"Run {run.run_id} went from {before} to {after}"


def never_told(history: History) -> Iterator[str]:
    """Promise 6: no secret is in the ledger, a log or a message."""
    for place, text in history.texts.items():
        for canary in history.canaries:
            if canary in text:
                at = text.index(canary)
                context = text[max(at - 60, 0) : at] + "<secret>"
                yield f"A secret is in {place}: …{context!r}"


def nothing_left_over(history: History) -> Iterator[str]:
    """Beyond the promises: no open upload, no stray object, one Lightly Worker at a time."""
    for span in history.billed:
        length_s = _end(history, span) - span.begin
        if length_s > history.figures.fence_s and not _was_wanted(history, span):
            yield f"The instance was started for nobody and ran for {length_s:.0f} s"
    if history.workers > 1:
        yield f"{history.workers} Lightly Workers were on the instance at once"
    if not history.has_ledger:
        return
    for uri in history.open_uploads:
        yield f"A multipart upload of {uri} was left open"
    for run in history.runs:
        own = [uri for uri in history.objects if f"/{run.run_id}/" in uri and uri.endswith(".mp4")]
        stray = [uri for uri in own if uri != run.video_uri]
        if stray and run.state in END_STATES:
            yield f"Run {run.run_id} ({run.state}) left {', '.join(stray)} in the bucket"


PROMISES = {
    "1 nothing left running": never_left_running,
    "2 nothing lost": never_lost,
    "3 nothing twice": never_twice,
    "4 not under another run": never_under_another,
    "5 every run ends": always_ended,
    "6 no secret": never_told,
    "nothing left over": nothing_left_over,
}


def _badly_resumed(history: History) -> Iterator[str]:
    """Yields what came of resuming, but for runs that then did all that was left to do."""
    runs = {run.run_id: run for run in history.runs}
    began_uploads = {
        call.run_id for call in history.calls if call.operation == "CreateMultipartUpload"
    }
    for ended_id, resumed_id in history.resumed.items():
        ended, resumed = runs[ended_id], runs.get(resumed_id)
        if resumed is None or resumed.state != "completed":
            found = f"{resumed.state}: {resumed.error}" if resumed else "refused"
            yield f"Run {ended_id} ({ended.state}) was resumed in vain: {found}"
        elif ended.video_uri and (
            resumed.video_uri != ended.video_uri or resumed_id in began_uploads
        ):
            yield f"Run {resumed_id} uploaded the video of run {ended_id} a second time"


def _unheld(history: History) -> Iterator[tuple[float, float]]:
    """Yields when the instance was let go and when that ended, for each stretch without a hold."""
    for span in history.billed:
        end = _end(history, span)
        since = span.begin
        marks = [(hold.begin, _let_go_at(hold)) for hold in history.holds]
        marks += [(kept.begin, _end(history, kept)) for kept in history.kept]
        for begin, let_go in sorted(marks):
            if let_go <= span.begin or begin >= end:
                continue
            if begin > since:
                yield since, begin
            since = max(since, min(let_go, end))
        if end > since:
            yield since, end


def _let_go_at(hold: Hold) -> float:
    """Returns the holder's last sign of life: it gave the lease back, or renewed it last."""
    return max(hold.renewed_at, min(hold.end, hold.renewed_at + 1.0))


def _limit_s(history: History, since: float) -> float:
    figures = history.figures
    by_watchdog_s = figures.lease_ttl_s + figures.watchdog_s
    by_reaper_s = figures.lease_ttl_s + 2 * figures.reap_interval_s
    dead = history.dead_from is not None and history.dead_from < since + by_reaper_s
    out = any(span.overlaps(since, since + by_reaper_s) for span in history.outages)
    limit_s = by_watchdog_s if dead or out else by_reaper_s
    return limit_s + _refused_for_s(history, since + limit_s)


def _refused_for_s(history: History, until: float) -> float:
    """Returns by how many seconds EC2's refusals of a stop move a limit."""
    refused_at = [
        call.time
        for call in history.calls
        if call.operation == "StopInstances" and not call.acted and call.service == "ec2"
    ]
    moved = until
    for time in refused_at:
        if time <= moved + _SLACK_S:
            moved = max(moved, time + history.figures.refusal_s)
    return moved - until


def _was_wanted(history: History, span: Span) -> bool:
    """Whether a run or a person had it in this boot, or nobody lived who could stop it."""
    end = _end(history, span)
    held = any(hold.begin < end and hold.end > span.begin for hold in history.holds)
    out = any(out.overlaps(span.begin, end) for out in (*history.kept, *history.outages))
    return held or out or not history.has_ledger


def _gave_up(history: History, hold: Hold, time: float) -> bool:
    """Whether the run had asked for the stop by itself, so that it needs the instance no more."""
    return any(
        call.operation == "StopInstances" and call.run_id == hold.run_id
        for call in history.calls
        if hold.begin < call.time < time
    )


def _is_billed(history: History, time: float) -> bool:
    return any(span.begin <= time <= _end(history, span) + _SLACK_S for span in history.billed)


def _end(history: History, span: Span) -> float:
    return history.ended_at if span.end is None else span.end
