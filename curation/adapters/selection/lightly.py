"""Selection backend `lightly`: the hosted service, and a Lightly Worker on the instance."""

from __future__ import annotations

import logging
import time
from functools import cached_property
from typing import TYPE_CHECKING

from curation.adapters.selection.lightly_api import DENIED, NOT_FOUND, LightlyApi
from curation.adapters.selection.lightly_plan import CONFIG, Plan
from curation.adapters.selection.lightly_results import keep_names, keep_report
from curation.errors import CurationError, OperatorError, TransientError
from curation.ports import SelectionLook

if TYPE_CHECKING:
    from collections.abc import Callable

    from curation.adapters.selection.lightly_api import LightlyRun, Scheduled
    from curation.ledger.hosted import HostedLedger, HostedRun
    from curation.models import Run
    from curation.ports import Objects
    from curation.setting_groups import LightlySettings, S3Settings

log = logging.getLogger(__name__)

_BAD_ENDS = ("FAILED", "CRASHED", "ABORTED", "CANCELED")
_UNKNOWN_RUN = "lightly:run:unknown"
_NO_TAG = "lightly:no-tag"
# What may be a hiccup of the service: a token refused once, a run or its tag not found once.
_DOUBTFUL = (DENIED, NOT_FOUND, _UNKNOWN_RUN, _NO_TAG)
# So many in a row are none.
MOST_DOUBTS = 3
# A run that stays scheduled is taken by the next Lightly Worker that comes, hence a few tries.
_CANCEL_TRIES = 3
_CANCEL_PAUSE_S = 0.2


class LightlyBackend:
    """Schedules selection runs on hosted Lightly and looks at them.

    Args:
        lightly: Token, dataset and labels.
        s3: The two buckets, and the role by which Lightly reads them.
        ledger: What is known of runs on Lightly.
        objects: Where results go.
    """

    def __init__(
        self, lightly: LightlySettings, s3: S3Settings, *, ledger: HostedLedger, objects: Objects
    ) -> None:
        self._lightly = lightly
        self._s3 = s3
        self._ledger = ledger
        self._objects = objects

    def schedule(self, run: Run) -> str:
        """Schedules the selection run, or finds it by its configuration.

        A configuration does nothing by itself, so it is made first, and its id is what tells an
        answer that was lost from a request that never came.
        """
        known = self._ledger.get(run.run_id)
        if known.scheduled_run_id:
            return known.scheduled_run_id
        plan = Plan.of(run, self._lightly, self._s3)
        dataset_id = known.dataset_id or self._dataset(run, plan)
        config_id = known.config_id or self._configure(run, plan, dataset_id)
        lock = f"schedule:{run.run_id}"
        with self._ledger.lock(lock) as owner:
            found = self._find(self._ledger.get(run.run_id))
            if found:
                ours = found.scheduled_run_id
            else:
                # Whoever stood still since it took the lock is stopped here. Between here and the
                # service nobody can be; what comes too late is taken back, by whoever sees it.
                self._ledger.begin_call(run.run_id, lock, owner)
                ours = self._api.schedule(dataset_id, config_id, plan.runs_on)
            known = self._ledger.note(run.run_id, scheduled_run_id=ours)
        self._cancel_surplus(run, known)
        return known.scheduled_run_id or ours

    def look(self, run: Run) -> SelectionLook:
        """Looks once; what may be a hiccup of the service is believed the third time."""
        try:
            look = self._look(run)
        except OperatorError as error:
            if error.code not in _DOUBTFUL or self._ledger.doubt(run.run_id) >= MOST_DOUBTS:
                raise
            raise TransientError(error.message, code=error.code) from None
        self._ledger.trust(run.run_id)
        return look

    def cancel(self, run: Run) -> None:
        """Cancels the selection run if no Lightly Worker has picked it up.

        One that has goes on until its instance is stopped: the API has no way to end it.
        """
        known = self._ledger.get(run.run_id)
        if known.config_id is None:
            return  # so nothing was scheduled
        _insist(lambda: self._cancel(run, known, but=None))

    @cached_property
    def _api(self) -> LightlyApi:
        if not self._lightly.token:
            raise OperatorError(
                "LIGHTLY_TOKEN is not set, and the selection backend lightly needs it. "
                "Set it in the environment or in .env.",
                code=CONFIG,
            )
        return LightlyApi(self._lightly.token, server=self._lightly.server_location)

    def _dataset(self, run: Run, plan: Plan) -> str:
        name = plan.dataset_name
        dataset_id = self._api.find_dataset(name)
        if dataset_id is None:
            with self._ledger.lock(f"dataset:{name}"):
                dataset_id = self._api.find_dataset(name) or self._api.create_dataset(name)
        return self._ledger.note(run.run_id, dataset_id=dataset_id).dataset_id or dataset_id

    def _configure(self, run: Run, plan: Plan, dataset_id: str) -> str:
        s3 = self._s3
        role = (s3.role_arn or "", s3.external_id.get_secret_value() if s3.external_id else "")
        for purpose, uri in (("INPUT", plan.input_uri), ("LIGHTLY", plan.lightly_uri)):
            self._api.set_datasource(dataset_id, purpose, uri, region=s3.region or "", role=role)
        self._objects.put(plan.relevant_uri, plan.video.encode(), content_type="text/plain")
        config_id = self._api.create_config(plan.config())
        return self._ledger.note(run.run_id, config_id=config_id).config_id or config_id

    def _find(self, known: HostedRun) -> Scheduled | None:
        """Returns the run's scheduled run, whatever became of it."""
        if known.dataset_id is None:
            return None
        # Of several the one that is noted, or else one that is being worked on.
        return min(self._ours(known), key=lambda item: _rank(item, known), default=None)

    def _ours(self, known: HostedRun) -> list[Scheduled]:
        """Returns all scheduled runs of the run."""
        scheduled = self._api.scheduled(known.dataset_id or "")
        return [item for item in scheduled if item.config_id == known.config_id]

    def _look(self, run: Run) -> SelectionLook:
        known = self._ledger.get(run.run_id)
        scheduled_run_id = known.scheduled_run_id or run.selection.scheduled_run_id or ""
        self._cancel_surplus(run, known)
        made = self._api.run(scheduled_run_id)
        if made is None:
            return self._look_at_schedule(scheduled_run_id, known)
        if known.lightly_run_id is None:
            known = self._ledger.note(run.run_id, lightly_run_id=made.lightly_run_id)
        if made.state == "COMPLETED":
            return self._completed(run, made, known.dataset_id or "")
        if made.state in _BAD_ENDS:
            return self._bad_end(scheduled_run_id, made.state, made.message)
        return SelectionLook(state=made.state)

    def _look_at_schedule(self, scheduled_run_id: str, known: HostedRun) -> SelectionLook:
        found = self._find(known)
        if found is None:
            raise OperatorError(
                f"Lightly does not know the selection run {scheduled_run_id} any more. Was it, or "
                "its dataset, deleted there? `curate resume` starts another one.",
                code=_UNKNOWN_RUN,
            )
        if found.state in _BAD_ENDS:
            return self._bad_end(scheduled_run_id, found.state, "")
        return SelectionLook(state=found.state)

    def _bad_end(self, scheduled_run_id: str, state: str, message: str) -> SelectionLook:
        says = self._api.clean(message).strip() or "it gives no reason"
        return SelectionLook(
            state=state,
            is_end=True,
            message=f"Lightly ended the selection run {scheduled_run_id} as {state}: {says}",
            code=f"lightly:run:{state.lower()}",
        )

    def _completed(self, run: Run, made: LightlyRun, dataset_id: str) -> SelectionLook:
        tag_id = self._api.newest_tag(made.lightly_run_id, dataset_id)
        if tag_id is None:
            raise OperatorError(
                f"The run {made.lightly_run_id} on Lightly is COMPLETED, but has no tag that says "
                "what it selected. The Lightly Worker must be of version 2.4.2 or later.",
                code=_NO_TAG,
            )
        names = self._api.filenames(dataset_id, tag_id)
        own = Plan.of(run, self._lightly, self._s3).own(names)
        if names and not own:
            return SelectionLook(
                state=made.state,
                is_end=True,
                message=f"Lightly selected {len(names)} frames, none of them of the run's video: "
                f"the first is {names[0]!r}. Is S3_INPUT_BUCKET what the Lightly Worker reads?",
                code="lightly:other-video",
            )
        if len(own) < len(names):
            facts = {**run.log_context(), "n_left_out": len(names) - len(own)}
            log.warning("Frames of other videos left out", extra=facts)
        return self._keep(run, made, own)

    def _keep(self, run: Run, made: LightlyRun, names: list[str]) -> SelectionLook:
        prefix = f"{self._s3.lightly_bucket}{run.run_id}/"
        keep_names(names, f"{prefix}selected.txt", self._objects)
        return SelectionLook(
            state=made.state,
            is_end=True,
            succeeded=True,
            n_selected=len(names),
            filenames_uri=f"{prefix}selected.txt",
            report_uri=keep_report(run, made, prefix, api=self._api, objects=self._objects),
        )

    def _cancel_surplus(self, run: Run, known: HostedRun) -> None:
        """Cancels what was scheduled besides the run's selection run, if that may be."""
        if not (known.may_have_more and known.scheduled_run_id):
            return
        try:
            self._cancel(run, known, but=known.scheduled_run_id)
        except CurationError as error:  # the next look tries again
            log.warning("Surplus not canceled: %s", error.message, extra=run.log_context())

    def _cancel(self, run: Run, known: HostedRun, *, but: str | None) -> None:
        if known.dataset_id is None:
            return
        ours = self._ours(known)
        for item in ours:
            if item.scheduled_run_id == but:
                continue
            if item.state == "OPEN":
                self._api.cancel(known.dataset_id, item.scheduled_run_id)
            elif item.state == "LOCKED":
                log.info("Selection run ends with its instance", extra=run.log_context())
        self._ledger.saw(run.run_id, len(ours))


def _rank(item: Scheduled, known: HostedRun) -> tuple[bool, bool, bool]:
    is_other = item.scheduled_run_id != known.scheduled_run_id
    return is_other, item.state == "CANCELED", item.state == "OPEN"


def _insist(cancel: Callable[[], None]) -> None:
    """Cancels, with a few tries."""
    for tries_left in reversed(range(_CANCEL_TRIES)):
        try:
            cancel()
        except CurationError as error:
            if not tries_left or error.code == DENIED:
                raise
            time.sleep(_CANCEL_PAUSE_S)
        else:
            return
