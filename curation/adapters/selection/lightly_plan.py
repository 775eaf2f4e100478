"""What a run asks of hosted Lightly: names, places and configuration, all from run and settings."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from curation.adapters.selection.lightly_selection import wire_selection
from curation.errors import OperatorError
from curation.models import RUN_ID_PATTERN

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from curation.models import Run
    from curation.selection_config import SelectionConfig
    from curation.setting_groups import LightlySettings, S3Settings

CONFIG = "config:lightly"
_RUN_ID_FIELD = "{run_id}"
# As the client checks them (lightly 1.5.26), so that a mistake is named before anything is sent.
_DATASET_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9 _-]{2,}")
_ROLE_ARN = re.compile(r"arn:aws:iam::[0-9]{12}:role.+")
_SHORTEST_EXTERNAL_ID = 10
_MISSING = "is not set, and the selection backend lightly needs it."


@dataclass(frozen=True)
class Plan:
    """Everything about a run that Lightly is told.

    Attributes:
        dataset_name: Dataset, created or reused.
        is_shared: Whether other runs use the dataset too.
        input_uri: Path of the input datasource.
        lightly_uri: Path of the Lightly datasource.
        video_uri: The video.
        relevant_path: File within the Lightly datasource that names the video as the only one to
            be read.
        selection: What to choose.
        runs_on: Labels that the Lightly Worker must have.
    """

    dataset_name: str
    is_shared: bool
    input_uri: str
    lightly_uri: str
    video_uri: str
    relevant_path: str
    selection: SelectionConfig
    runs_on: tuple[str, ...]

    @classmethod
    def of(cls, run: Run, lightly: LightlySettings, s3: S3Settings) -> Self:
        """Plans a run.

        A dataset of its own has the run's own places too: the frames of two videos with one name
        would otherwise have one name in the Lightly bucket.

        Raises:
            OperatorError: If a setting is missing or wrong; all of them are named.
        """
        found = " ".join(problems(run.run_id, lightly, s3))
        if found:
            raise OperatorError(f"{found} Set it in the environment or in .env.", code=CONFIG)
        name = dataset_name(run.run_id, lightly)
        is_shared = name == lightly.dataset_name
        video_uri = run.video.uri if run.video else ""
        own_input = f"{video_uri.rpartition('/')[0]}/"
        plan = cls(
            dataset_name=name,
            is_shared=is_shared,
            input_uri=s3.input_bucket if is_shared else own_input,
            lightly_uri=s3.lightly_bucket if is_shared else f"{s3.lightly_bucket}{run.run_id}/",
            video_uri=video_uri,
            # Lightly takes such a file only from a folder `.lightly` of the Lightly datasource.
            relevant_path=f".lightly/curate/{run.run_id}.txt",
            selection=run.request.config,
            runs_on=lightly.runs_on,
        )
        plan._check_video()
        return plan

    @property
    def video(self) -> str:
        """The video within the input datasource: how Lightly calls it (docs/relevant-filenames)."""
        return self.video_uri.removeprefix(self.input_uri)

    @property
    def relevant_uri(self) -> str:
        """Object that names the video as the only one to be read."""
        return f"{self.lightly_uri}{self.relevant_path}"

    def config(self) -> dict[str, object]:
        """Returns the configuration of the selection run, as the API has it (version V4).

        The datapool is always set on purpose: off, in a dataset that is not empty, aborts the run.
        """
        return {
            "workerType": "FULL",
            "docker": {
                "useDatapool": self.is_shared,
                "relevantFilenamesFile": self.relevant_path,
                # Or a video that is older than the last run of the dataset would not be read.
                "datasource": {"processAll": True},
            },
            "selection": wire_selection(self.selection),
        }

    def own(self, names: Sequence[str]) -> list[str]:
        """Returns the names of the frames that are of this run's video.

        Lightly's client names a frame after its video, `{video}-{number}-{ending}.png`; whether
        the service does was not verified. If no name is formed so, those are taken that lie in no
        other run's folder: every video of ours lies in the folder of a run.
        """
        stem = f"/{self.video.rpartition('.')[0]}-"
        return [name for name in names if stem in f"/{name}"] or [
            name for name in names if not self._is_of_other_run(name)
        ]

    def _check_video(self) -> None:
        if not self.video_uri.startswith(self.input_uri):
            raise OperatorError(
                f"The video {self.video_uri!r} is not under S3_INPUT_BUCKET ({self.input_uri}), "
                "where Lightly looks for it. Set S3_INPUT_BUCKET as it was when it was put there.",
                code=CONFIG,
            )

    def _is_of_other_run(self, name: str) -> bool:
        others = set(name.split("/")) - set(self.video.split("/"))
        return any(re.fullmatch(RUN_ID_PATTERN, part) for part in others)


def dataset_name(run_id: str, lightly: LightlySettings) -> str:
    """Returns the name of a run's dataset."""
    return (lightly.dataset_name or "").replace(_RUN_ID_FIELD, run_id)


def problems(run_id: str, lightly: LightlySettings, s3: S3Settings) -> Iterator[str]:
    """Yields a sentence, beginning with the variable, for each setting that a run cannot use."""
    yield from lightly_problems(run_id, lightly)
    yield from s3_problems(s3)


def lightly_problems(run_id: str, lightly: LightlySettings) -> Iterator[str]:
    """Yields those of Lightly's own settings."""
    if not lightly.token:
        yield f"LIGHTLY_TOKEN {_MISSING}"
    if not lightly.dataset_name:
        yield f"LIGHTLY_DATASET_NAME {_MISSING}"
    elif not _DATASET_NAME.fullmatch(name := dataset_name(run_id, lightly)):
        yield (
            f"LIGHTLY_DATASET_NAME gives {name!r}; expected are 3 or more letters, digits, blanks, "
            "_ and -, of which the first is a letter or a digit."
        )


def s3_problems(s3: S3Settings) -> Iterator[str]:
    """Yields those of the settings by which Lightly reaches the buckets."""
    external_id = s3.external_id.get_secret_value() if s3.external_id else ""
    settings = {
        "S3_ROLE_ARN": s3.role_arn,
        "S3_EXTERNAL_ID": external_id,
        "S3_REGION": s3.region,
    }
    for variable, value in settings.items():
        if not value:
            yield f"{variable} {_MISSING}"
    if s3.role_arn and not _ROLE_ARN.fullmatch(s3.role_arn):
        yield f"S3_ROLE_ARN is {s3.role_arn!r}; expected is arn:aws:iam::123456789012:role/NAME."
    if external_id and len(external_id) < _SHORTEST_EXTERNAL_ID:
        yield (
            f"S3_EXTERNAL_ID has {len(external_id)} characters; expected are "
            f"{_SHORTEST_EXTERNAL_ID} or more."
        )
