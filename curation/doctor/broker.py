"""Looks at Redis: is it there, does it keep what it is given."""

from __future__ import annotations

from typing import TYPE_CHECKING

from curation.doctor.check import Answer, Check, Health, NotChecked, Once, fail, ok, warn
from curation.doctor.examine import REDIS
from curation.errors import OperatorError
from curation.ledger.store import LedgerUnavailable, Store

if TYPE_CHECKING:
    from curation.settings import Settings

_HINT = "Start Redis, or correct REDIS_URL."
_AOF = "redis-cli CONFIG SET appendonly yes; and `appendonly yes` in its configuration file."
_NO_EVICTION = (
    "redis-cli CONFIG SET maxmemory-policy noeviction; and `maxmemory-policy noeviction` in its "
    "configuration file."
)


class BrokerChecks:
    """The checks on Redis; it is asked once for all of them."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._store = Once(self._connect)
        self._facts = Once(self._ask)

    def all(self) -> list[Check]:
        """Returns them."""
        return [
            Check(REDIS, self._answers, _HINT),
            Check("redis persistence", self._persistence, _HINT, worst=Health.WARN),
            Check("redis eviction", self._eviction, _HINT, worst=Health.WARN),
        ]

    def _connect(self) -> Store:
        return Store.connect(self._settings.broker.redis_url.get_secret_value())

    def _ask(self) -> dict[str, str]:
        # What every step of a run asks, and whoever may not, cannot run.
        self._store().now()
        try:
            return self._store().facts()
        except LedgerUnavailable:
            raise
        except OperatorError:
            return {}  # INFO is not permitted, and nothing but these checks needs it

    def _answers(self) -> Answer:
        facts = self._facts()
        name = "Valkey" if "valkey_version" in facts else "Redis"
        version = facts.get("valkey_version") or facts.get("redis_version", "of unknown version")
        return ok(f"{name} {version} at {self._store().address}.")

    def _persistence(self) -> Answer:
        facts = self._known()
        if facts.get("aof_last_write_status", "ok") != "ok":
            return fail(
                "Redis cannot write its append-only file.", "Look for a full disk in its log."
            )
        if facts.get("aof_enabled") == "1":
            return ok("The append-only file is on.")
        how = "off" if "aof_enabled" in facts else "on or off: Redis does not say it"
        return warn(
            f"The append-only file is {how}. If it is off, a restart of Redis loses runs.", _AOF
        )

    def _eviction(self) -> Answer:
        policy = self._known().get("maxmemory_policy")
        if policy == "noeviction":
            return ok("The eviction policy is noeviction.")
        if policy is None:
            return warn("The eviction policy is not known: Redis does not say it.", _NO_EVICTION)
        return fail(f"The eviction policy {policy} throws messages and runs away.", _NO_EVICTION)

    def _known(self) -> dict[str, str]:
        try:
            return self._facts()
        except OperatorError as error:
            raise NotChecked(REDIS) from error
