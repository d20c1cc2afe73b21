"""How the job runs: its Prometheus endpoint and its Spark session."""

from __future__ import annotations

from pydantic import Field

from streaming_eval.settings.fields import DurationMs, Section, milliseconds


class ExporterSettings(Section):
    """The Prometheus endpoint on the driver."""

    host: str = Field(
        default="127.0.0.1",
        min_length=1,
        description="address to listen on; 0.0.0.0 for every interface",
    )
    port: int = Field(default=9_464, ge=0, le=65_535, description="0 takes a free port")


class SparkSettings(Section):
    """How much of the machine the job takes when it starts its own Spark session."""

    master: str = Field(
        default="local[4,4]",
        min_length=1,
        description="Spark master; `local[N,4]` keeps Spark's retries, plain `local[N]` has none",
    )
    partitions: int = Field(default=2, ge=1, description="parallel tasks of each query")
    driver_memory: str = Field(
        default="2g",
        pattern=r"^[1-9]\d*[mg]$",
        description="heap of the driver",
        json_schema_extra={"x-allowed": "a size such as 512m or 2g"},
    )
    driver_host: str = Field(
        default="127.0.0.1",
        min_length=1,
        description="address at which executors reach the driver and its quota of endpoints; "
        "workers on other hosts need one that they can reach",
    )
    ui: bool = Field(default=False, description="whether Spark's web interface is started")
    worker_silence: DurationMs = Field(
        default=milliseconds("1m"),
        description="a Python worker that gives no sign of life for so long is killed, and its "
        "task is tried again; Linux only",
    )
    trigger: DurationMs = Field(
        default=milliseconds("200ms"), description="time between batch starts, at least"
    )
