"""A history: plain facts about what happened, from which the promises are checked.

Whoever makes one - the in-process matrix, or cells with real processes - fills in what the
stand-ins saw, what the ledger said over time, and what is left at the end.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Figures:
    """What is promised, in seconds.

    Attributes:
        lease_ttl_s: LEASE_TTL_S.
        reap_interval_s: REAP_INTERVAL_S.
        max_uptime_s: MAX_UPTIME_S.
        watchdog_s: What the watchdog may need after a lease is over.
        refusal_s: The longest pause after a refused stop before EC2 is asked again.
        fence_s: How long a start for a run that had ended may take to be undone.
    """

    lease_ttl_s: float
    reap_interval_s: float
    max_uptime_s: float
    watchdog_s: float = 120.0
    refusal_s: float = 60.0
    fence_s: float = 300.0


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
        idempotency_key: The key it was asked for with.
    """

    run_id: str
    states: tuple[tuple[float, str], ...]
    deadline_at: float
    accepted_sha256: str = ""
    video_uri: str = ""
    sha256: str = ""
    error: tuple[str, str] | tuple[()] = ()
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
        resumed: By each ended run that somebody resumed when all trouble was over, the new run's
            id; empty if it was refused.
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
    resumed: dict[str, str] = field(default_factory=dict)
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
