"""The ledger's Redis: typed calls, atomic scripts, and one error when it is away."""

from __future__ import annotations

import functools
import logging
from importlib import resources
from typing import TYPE_CHECKING, Any, TypeVar, cast

from redis import Redis
from redis.backoff import ConstantBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import NoScriptError, RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError
from redis.retry import Retry

from curation.errors import OperatorError, TransientError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from redis.commands.core import Script

log = logging.getLogger(__name__)

T = TypeVar("T")

# `enqueue` promises an answer within 5 s, also when Redis accepts connections and then is silent.
_TIMEOUT_S = 2.5
# A refused or broken connection is tried again, because a restart takes a moment. Silence is not:
# the command may have been carried out, and three times the timeout would be too long.
_RETRIES = 2
_PAUSE_S = 0.25
# How long a write may take to reach the disk (`appendfsync everysec` needs up to a second). Less
# than the timeout of an answer, which would make it look like a server that is away.
_DISK_TIMEOUT_S = 2.0


class LedgerUnavailable(TransientError):  # noqa: N818  # what is the case, not what went wrong
    """Redis does not answer. Nothing was published; the same call may succeed later."""

    code = "redis:unreachable"


class Store:
    """Typed access to the ledger's Redis. Values are strings; times are seconds since the epoch.

    Args:
        redis: A client that decodes responses.
        clock: The time that everything is compared with; None for the server's own.
    """

    def __init__(self, redis: Redis, *, clock: Callable[[], float] | None = None) -> None:
        self._redis = redis
        self._clock = clock

    @classmethod
    def connect(cls, url: str) -> Store:
        """Returns a store that connects on its first call.

        Args:
            url: `redis://`, `rediss://` or `unix://`; may contain a password.
        """
        client = Redis.from_url(
            url,
            decode_responses=True,
            socket_connect_timeout=_TIMEOUT_S,
            socket_timeout=_TIMEOUT_S,
            socket_keepalive=True,
            health_check_interval=25,
            retry=Retry(ConstantBackoff(_PAUSE_S), _RETRIES, (RedisConnectionError,)),
        )
        return cls(client)

    def now(self) -> float:
        """Returns the time: by default the server's, which is one clock for all machines."""
        if self._clock:
            return self._clock()
        seconds, microseconds = self._call(self._redis.time)
        return float(seconds) + float(microseconds) / 1e6

    @property
    def address(self) -> str:
        """Where Redis is: host and port or a path, never a password."""
        facts = self._redis.connection_pool.connection_kwargs
        return str(facts.get("path") or f"{facts.get('host')}:{facts.get('port')}")

    def facts(self) -> dict[str, str]:
        """Returns what Redis says about itself (INFO)."""
        found = cast("dict[str, object]", self._call(self._redis.info))
        return {name: str(value) for name, value in found.items()}

    def script(self, name: str, keys: Sequence[str], args: Sequence[str | float]) -> Any:  # noqa: ANN401  # a script answers what it likes; each caller states the type
        """Runs `lua/<name>.lua` atomically.

        Args:
            name: File name without `.lua`.
            keys: Keys that the script touches.
            args: Its arguments; numbers are sent with full precision.
        """
        script = self._scripts(name)
        return self._call(lambda: script(keys=list(keys), args=_sent(args)))

    def script_to_disk(self, name: str, keys: Sequence[str], args: Sequence[str | float]) -> Any:  # noqa: ANN401  # as above
        """Runs a script that writes, and returns when that is on the server's disk.

        A server without an append-only file, one that does not know WAITAOF (Redis before 7.2) and
        one whose user may not ask answer at once; a disk that hangs holds nobody up for long.
        """
        # One pipeline is one connection: WAITAOF waits for what its own connection wrote.
        pipe = self._redis.pipeline(transaction=False)
        self._scripts(name)(keys=list(keys), args=_sent(args), client=pipe)
        pipe.waitaof(1, 0, int(1000 * _DISK_TIMEOUT_S))

        def run() -> tuple[Any, object]:
            answer, synced = pipe.execute(raise_on_error=False)
            if isinstance(answer, RedisError):
                raise answer
            return answer, synced

        answer, synced = self._call(run)
        if isinstance(synced, list) and not synced[0]:
            log.warning("Redis has not written to its disk within %g s", _DISK_TIMEOUT_S)
        return answer

    def hash_of(self, key: str) -> dict[str, str]:
        """Returns all fields of a hash; empty if there is none."""
        return cast("dict[str, str]", self._call(lambda: self._redis.hgetall(key)))

    def hashes_of(self, keys: Sequence[str]) -> list[dict[str, str]]:
        """Returns several hashes in one round trip."""
        pipe = self._redis.pipeline(transaction=False)
        for key in keys:
            pipe.hgetall(key)
        return cast("list[dict[str, str]]", self._call(pipe.execute))

    def set_fields(self, key: str, fields: Mapping[str, str | float | int]) -> None:
        """Writes fields of a hash."""
        sent = {name: str(value) for name, value in fields.items()}
        self._call(lambda: self._redis.hset(key, mapping=cast("dict[Any, Any]", sent)))

    def replace_fields(self, key: str, fields: Mapping[str, float], *, ttl_s: int) -> None:
        """Makes a hash consist of these fields alone."""
        pipe = self._redis.pipeline(transaction=True)
        pipe.delete(key)
        if fields:
            sent = {name: repr(value) for name, value in fields.items()}
            pipe.hset(key, mapping=cast("dict[Any, Any]", sent))
            pipe.expire(key, ttl_s)
        self._call(pipe.execute)

    def update_fields(self, key: str, fields: Mapping[str, str | float | int]) -> bool:
        """Writes fields of a record; False if there is none, or it has ended."""
        parts = [part for field in fields.items() for part in field]
        return bool(self.script("update_hash", [key], parts))

    def count_up(self, key: str, field: str) -> int:
        """Adds 1 to a field of a hash and returns it."""
        return self._call(lambda: self._redis.hincrby(key, field, 1))

    def drop_fields(self, key: str, *fields: str) -> None:
        """Deletes fields of a hash."""
        self._call(lambda: self._redis.hdel(key, *fields))

    def value_of(self, key: str) -> str | None:
        """Returns a string, or None."""
        return cast("str | None", self._call(lambda: self._redis.get(key)))

    def fields_of(self, keys: Sequence[str], *names: str) -> list[list[str | None]]:
        """Returns a few fields of several hashes in one round trip."""
        pipe = self._redis.pipeline(transaction=False)
        for key in keys:
            pipe.hmget(key, *names)
        return cast("list[list[str | None]]", self._call(pipe.execute))

    def lengths_of(
        self,
        *,
        lists: Sequence[str] = (),
        hashes: Sequence[str] = (),
        sorted_sets: Sequence[str] = (),
    ) -> list[int]:
        """Returns how many items these have, in one round trip; none is 0."""
        pipe = self._redis.pipeline(transaction=False)
        for key in lists:
            pipe.llen(key)
        for key in hashes:
            pipe.hlen(key)
        for key in sorted_sets:
            pipe.zcard(key)
        return cast("list[int]", self._call(pipe.execute))

    def scores_of(self, key: str, *, most: int = 0) -> dict[str, float]:
        """Returns a sorted set as member to score, lowest score first; `most` of them if given."""
        pairs = self._call(lambda: self._redis.zrange(key, 0, most - 1, withscores=True))
        return {member: float(score) for member, score in cast("list[tuple[str, float]]", pairs)}

    def set_value(self, key: str, value: str, *, ttl_s: int) -> None:
        """Writes a string that lives for a while."""
        self._call(lambda: self._redis.set(key, value, ex=max(ttl_s, 1)))

    def newest_of(self, key: str, count: int, *, skip: int = 0) -> list[str]:
        """Returns `count` members, the highest score first, without the first `skip`."""
        end = skip + count - 1
        members = self._call(lambda: self._redis.zrange(key, skip, end, desc=True))
        return cast("list[str]", members)

    def remove_member(self, key: str, member: str) -> None:
        """Removes a member of a sorted set."""
        self._call(lambda: self._redis.zrem(key, member))

    def _call(self, command: Callable[[], T]) -> T:
        try:
            return command()
        # A script that is unknown although it was just loaded: Redis was restarted in between.
        except (RedisConnectionError, RedisTimeoutError, NoScriptError) as error:
            raise LedgerUnavailable(
                f"Redis at {self.address} does not answer ({type(error).__name__}). "
                "Start it, or correct REDIS_URL."
            ) from error
        except RedisError as error:
            raise OperatorError(
                f"Redis at {self.address} refused a command: {error}. "
                "Check the user's rights and the memory policy (it must be noeviction).",
                code="redis:refused",
            ) from error

    @functools.cache  # noqa: B019  # a store lives as long as its process
    def _scripts(self, name: str) -> Script:
        return self._redis.register_script(_source(name))


def _sent(args: Sequence[str | float]) -> list[str]:
    return [repr(arg) if isinstance(arg, float) else str(arg) for arg in args]


@functools.cache
def _source(name: str) -> str:
    """Returns the Lua text; `-- uses: NAME` in its first line puts that file in front."""
    folder = resources.files("curation.ledger") / "lua"
    text = (folder / f"{name}.lua").read_text(encoding="utf-8")
    _, uses, used = text.partition("\n")[0].partition("-- uses: ")
    return (folder / f"{used}.lua").read_text(encoding="utf-8") + text if uses else text
