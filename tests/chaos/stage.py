"""One trial's world: all stand-ins, the cluster, and an observer who writes the history."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from curation.ledger import keys
from tests.chaos import account, bucket, hosted
from tests.chaos.account import Account
from tests.chaos.bucket import Buckets
from tests.chaos.clock import CLOCK
from tests.chaos.cluster import Channel, Cluster
from tests.chaos.hosted import Hosted
from tests.chaos.instance import Instance
from tests.chaos.promises import Call, Figures, History, Hold, RunFacts, Span
from tests.chaos.wire import Answer

if TYPE_CHECKING:
    from pathlib import Path

    from redis import Redis

    from curation.settings import Settings
    from tests.chaos.cluster import Delivery
    from tests.chaos.wire import Ask, Harm

# What is looked at of a run.
_FACTS = ("state", "ended_at", "deadline_at", "video", "error")
_BAD_END_STATES = ("failed", "canceled")
SECRETS = {
    "LIGHTLY_TOKEN": "canary-of-the-lightly-token",
    "AWS_SECRET_ACCESS_KEY": "canary-of-the-aws-key",
    "S3_EXTERNAL_ID": "canary-of-the-external-id",
}


class World:
    """Everything but the code under test."""

    def __init__(self, settings: Settings, redis: Redis, folder: Path, seed: int) -> None:
        """Makes an empty world.

        Args:
            settings: The settings in force.
            redis: The Redis that broker results and ledger are in.
            folder: An empty folder of its own.
            seed: Of all dice.
        """
        self.dice = random.Random(seed)
        self.settings = settings
        self.redis = redis
        self.skew_s = 0.0
        self.calls: list[Call] = []
        self.harms: list[tuple[frozenset[tuple[str, str]], Harm]] = []
        self.history = History(_figures(settings), ended_at=CLOCK.now)
        self.buckets = Buckets()
        self.video = b""
        self.keys: dict[str, str] = {}
        self._add_stand_ins(folder)
        self.n_twins = 0
        self._at_work: dict[tuple[str, str], Delivery] = {}
        self._states: dict[str, list[tuple[float, str]]] = {}
        self._facts: dict[str, dict[str, str]] = {}
        self._holds: dict[str, Hold] = {}
        self._expected: set[str] = set()
        self._dumps: dict[str, str] = {}

    def _add_stand_ins(self, folder: Path) -> None:
        settings = self.settings
        self.hosted = Hosted(
            folder,
            token=SECRETS["LIGHTLY_TOKEN"],
            buckets=self.buckets,
            state_s=self.dice.uniform(10.0, 40.0),
        )
        self.instance = Instance(
            self.dice,
            settings.run.lease_ttl_s,
            settings.ec2.max_uptime_s,
            log=self.log,
            worker=self.hosted.work,
        )
        self.account = Account(self.instance)
        self.cluster = Cluster(
            self.dice, settings.broker.visibility_timeout_s, settings.run.reap_interval_s
        )
        Channel.cluster = self.cluster

    def ledger_now(self) -> float:
        """The clock of Redis, which may be wrong."""
        return CLOCK.now + self.skew_s

    def answer(self, ask: Ask) -> Answer:
        """Does what is asked of any stand-in."""
        if ask.service in ("ec2", "ssm"):
            return self.account.answer(ask)
        if ask.service == "lightly":
            return self.hosted.answer(ask)
        if ask.service == "source":
            return bucket.ranged(ask, self.video, {"Content-Type": "video/mp4", "ETag": '"1"'})
        return self.buckets.answer(ask)

    def harm(self, ask: Ask) -> Harm | None:
        """Returns what goes wrong with this request."""
        for names, harm in self.harms:
            if (ask.service, self.operation_of(ask)) in names and harm.times != 0:
                if harm.times is not None:
                    harm.times -= 1
                return harm
        return None

    def operation_of(self, ask: Ask) -> str:
        """Returns the operation; looks after a stop have a name of their own."""
        if ask.operation == "DescribeInstances" and self.has_stopped():
            return "VerifyStop"
        return ask.operation

    def has_stopped(self) -> bool:
        """Whether the pipeline has asked for a stop in this boot."""
        return any(
            call.operation == "StopInstances" and call.time > self.instance.now.launched_at
            for call in self.calls
        )

    def log(self, call: Call) -> None:
        """Keeps a call."""
        run_id = self.cluster.run_id() if call.service != "watchdog" else ""
        self.calls.append(replace(call, run_id=run_id))
        delivery = self.cluster.current()
        if delivery and run_id:
            at_work = (delivery.name, run_id)
            last = self._at_work.get(at_work, delivery)
            self.n_twins += bool(last is not delivery and last.actor and not last.actor.is_over)
            self._at_work[at_work] = delivery

    def observe(self) -> None:
        """Looks at the ledger, and notes what has changed."""
        pipe = self.redis.pipeline(transaction=False)
        pipe.zrange(keys.RUNS, 0, -1)
        pipe.zrange(keys.leases_key(self.instance.instance_id), 0, -1, withscores=True)
        pipe.zrange(keys.expected_key(self.instance.instance_id), 0, -1)
        known = list(self._facts)
        for run_id in known:
            pipe.hmget(keys.run_key(run_id), _FACTS)
        run_ids, leases, expected, *values = pipe.execute()
        for run_id, found in zip(known, values, strict=True):
            self._observe_run(run_id, found)
        for run_id in set(run_ids) - set(known):
            self._observe_run(run_id, self.redis.hmget(keys.run_key(run_id), _FACTS))  # type: ignore[arg-type]  # redis-py's two faces
        self._observe_leases(dict(leases))
        for run_id in set(expected) - self._expected:
            self._expected.add(run_id)
            self.history.holds.append(Hold(run_id, CLOCK.now, CLOCK.now, CLOCK.now))

    def all_ended(self) -> bool:
        """Whether every run that is known is in an end state."""
        return bool(self._facts) and all("ended_at" in facts for facts in self._facts.values())

    def unended(self) -> list[str]:
        """Returns the runs that were seen in no end state."""
        return [run_id for run_id, facts in self._facts.items() if "ended_at" not in facts]

    def ended_badly(self) -> list[str]:
        """Returns the runs that failed or were canceled."""
        return [
            run_id for run_id, facts in self._facts.items() if facts["state"] in _BAD_END_STATES
        ]

    def end_trouble(self) -> None:
        """Lets everything go well from now on."""
        self.harms.clear()
        self.cluster.has_beat = True
        self.hosted.fails = False

    def finish(self, texts: dict[str, str]) -> History:
        """Returns the history of everything up to now."""
        self.observe()
        history, instance = self.history, self.instance
        self._observe_leases({})
        history.ended_at = CLOCK.now
        history.calls = self.calls
        history.billed = instance.billed
        history.kept += [Span(at, at + self.settings.run.boot_grace_s) for at in instance.by_hand]
        history.runs = [self._run_facts(run_id) for run_id in self._facts]
        history.scheduled = self.hosted.scheduled()
        history.workers = instance.most_workers
        history.objects = self.buckets.objects
        history.open_uploads = self.buckets.open_uploads
        history.texts = {
            **texts,
            "the ledger": json.dumps(self._dumps) + _dump(self.redis),
            "messages": "\n".join(self.cluster.texts),
        }
        history.canaries = tuple(SECRETS.values())
        return history

    def _observe_run(self, run_id: str, values: list[str | None]) -> None:
        facts = {name: value for name, value in zip(_FACTS, values, strict=True) if value}
        if not facts:
            return
        states = self._states.setdefault(run_id, [])
        if not states or states[-1][1] != facts["state"]:
            states.append((self.ledger_now(), facts["state"]))
            self._dumps[run_id] = json.dumps(self.redis.hgetall(keys.run_key(run_id)))
        self._facts[run_id] = facts

    def _observe_leases(self, leases: dict[str, float]) -> None:
        ttl_s = self.settings.run.lease_ttl_s
        for run_id, until in leases.items():
            renewed_at = until - self.skew_s - ttl_s
            known = self._holds.get(run_id) or Hold(run_id, CLOCK.now, renewed_at, 0.0)
            latest = max(renewed_at, known.renewed_at)
            self._holds[run_id] = replace(known, renewed_at=latest, end=latest + ttl_s)
        for run_id in set(self._holds) - set(leases):
            hold = self._holds.pop(run_id)
            end = min(CLOCK.now, hold.end)
            if self.history.wiped_at is not None:
                end = min(hold.end, self.instance.lease_until)
            self.history.holds.append(replace(hold, end=end))

    def _run_facts(self, run_id: str) -> RunFacts:
        facts = self._facts[run_id]
        video: dict[str, Any] = json.loads(facts.get("video") or "{}")
        error: dict[str, Any] = json.loads(facts.get("error") or "{}")
        return RunFacts(
            run_id,
            states=tuple(self._states[run_id]),
            deadline_at=float(facts["deadline_at"]),
            accepted_sha256=bucket.sha256(self.video),
            video_uri=video.get("uri", ""),
            sha256=video.get("sha256", ""),
            error=(error["code"], error["message"]) if error else (),
            idempotency_key=self.keys.get(run_id, ""),
        )


def refusal(
    ask: Ask, code: str, message: str = "Scripted.", *, headers: dict[str, str] | None = None
) -> Answer:
    """Returns each service's way to refuse; for Lightly and the source the code is a status."""
    if ask.service in ("ec2", "ssm"):
        return account.refusal(ask, code, message)
    if ask.service == "lightly":
        return hosted.refusal(int(code), message, headers=headers)
    if ask.service == "source":
        return Answer(int(code), headers=headers or {}, code=code)
    return bucket.refusal(account.status(code), code, message)


def _figures(settings: Settings) -> Figures:
    return Figures(
        lease_ttl_s=settings.run.lease_ttl_s,
        reap_interval_s=settings.run.reap_interval_s,
        max_uptime_s=settings.ec2.max_uptime_s,
    )


def _dump(redis: Redis) -> str:
    """Returns everything that is in Redis."""
    pipe = redis.pipeline(transaction=False)
    for kind in ("hash", "string", "zset", "list"):
        for key in redis.scan_iter("*", count=1_000, _type=kind):
            _ask_for(key, kind, pipe)
    return repr(pipe.execute())


def _ask_for(key: str, kind: str, pipe: Redis) -> None:
    if kind == "hash":
        pipe.hgetall(key)
    elif kind == "string":
        pipe.get(key)
    elif kind == "zset":
        pipe.zrange(key, 0, -1)
    else:
        pipe.lrange(key, 0, -1)
