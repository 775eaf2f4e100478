"""How the templates speak: times, durations, amounts and places in words for people."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from curation.links import public_url
from curation.models import split_bucket_uri
from curation.states import RunState, StepName
from pipeline.cli.output import duration, moment

if TYPE_CHECKING:
    from curation.models import Run, Step

# What each step does, in a person's words.
STEPS = {
    StepName.INGEST_VIDEO: "Bring the video in",
    StepName.START_INSTANCE: "Start the instance",
    StepName.RUN_SELECTION: "Select frames",
    StepName.RELEASE_INSTANCE: "Give the instance back",
}
_DAY_S = 86_400


def environment() -> Environment:
    """Returns the templates, which escape everything and stumble over what is not there."""
    templates = Environment(
        loader=PackageLoader("pipeline.web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters |= {
        "ago": ago,
        "bucket_path": bucket_path,
        "clock": clock,
        "code_words": code_words,
        "duration": duration,
        "moment": moment,
        "short_source": short_source,
        "size": size,
        "step_words": STEPS.__getitem__,
        "tries": tries,
        "amount": amount,
    }
    templates.globals |= {"RunState": list(RunState)}
    return templates


def ago(timestamp: float, now: float) -> str:
    """Returns how long ago something was: `just now`, `4 min ago`, `3 days ago`."""
    seconds = max(now - timestamp, 0.0)
    for length_s, unit in ((_DAY_S, "day"), (3600, "h"), (60, "min")):
        count = int(seconds // length_s)
        if count:
            return f"{count} {unit}{'s' if unit == 'day' and count > 1 else ''} ago"
    return "just now"


def clock(seconds: float) -> str:
    """Returns seconds for the axis of a timeline: `0.5 s`, `90 s`, `5 min`, `2 h`."""
    for length_s, unit in ((3600, "h"), (60, "min")):
        if seconds >= 2 * length_s:
            return f"{seconds / length_s:.3g} {unit}"
    return f"{seconds:.3g} s"


def code_words(text: str) -> Markup:
    """Returns a text in which what stands between backticks is code."""
    words = [escape(part) for part in text.split("`")]
    return Markup("").join(
        Markup("<code>{}</code>").format(word) if i % 2 else word for i, word in enumerate(words)
    )


def size(count: int) -> str:
    """Returns a number of bytes: `4.2 MB`."""
    power = min(int(math.log(max(count, 1), 1000)), 4)
    return f"{count / 1000**power:.3g} {('B', 'kB', 'MB', 'GB', 'TB')[power]}"


def short_source(source: str) -> str:
    """Returns the part of a source that tells it from others: the file name, the search."""
    public = public_url(source)
    place = public.partition("?")[0] if "://" in public else public
    return place.rstrip("/").rpartition("/")[2] or public


def bucket_path(uri: str) -> str:
    """Returns the last two parts of an object's key, which say what it is."""
    return "/".join(split_bucket_uri(uri)[1].split("/")[-2:])


def tries(step: Step) -> str:
    """Returns how often a step was tried and looked at, where that is worth a word."""
    counts = {"attempt": step.attempts if step.attempts > 1 else 0, "look": step.looks}
    return ", ".join(f"{n} {word}{'s' if n > 1 else ''}" for word, n in counts.items() if n)


def amount(run: Run) -> str:
    """Returns how many frames are to be kept."""
    config = run.request.config
    if config.n_samples:
        return f"{config.n_samples} frames"
    return f"{100 * (config.proportion_samples or 0):.3g} % of the frames"
