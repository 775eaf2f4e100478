"""Datasets with their datasources, samples and tags."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sandbox.lightly.records import USER_ID, field_of, known, now_ms, stamped
from sandbox.lightly.request import LightlyError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sandbox.lightly.records import Record, Records
    from sandbox.lightly.request import Request

_PAGE = 5000
_FIRST_TAG = "initial-tag"


class Text(str):
    """An answer in plain text; every other one is JSON."""

    __slots__ = ()


class Datasets:
    """The part of the API that is about data."""

    def __init__(self, records: Records) -> None:
        self._records = records
        self.operations: dict[str, Callable[[Request], Any]] = {
            "create_dataset": self._create,
            "get_datasets": self._list,
            "get_dataset_by_id": self._get,
            "get_datasets_query_by_name": self._find,
            "get_datasource_by_dataset_id": self._get_datasource,
            "update_datasource_by_dataset_id": self._set_datasource,
            "verify_datasource_by_dataset_id": self._verify,
            "get_tags_by_dataset_id": self._tags,
            "get_tag_by_tag_id": self._tag,
            "export_tag_to_basic_filenames": self._export,
        }

    def add_samples(
        self, dataset_id: str, run_id: str, names: Sequence[str], *, wide: bool
    ) -> None:
        """Adds what a run has selected, and the run's tag.

        Args:
            dataset_id: The dataset.
            run_id: Id of the run.
            names: Names of the frames.
            wide: Whether the tag holds the earlier samples too.
        """
        dataset = known(self._records.datasets, dataset_id)
        samples = self._records.samples.setdefault(dataset_id, [])
        samples += [name for name in names if name not in samples]
        dataset.update(nSamples=len(samples), lastModifiedAt=now_ms())
        dataset["datasourceProcessedUntilTimestamp"] = now_ms() // 1000 + 1  # in seconds
        first = next((tag["id"] for tag in self._tags_of(dataset_id)), None)
        if first is None:
            first = self._add_tag(dataset_id, _FIRST_TAG, samples, prevTagId=None)
        selected = samples if wide else names
        name = f"selected-{run_id[:12]}"
        self._add_tag(dataset_id, name, selected, prevTagId=first, runId=run_id)

    def _create(self, request: Request) -> Record:
        # The client asks for the name first. What the service says to a name that is taken is not
        # known; here it makes a second dataset, which a test can see.
        dataset = stamped(
            name=field_of(request.body, "name"),
            userId=USER_ID,
            type=field_of(request.body, "type"),
            nSamples=0,
            sizeInBytes=0,
        )
        self._records.datasets[dataset["id"]] = dataset
        return {"id": dataset["id"]}

    def _list(self, request: Request) -> list[Record]:
        return _page(list(self._records.datasets.values()), request)

    def _get(self, request: Request) -> Record:
        return known(self._records.datasets, request.path["datasetId"])

    def _find(self, request: Request) -> list[Record]:
        name = request.path["datasetName"]
        is_exact = (request.first("exact") or "").lower() == "true"
        found = [
            dataset
            for dataset in self._records.datasets.values()
            if dataset["name"] == name or (not is_exact and name in dataset["name"])
        ]
        return _page(found, request)

    def _get_datasource(self, request: Request) -> Record:
        purpose = request.first("purpose") or "INPUT"
        return known(self._records.datasources, f"{request.path['datasetId']}/{purpose}")

    def _set_datasource(self, request: Request) -> None:
        dataset_id = known(self._records.datasets, request.path["datasetId"])["id"]
        for name in ("type", "fullPath"):
            field_of(request.body, name)
        purpose = field_of(request.body, "purpose")
        self._records.datasources[f"{dataset_id}/{purpose}"] = request.body

    def _verify(self, request: Request) -> dict[str, bool]:
        has_input = f"{request.path['datasetId']}/INPUT" in self._records.datasources
        return dict.fromkeys(("canRead", "canWrite", "canList", "canOverwrite"), has_input)

    def _tags(self, request: Request) -> list[Record]:
        return self._tags_of(known(self._records.datasets, request.path["datasetId"])["id"])

    def _tag(self, request: Request) -> Record:
        tag = known(self._records.tags, request.path["tagId"])
        if tag["datasetId"] != request.path["datasetId"]:
            raise LightlyError(404, "NOT_FOUND", "The tag is one of another dataset.")
        return tag

    def _export(self, request: Request) -> Text:
        tag = self._tag(request)
        mask = int(tag["bitMaskData"], 16)
        samples = self._records.samples[tag["datasetId"]]
        names = [name for index, name in enumerate(samples) if mask >> index & 1]
        return Text("\n".join(_page(names, request)))

    def _tags_of(self, dataset_id: str) -> list[Record]:
        return [tag for tag in self._records.tags.values() if tag["datasetId"] == dataset_id]

    def _add_tag(
        self, dataset_id: str, name: str, selected: Sequence[str], **facts: str | None
    ) -> str:
        samples = self._records.samples[dataset_id]
        mask = sum(1 << samples.index(sample) for sample in selected)
        tag = stamped(
            datasetId=dataset_id,
            name=name,
            bitMaskData=f"{mask:#x}",
            totSize=len(samples),
            **facts,
        )
        self._records.tags[tag["id"]] = tag
        return str(tag["id"])


def _page(items: list[Any], request: Request) -> list[Any]:
    start = int(request.first("pageOffset") or 0)
    return items[start : start + int(request.first("pageSize") or _PAGE)]
