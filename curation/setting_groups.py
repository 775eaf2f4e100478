"""The groups of settings: each variable with its type, its default and what it means."""

from __future__ import annotations

import re
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, StringConstraints, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from curation.models import BucketUri
from curation.price import Price
from curation.states import Backend, Event

Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Money = Annotated[float, Field(gt=0, allow_inf_nan=False)]
# One message waits in Redis for at most this long before it is delivered again. No countdown and
# no time limit may come near it, or deliveries multiply (kombu#337); see `check_waits`.
DEFAULT_VISIBILITY_TIMEOUT_S = 900.0
Url = Annotated[str, StringConstraints(pattern=r"^https?://[^/\s]")]
LogFormat = Literal["text", "json"]
# Part of a key in the Lightly bucket.
DATAPOOL_NAME = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,99}$"


def _config(prefix: str = "") -> SettingsConfigDict:
    # Without hide_input_in_errors a missing field prints the values of the others, secrets too.
    return SettingsConfigDict(
        env_prefix=prefix,
        frozen=True,
        hide_input_in_errors=True,
        env_ignore_empty=True,
    )


class BrokerSettings(BaseSettings):
    """The Redis that is broker, result backend and home of the ledger."""

    model_config = _config()

    redis_url: SecretStr = Field(
        SecretStr("redis://127.0.0.1:6379/0"), description="Broker and ledger"
    )
    visibility_timeout_s: Seconds = Field(
        DEFAULT_VISIBILITY_TIMEOUT_S,
        description="Seconds after which the message of a dead Celery worker is delivered again",
    )

    @field_validator("redis_url")
    @classmethod
    def _scheme(cls, value: SecretStr) -> SecretStr:
        if not value.get_secret_value().startswith(("redis://", "rediss://", "unix://")):
            raise ValueError("expected redis://, rediss:// or unix://")
        try:
            _ = urlsplit(value.get_secret_value()).port
        except ValueError:
            # Whoever parses it later would print a password with a slash in it as the port.
            raise ValueError("no port after the host; is the password percent-encoded?") from None
        return value


class PexelsSettings(BaseSettings):
    """The Pexels API, for `pexels:` video sources."""

    model_config = _config("PEXELS_")

    api_key: SecretStr | None = Field(None, description="Key of the Pexels API")
    api_url: Url = Field("https://api.pexels.com", description="Root of the Pexels API")


class LightlySettings(BaseSettings):
    """The hosted Lightly API. `LIGHTLY_SERVER_LOCATION` is read by its client itself."""

    model_config = _config("LIGHTLY_")

    token: SecretStr | None = Field(None, description="Token of the Lightly platform")
    server_location: Url = Field("https://api.lightly.ai", description="Root of the Lightly API")
    dataset_name: str | None = Field(
        None, description="Dataset, created or reused; {run_id} in it gives each run its own"
    )
    runs_on: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Labels a Lightly Worker must have, comma-separated"
    )

    @field_validator("runs_on", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return _split_commas(value)


class S3Settings(BaseSettings):
    """The two buckets, and the role by which Lightly reads them."""

    model_config = _config("S3_")

    region: str | None = Field(None, description="Region of both buckets")
    role_arn: str | None = Field(None, description="Role that Lightly assumes")
    external_id: SecretStr | None = Field(None, description="External id of that role")
    input_bucket: BucketUri = Field(description="Where videos go, s3://bucket/prefix/")
    lightly_bucket: BucketUri = Field(description="Where results go, s3://bucket/prefix/")


class Ec2Settings(BaseSettings):
    """The instance that a run starts, leases and gives back."""

    model_config = _config()

    ec2_region: str | None = Field(None, description="Region of the instance")
    ec2_instance_id: Annotated[str, StringConstraints(pattern=r"^i-[0-9a-f]{8,17}$")] | None = (
        Field(None, description="The instance; empty: this machine does the work")
    )
    script_path: str = Field(
        "/home/ubuntu/run.sh", description="Script on the instance that starts its worker"
    )
    ssm_document: str = Field(
        "AWS-RunShellScript", description="SSM document by which the script is started"
    )
    ssm_lease_document: str = Field(
        "AWS-RunShellScript", description="SSM document by which the watchdog's lease is renewed"
    )
    max_uptime_s: Seconds = Field(
        43_200.0, description="Seconds after boot when the watchdog powers the instance off"
    )


class SourceSettings(BaseSettings):
    """Limits on what is accepted as a video."""

    model_config = _config()

    video_source: str = Field("pexels:popular", description="Source of a run that names none")
    max_video_bytes: int = Field(8 * 1024**3, gt=0, description="Largest video taken, in bytes")
    max_video_height: int = Field(1080, gt=0, description="Pexels: largest shorter side, in pixels")
    allowed_video_hosts: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="host[:port], comma-separated: may be http, may be private"
    )

    @field_validator("allowed_video_hosts", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return _split_commas(value)


class RunSettings(BaseSettings):
    """How a run goes: what it selects, how often it looks, how long it may take."""

    model_config = _config()

    selection_backend: Backend = Field(Backend.LIGHTLY, description="lightly or engine")
    proportion_samples: float = Field(0.1, gt=0, le=1, description="Share of frames to keep")
    selection_config: str | None = Field(
        None, description="What to choose: a JSON file or JSON, in the hosted service's language"
    )
    datapool: Annotated[str, StringConstraints(pattern=DATAPOOL_NAME)] | None = Field(
        None, description="Datapool: runs choose what its earlier runs have not; empty: none"
    )
    datapool_distance: float = Field(
        0.2, ge=0, le=2, description="Frames nearer than this to one in the datapool are not new"
    )
    max_damaged_share: float = Field(
        0.5, ge=0, le=1, description="Share of damaged frames above which a video is refused"
    )
    poll_interval_s: Seconds = Field(30.0, description="Seconds between looks at a selection run")
    instance_poll_interval_s: Seconds = Field(
        5.0, description="Seconds between looks at the instance and its SSM agent"
    )
    lease_ttl_s: Seconds = Field(900.0, description="Seconds a lease lives without renewal")
    run_deadline_s: Seconds = Field(21_600.0, description="Seconds a run may take in all")
    reap_interval_s: Seconds = Field(60.0, description="Seconds between two reaper rounds")
    boot_grace_s: Seconds = Field(
        1_800.0, description="Seconds that an instance started by hand is left alone"
    )
    run_retention_days: Seconds = Field(90.0, description="Days the ledger keeps an ended run")
    schedule_cron: str | None = Field(None, description="When beat enqueues a run, cron syntax")
    engine_cache_dir: str | None = Field(
        None, description="Where the converted network is kept; empty: the user's cache folder"
    )
    engine_embedder: str = Field(
        "lite0", description="How frames are compared: lite0, features or the path of an ONNX model"
    )
    engine_device: Literal["auto", "cpu", "cuda"] = Field(
        "auto", description="Where the network runs: auto (the GPU if there is one), cpu or cuda"
    )
    frame_format: Literal["jpg", "png"] = Field(
        "jpg", description="How selected frames are written: jpg or png (which loses nothing)"
    )
    frame_quality: int = Field(
        95, ge=1, le=100, description="Quality of JPEG; beyond 95 nothing more is to be seen"
    )
    log_dir: str = Field("var/logs", description="Folders that curate logs reads, comma-separated")
    liveness_file: str | None = Field(None, description="File that a working Celery process renews")


class LogSettings(BaseSettings):
    """What the processes write about their work."""

    model_config = _config("LOG_")

    format: LogFormat = Field(
        "text", description="Lines of Celery processes and pages: text, or json, one object a line"
    )


class CostSettings(BaseSettings):
    """What the instance costs, and how much a month may cost."""

    model_config = _config()

    instance_price_per_hour: Money | None = Field(
        None, description="Price of an hour of the instance; empty: costs are shown in seconds"
    )
    price_currency: Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")] = Field(
        "USD", description="Currency of price and budget, three letters"
    )
    price_source: str | None = Field(
        None, description="Where the price is from, with its date; shown beside every sum"
    )
    budget_per_month: Money | None = Field(
        None, description="What the instance may cost in a month (UTC); empty: no budget"
    )
    budget_action: Literal["warn", "refuse"] = Field(
        "warn", description="When it is spent: warn, or refuse runs that need the instance"
    )

    @field_validator("budget_per_month")
    @classmethod
    def _priced(cls, value: float | None, info: ValidationInfo) -> float | None:
        # The price is absent here, not None, when it is wrong itself.
        if value is not None and info.data.get("instance_price_per_hour", value) is None:
            raise ValueError("what is spent is not known without INSTANCE_PRICE_PER_HOUR")
        return value

    @property
    def price(self) -> Price | None:
        """The price of the instance, if it is known."""
        if self.instance_price_per_hour is None:
            return None
        return Price(self.instance_price_per_hour, self.price_currency, self.price_source)


class FlowerSettings(BaseSettings):
    """The Flower dashboard."""

    model_config = _config("FLOWER_")

    basic_auth: SecretStr | None = Field(None, description="user:password, needed to start it")
    url: Url | None = Field(None, description="Where people reach it, for a link on the pages")


class WebSettings(BaseSettings):
    """The pages and the HTTP API (`curate serve`)."""

    model_config = _config()

    web_basic_auth: SecretStr | None = Field(
        None, description="user:password of the pages, needed to start them"
    )
    web_port: int = Field(8080, gt=0, lt=65_536, description="Port of pages and HTTP API")
    web_url: Url | None = Field(None, description="Where people reach the pages, for links to them")
    api_token: SecretStr | None = Field(
        None, description="Bearer token of the HTTP API; empty: there is none"
    )
    api_local_sources: bool = Field(
        default=False, description="Whether the HTTP API takes paths of the ingest worker's files"
    )


class NotifySettings(BaseSettings):
    """Messages to people."""

    model_config = _config("NOTIFY_")

    urls: SecretStr | None = Field(
        None, description="Where messages go: Apprise URLs, comma- or space-separated"
    )
    on: str = Field(
        "failed,reaped,budget,deadline",
        description="What they are about; also completed, canceled and stop",
    )
    every_s: Seconds = Field(
        300.0, description="Seconds between two messages of a kind; others are only counted"
    )

    @field_validator("on")
    @classmethod
    def _check_on(cls, value: str) -> str:
        _events(value)
        return value

    @property
    def targets(self) -> list[str]:
        """The URLs, one a target."""
        return split_urls(self.urls.get_secret_value() if self.urls else "")

    @property
    def events(self) -> frozenset[Event]:
        """What messages are wanted about."""
        return _events(self.on)


def split_urls(text: str) -> list[str]:
    """Returns the URLs of a list, parted by spaces, or by commas before a new URL."""
    parts = re.split(r"\s+|,\s*(?=[A-Za-z][\w+.-]*://)", text.strip())
    return [part.rstrip(",") for part in parts if part]


def _events(text: str) -> frozenset[Event]:
    words = frozenset(word.strip() for word in text.split(",") if word.strip())
    if unknown := words - set(Event):
        raise ValueError(f"{', '.join(sorted(unknown))} is none of {', '.join(Event)}")
    return frozenset(map(Event, words))


def _split_commas(value: object) -> object:
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return value
