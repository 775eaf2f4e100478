"""Schedules in the ledger: changed at any time, and read anew at each look."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from curation.errors import RequestError
from curation.ledger import keys
from curation.schedules import Schedule, ScheduleState

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from curation.ledger.store import Store


class ScheduleLedger:
    """Which schedules there are, what they have asked for, and what they have seen."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def all(self) -> list[Schedule]:
        """Returns every schedule, by name."""
        known = self._store.hash_of(keys.SCHEDULES)
        return [Schedule.model_validate_json(known[name]) for name in sorted(known)]

    def find(self, name: str) -> Schedule | None:
        """Returns the schedule of that name, or None."""
        text = self._store.hash_of(keys.SCHEDULES).get(name)
        return Schedule.model_validate_json(text) if text else None

    def get(self, name: str) -> Schedule:
        """Returns the schedule of that name.

        Raises:
            RequestError: If there is none.
        """
        schedule = self.find(name)
        if schedule is None:
            raise RequestError(
                f"There is no schedule {name!r}. `curate schedule list` shows those that are.",
                code="schedule:unknown",
            )
        return schedule

    def save(self, schedule: Schedule) -> None:
        """Writes a schedule, a new one or one that is known."""
        self._store.set_fields(keys.SCHEDULES, {schedule.name: schedule.model_dump_json()})

    def remove(self, name: str) -> None:
        """Forgets a schedule and all about it; its runs stay."""
        self._store.drop_fields(keys.SCHEDULES, name)
        for key in (keys.schedule_key(name), keys.schedule_videos_key(name)):
            self._store.replace_fields(key, {}, ttl_s=keys.WORK_TTL_S)

    def state(self, name: str) -> ScheduleState:
        """Returns what has become of a schedule so far."""
        known = self._store.hash_of(keys.schedule_key(name))
        facts = {field: known[field] for field in ScheduleState.model_fields if known.get(field)}
        return ScheduleState.model_validate(facts | _times(facts))

    def note(self, name: str, **facts: str | float) -> None:
        """Writes facts of the schedule's state; an empty string stands for None."""
        if facts:
            self._store.set_fields(keys.schedule_key(name), facts)

    def videos(self, name: str) -> dict[str, str]:
        """Returns the videos that the schedule has a run for: URL to run id."""
        return self._store.hash_of(keys.schedule_videos_key(name))

    def add_video(self, name: str, url: str, run_id: str) -> None:
        """Writes that a video has its run."""
        self._store.set_fields(keys.schedule_videos_key(name), {url: run_id})

    def again(self, name: str) -> list[str]:
        """Returns the videos whose runs are to be resumed."""
        text = self._store.hash_of(keys.schedule_key(name)).get("again")
        return list(json.loads(text or "[]"))

    def note_again(self, name: str, urls: Iterable[str]) -> None:
        """Writes which they are."""
        self._store.set_fields(keys.schedule_key(name), {"again": json.dumps(list(urls))})

    def takers(self, urls: Iterable[str]) -> dict[str, str]:
        """Returns who has taken which videos of the folders or prefixes that these lie in."""
        places = {keys.taken_key(url) for url in urls}
        hashes = self._store.hashes_of(sorted(places))
        return {url: taker for taken in hashes for url, taker in taken.items()}

    def take(self, url: str, key: str) -> bool:
        """Takes a video of a folder or prefix for the run of an idempotency key.

        Returns:
            Whether it is that run's, now or since an earlier call.
        """
        taken: int = self._store.script("take_video", [keys.taken_key(url)], [url, key])
        return bool(taken)

    def seen(self, name: str) -> dict[str, tuple[str, float]]:
        """Returns how the files looked that may still be written: URL to validator, and since."""
        text = self._store.hash_of(keys.schedule_key(name)).get("seen")
        return {url: (look, since) for url, (look, since) in json.loads(text or "{}").items()}

    def note_seen(self, name: str, seen: Mapping[str, tuple[str, float]]) -> None:
        """Writes how they look now."""
        self._store.set_fields(keys.schedule_key(name), {"seen": json.dumps(seen)})


def _times(facts: Mapping[str, str]) -> dict[str, float]:
    return {field: float(facts[field]) for field in ("looked_at", "done_at") if field in facts}
