"""The selection config: what shall be chosen, in the hosted service's own language."""

from __future__ import annotations

import json
from decimal import ROUND_HALF_UP, Decimal
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pydantic_core import ErrorDetails

# The range of the hosted service (lightly 1.5.26, `SelectionConfigV4EntryStrategy`).
Strength = Annotated[float, Field(ge=-1e9, le=1e9, allow_inf_nan=False)]
Number = Annotated[float, Field(allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Name = Annotated[str, Field(min_length=1)]


class _Part(BaseModel):
    """Base of all parts: immutable, no unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Embeddings(_Part):
    """Embeddings: of the video's own frames, or of those that a dataset holds."""

    type: Literal["EMBEDDINGS"]
    task: str | None = None  # object embeddings of that task
    dataset_id: Name | None = None  # for SIMILARITY; in our engine the name of a datapool
    tag_name: Name | None = None


class Metadata(_Part):
    """One number of each frame, e.g. `lightly.sharpness`."""

    type: Literal["METADATA"]
    key: Name


class Scores(_Part):
    """Active-learning scores of a model's predictions."""

    type: Literal["SCORES"]
    task: str
    score: Name


class Predictions(_Part):
    """Predictions of a model."""

    type: Literal["PREDICTIONS"]
    task: str
    name: Literal["CLASS_DISTRIBUTION", "CATEGORY_COUNT"] | None = None
    categories: tuple[Name, ...] | None = None


class Random(_Part):
    """Random numbers from 0 to 1."""

    type: Literal["RANDOM"]
    random_seed: int | None = None


class Diversity(_Part):
    """As different from each other as possible."""

    type: Literal["DIVERSITY"]
    stopping_condition_minimum_distance: NotNegative | None = None
    strength: Strength = 1.0


class Typicality(_Part):
    """With many others nearby."""

    type: Literal["TYPICALITY"]
    num_nearest_neighbors: Annotated[int, Field(ge=2)] = 20
    stopping_condition_minimum_typicality: Annotated[float, Field(gt=0, le=1)] | None = None
    strength: Strength = 1.0


class TargetRange(_Part):
    """Bounds on the sum of the inputs of what is chosen."""

    min_sum: NotNegative | None = None
    max_sum: NotNegative | None = None


class Weights(_Part):
    """With high numbers."""

    type: Literal["WEIGHTS"]
    stopping_condition_max_sum: NotNegative | None = None
    target_range: TargetRange | None = None
    strength: Strength = 1.0


class Threshold(_Part):
    """Only those whose number is beyond a threshold; applied before all others."""

    type: Literal["THRESHOLD"]
    threshold: Number
    operation: Literal["SMALLER", "SMALLER_EQUAL", "BIGGER", "BIGGER_EQUAL"]


class Balance(_Part):
    """With shares of classes as near as possible to a target."""

    type: Literal["BALANCE"]
    distribution: Literal["TARGET", "UNIFORM", "INPUT"] = "TARGET"
    target: dict[Name, Annotated[float, Field(ge=0, le=1)]] | None = None
    strength: Strength = 1.0

    @model_validator(mode="after")
    def _has_its_target(self) -> Self:
        if (self.distribution == "TARGET") != bool(self.target):
            raise ValueError(
                f"distribution {self.distribution} and target {self.target} do not fit: give "
                'TARGET with a target, e.g. {"0..60": 0.5}, or UNIFORM or INPUT without one'
            )
        if self.target and sum(self.target.values()) > 1 + 1e-9:
            raise ValueError(f"the shares of the target {self.target} are more than 1 in all")
        return self


class Similarity(_Part):
    """Like the frames of another dataset."""

    type: Literal["SIMILARITY"]
    strength: Strength = 1.0


_Input = Embeddings | Metadata | Scores | Predictions | Random
_Strategy = Diversity | Typicality | Weights | Threshold | Balance | Similarity
# docs.lightly.ai, selection strategies: which input each of them takes.
_INPUTS_OF = {
    "DIVERSITY": ("EMBEDDINGS",),
    "TYPICALITY": ("EMBEDDINGS",),
    "SIMILARITY": ("EMBEDDINGS",),
    "WEIGHTS": ("METADATA", "SCORES", "PREDICTIONS", "RANDOM"),
    "THRESHOLD": ("METADATA", "SCORES", "PREDICTIONS"),
    "BALANCE": ("METADATA", "PREDICTIONS"),
}


class Entry(_Part):
    """One objective: a strategy and what it works on."""

    input: Annotated[_Input, Field(discriminator="type")]
    strategy: Annotated[_Strategy, Field(discriminator="type")]

    @model_validator(mode="after")
    def _fits(self) -> Self:
        allowed = _INPUTS_OF[self.strategy.type]
        if self.input.type not in allowed:
            raise ValueError(
                f"the strategy {self.strategy.type} takes {' or '.join(allowed)}, "
                f"not {self.input.type}"
            )
        return self


class SelectionConfig(_Part):
    """What shall be chosen. Thresholds come first; the objectives of all others are multiplied.

    Attributes:
        n_samples: Number of frames to choose, or
        proportion_samples: share of frames to choose; neither: the run request's share.
        strategies: The objectives.
    """

    n_samples: Annotated[int, Field(ge=1)] | None = None
    proportion_samples: Annotated[float, Field(gt=0, le=1)] | None = None
    strategies: tuple[Entry, ...]

    @model_validator(mode="after")
    def _is_complete(self) -> Self:
        if not self.strategies:
            raise ValueError("strategies is empty: give at least one")
        if self.n_samples is not None and self.proportion_samples is not None:
            raise ValueError(
                f"n_samples {self.n_samples} and proportion_samples {self.proportion_samples} "
                "cannot both hold: give one of them"
            )
        return self

    def n_of(self, n_frames: int) -> int:
        """Returns how many of the frames to choose: at least 1, and not more than there are.

        A share is rounded half up: 0.1 of 250 frames is 25.
        """
        if self.n_samples:
            return min(self.n_samples, n_frames)
        # In decimal, because 0.29 * 50 is a little less than 14.5 in binary.
        exact = n_frames * Decimal(str(self.proportion_samples))
        return max(1, int(exact.to_integral_value(ROUND_HALF_UP)))

    def to_dict(self) -> dict[str, Any]:
        """Returns it as its author might have written it: without what was left out."""
        return self.model_dump(mode="json", exclude_unset=True)


def diverse(proportion: float) -> SelectionConfig:
    """Returns the config of a run that gives none: the frames that differ most by embedding."""
    entry = Entry(input=Embeddings(type="EMBEDDINGS"), strategy=Diversity(type="DIVERSITY"))
    return SelectionConfig(proportion_samples=proportion, strategies=(entry,))


def parse_config(value: object) -> SelectionConfig:
    """Returns the config of a mapping, or of the JSON text of one.

    Raises:
        ValueError: If it is none; each mistake is named with its path, value and the nearest name.
    """
    if isinstance(value, SelectionConfig):
        return value
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError as error:
            raise ValueError(f"selection_config is not JSON: {error}") from None
    try:
        return SelectionConfig.model_validate(value)
    except ValidationError as error:
        raise ValueError("; ".join(_explained(error, value))) from None


def load_config(text: str) -> SelectionConfig:
    """Returns the config that a text holds or, if it is the path of a JSON file, names.

    Raises:
        ValueError: If there is no such file, or it holds no config.
    """
    if text.lstrip().startswith("{"):
        return parse_config(text)
    try:
        return parse_config(Path(text).expanduser().read_text(encoding="utf-8"))
    except OSError as error:
        raise ValueError(
            f"selection_config {text!r} cannot be read ({error.strerror}); "
            "expected is a JSON file, or JSON that begins with {"
        ) from None


# A field that takes a mapping or JSON, and explains what is wrong with it.
AnyConfig = Annotated[SelectionConfig, BeforeValidator(parse_config)]


def _explained(error: ValidationError, value: object) -> Iterator[str]:
    for details in error.errors(include_url=False):
        yield _explain(details, value)


def _explain(details: ErrorDetails, value: object) -> str:
    path = "selection_config" + "".join(
        f"[{part}]" if isinstance(part, int) else f".{part}" for part in _places(details, value)
    )
    found, context = details["input"], details.get("ctx", {})
    if details["type"] == "extra_forbidden":
        name = str(details["loc"][-1])
        return f"{path} is not known here{_nearest(name, _known_fields(details))}"
    if details["type"] == "union_tag_invalid":
        expected = context["expected_tags"].replace("'", "")
        nearest = get_close_matches(str(context["tag"]), expected.split(", "), n=1)
        hint = f". Did you mean {nearest[0]!r}?" if nearest else ""
        return f"{path}.type is {context['tag']!r}; expected is one of {expected}{hint}"
    if details["type"] == "literal_error":
        return f"{path} is {found!r}; expected is {context['expected']}"
    if details["type"] in {"missing", "union_tag_not_found"}:
        missing = ".type" if details["type"] != "missing" else ""
        return f"{path}{missing} is missing"
    if details["type"] == "value_error":
        return f"{path}: {context['error']}"
    return f"{path} is {found!r}: {details['msg'][:1].lower()}{details['msg'][1:]}"


def _places(details: ErrorDetails, value: object) -> Iterator[str | int]:
    """Yields the steps down to the mistake, without the types that pydantic inserts."""
    for part in details["loc"]:
        is_type = isinstance(value, dict) and value.get("type") == part and part not in value
        if is_type:
            continue
        yield part
        value = _child(value, part)


def _child(value: object, part: str | int) -> object:
    if isinstance(value, dict):
        return value.get(part)
    if isinstance(value, list | tuple) and isinstance(part, int) and part < len(value):
        return value[part]
    return None


def _known_fields(details: ErrorDetails) -> list[str]:
    kinds: Mapping[str, type[_Part]] = {
        kind.model_fields["type"].annotation.__args__[0]: kind
        for kind in (*_Input.__args__, *_Strategy.__args__)
    }
    places = [part for part in details["loc"] if isinstance(part, str)]
    if len(places) == 1:
        return list(SelectionConfig.model_fields)
    kind = kinds.get(places[-2], Entry)
    return list(kind.model_fields)


def _nearest(name: str, known: list[str]) -> str:
    found = get_close_matches(name, known, n=1)
    return f". Did you mean {found[0]!r}?" if found else f"; known are {', '.join(known)}"
