"""The checker: a history of plain facts, and one function for each promise that finds its breaks.

It knows nothing of the code under test. Whoever makes a history - the in-process matrix, or cells
with real processes - fills in what the stand-ins saw, what the ledger said over time, and what is
left at the end.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

END_STATES = ("completed", "failed", "canceled")
_RANK = {state: rank for rank, state in enumerate(("pending", "preparing", "selecting"))} | {
    "finishing": 3,
    **dict.fromkeys(END_STATES, 4),
}
# Times come from samples and over several clocks; this much is no break.
_SLACK_S = 2.0


@dataclass(frozen=True)
class Figures:
    """What is promised, in seconds.

    Attributes:
        lease_ttl_s: LEASE_TTL_S.
        reap_interval_s: REAP_INTERVAL_S.
        max_uptime_s: MAX_UPTIME_S.
        watchdog_s: What the watchdog may need after a lease is over.
        refusal_s: The longest pause after a refused stop before EC2 is asked again.
    """

    lease_ttl_s: float
    reap_interval_s: float
    max_uptime_s: float
    watchdog_s: float = 120.0
    refusal_s: float = 60.0


@dataclass(frozen=True)
class Span:
    """A stretch of time, in seconds since the epoch; `end` is None while it goes on."""

    begin: float
    end: float | None = None

    def overlaps(self, begin: float, end: float) -> bool:
        """Whether any of it lies between `begin` and `end`."""
        return self.begin < end and (self.end is None or self.end > begin)


@dataclass(frozen=True)
class Call:
    """A request that a stand-in saw.

    Attributes:
        time: When it came in.
        service: `ec2`, `ssm`, `lightly`, `s3`, or `sandbox` for a hand from outside.
        operation: For example `StopInstances`.
        code: `ok`, an error code, or the kind of the fault that struck.
        acted: Whether the stand-in did what was asked.
        run_id: The run for which it was sent; empty if it is not known, or was none.
    """

    time: float
    service: str
    operation: str
    code: str = "ok"
    acted: bool = True
    run_id: str = ""


@dataclass(frozen=True)
class Hold:
    """A run's lease, as the ledger showed it.

    Attributes:
        run_id: The run.
        begin: When it was granted.
        renewed_at: When it was last renewed.
        end: When it was given back, or over.
    """

    run_id: str
    begin: float
    renewed_at: float
    end: float


@dataclass(frozen=True)
class RunFacts:
    """A run, as everybody could see it.

    Attributes:
        run_id: The run.
        states: Each state with the time when it was first seen, oldest first.
        deadline_at: When it must be in an end state.
        accepted_sha256: Of the video that its source serves; empty if it serves none.
        video_uri: Object that the ledger names; empty if none.
        sha256: Of that object, as the ledger has it.
        error: Code and message of its error; empty without one.
        can_resume: Whether `resume` takes it; None if that was not tried.
        idempotency_key: The key it was asked for with.
    """

    run_id: str
    states: tuple[tuple[float, str], ...]
    deadline_at: float
    accepted_sha256: str = ""
    video_uri: str = ""
    sha256: str = ""
    error: tuple[str, str] | tuple[()] = ()
    can_resume: bool | None = None
    idempotency_key: str = ""

    @property
    def state(self) -> str:
        """The state it was last seen in."""
        return self.states[-1][1] if self.states else ""


@dataclass
class History:
    """Everything that can be known of what happened.

    Attributes:
        figures: What is promised.
        ended_at: When it was last looked.
        calls: What the stand-ins saw, oldest first.
        billed: Spans in which the instance was pending or running.
        holds: The leases of runs.
        kept: Spans in which a person may keep the instance: by tag, or by the grace after a boot.
        outages: Spans in which Redis, beat or the reaper did not live.
        dead_from: When the control plane died for good.
        wiped_at: When the ledger was lost.
        runs: The runs.
        scheduled: Run id of each selection run that exists on a backend.
        workers: How many Lightly Workers were at once on the instance, at most.
        objects: SHA-256 of each object in the buckets at the end, by its URI.
        open_uploads: URIs of multipart uploads that are open at the end.
        texts: Where secrets must not be, by name: ledger, logs, messages.
        canaries: The secrets.
    """

    figures: Figures
    ended_at: float
    calls: list[Call] = field(default_factory=list)
    billed: list[Span] = field(default_factory=list)
    holds: list[Hold] = field(default_factory=list)
    kept: list[Span] = field(default_factory=list)
    outages: list[Span] = field(default_factory=list)
    dead_from: float | None = None
    wiped_at: float | None = None
    runs: list[RunFacts] = field(default_factory=list)
    scheduled: list[str] = field(default_factory=list)
    workers: int = 0
    objects: dict[str, str] = field(default_factory=dict)
    open_uploads: list[str] = field(default_factory=list)
    texts: dict[str, str] = field(default_factory=dict)
    canaries: tuple[str, ...] = ()

    @property
    def has_ledger(self) -> bool:
        """Whether the ledger's storage and the control plane survived, which some promises need."""
        return self.wiped_at is None and self.dead_from is None


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
        if run.state in ("failed", "canceled") and run.can_resume is False:
            yield f"Run {run.run_id} is {run.state} and cannot be resumed"


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
        if not _is_billed(history, call.time):
            continue
        for hold in history.holds:
            if hold.run_id != call.run_id and hold.begin < call.time < hold.end - _SLACK_S:
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
    if history.workers > 1:
        yield f"{history.workers} Lightly Workers were on the instance at once"
    if not history.has_ledger:
        return
    for uri in history.open_uploads:
        yield f"A multipart upload of {uri} was left open"
    owners: dict[str, list[str]] = defaultdict(list)
    for uri in history.objects:
        for run in history.runs:
            if f"/{run.run_id}/" in uri and uri.endswith(".mp4"):
                owners[run.run_id].append(uri)
    for run in history.runs:
        stray = [uri for uri in owners[run.run_id] if uri != run.video_uri]
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


def _is_billed(history: History, time: float) -> bool:
    return any(span.begin <= time <= _end(history, span) + _SLACK_S for span in history.billed)


def _end(history: History, span: Span) -> float:
    return history.ended_at if span.end is None else span.end
