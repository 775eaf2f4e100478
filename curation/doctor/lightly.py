"""Looks at hosted Lightly: token, dataset, its datasource, and the Lightly Workers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from curation.doctor.check import Answer, Check, Health, NotChecked, Once, fail, ok, warn
from curation.errors import CurationError
from curation.states import Backend

if TYPE_CHECKING:
    from collections.abc import Callable

    from curation.wiring import Wiring

_TOKEN = "lightly token"  # noqa: S105  # the check's name
_DATASET = "lightly dataset"
_HINT = "Check the network and LIGHTLY_SERVER_LOCATION."
# Code of the error that says that the dataset is there, but is of another type.
_OTHER_TYPE = "lightly:dataset-type"
# What Lightly must be permitted in the input datasource, and the IAM action for it.
_NEEDED = {"canRead": "s3:GetObject", "canList": "s3:ListBucket"}
_NOT_YET = "The first run sets the datasources, so they cannot be verified before."


class LightlyChecks:
    """The checks on hosted Lightly, if it selects; the dataset is looked for once for all."""

    def __init__(self, wiring: Wiring) -> None:
        self._wiring = wiring
        self._found = Once(self._find)

    def all(self) -> list[Check]:
        """Returns them."""
        return [
            Check(_TOKEN, self._if_hosted(self._token), _HINT),
            Check(_DATASET, self._if_hosted(self._dataset), _HINT, needs=_TOKEN),
            Check("lightly datasource", self._if_hosted(self._datasource), _HINT, needs=_TOKEN),
            Check(
                "lightly worker",
                self._if_hosted(self._worker),
                _HINT,
                worst=Health.WARN,
                needs=_TOKEN,
            ),
        ]

    def _if_hosted(self, look: Callable[[], Answer]) -> Callable[[], Answer | None]:
        def look_if_hosted() -> Answer | None:
            is_hosted = self._wiring.settings.run.selection_backend is Backend.LIGHTLY
            return look() if is_hosted else None

        return look_if_hosted

    def _find(self) -> str | None:
        settings = self._wiring.settings.lightly
        if settings.token is None:
            raise NotChecked("setting LIGHTLY_TOKEN")
        if settings.dataset_name is None:
            raise NotChecked("setting LIGHTLY_DATASET_NAME")
        name = settings.dataset_name.replace("{run_id}", "doctor")
        return self._wiring.lightly_api.find_dataset(name)

    def _token(self) -> Answer:
        try:
            self._found()
        except CurationError as error:
            if error.code != _OTHER_TYPE:
                raise
        return ok("Lightly accepts the token.")

    def _known(self) -> str | None:
        """Returns the dataset's id, or None before the first run."""
        try:
            return self._found()
        except CurationError as error:
            raise NotChecked(_DATASET if error.code == _OTHER_TYPE else _TOKEN) from error

    def _dataset(self) -> Answer:
        try:
            dataset_id = self._found()
        except CurationError as error:
            if error.code == _OTHER_TYPE:
                raise
            raise NotChecked(_TOKEN) from error
        name = self._wiring.settings.lightly.dataset_name
        return ok(f"The dataset {name!r} {'is there' if dataset_id else 'is yet to be created'}.")

    def _datasource(self) -> Answer:
        dataset_id = self._known()
        permissions = self._wiring.lightly_api.permissions(dataset_id) if dataset_id else None
        if permissions is None:
            return ok(_NOT_YET)
        denied = [action for name, action in _NEEDED.items() if not permissions.get(name)]
        if not denied:
            return ok("Lightly may list and read the videos.")
        return fail(
            f"Lightly may not list and read the videos: {', '.join(denied)} failed for it.",
            f"Grant {' and '.join(denied)} on {self._wiring.settings.s3.input_bucket} to the role "
            "S3_ROLE_ARN, and let Lightly assume it with S3_EXTERNAL_ID.",
        )

    def _worker(self) -> Answer:
        self._known()
        labels = sorted(self._wiring.settings.lightly.runs_on)
        workers = self._wiring.lightly_api.workers()
        fitting = [worker for worker in workers if worker.labels.issuperset(labels)]
        if fitting:
            return ok(f"{fitting[0].name} is registered ({fitting[0].state.lower()}).")
        register = f"ApiWorkflowClient().register_compute_worker(name='worker', labels={labels})"
        if workers:
            return fail(
                f"None of {len(workers)} Lightly Workers has the labels {labels}, so none would "
                "take a run.",
                f"Correct LIGHTLY_RUNS_ON, or register one: {register}",
            )
        if labels or self._wiring.settings.ec2.ec2_instance_id is None:
            return warn("No Lightly Worker is registered.", f"Register one: {register}")
        return ok("No Lightly Worker is registered yet; the instance's first one does it itself.")
