"""A small job with one candidate and one scorer, fed with questions of its own."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import orjson

from streaming_eval.local.endpoint_process import RecordedEndpoint
from streaming_eval.local.sample_replay import PRODUCTION_MODEL, TopicRecord
from tests.faults.job import JobProcess
from tests.faults.site import Place, Site
from tests.faults.waiting import wait_until

MODEL = "llama-2-7b"
OK = "ok"
ENDS_WHEN_IDLE = "--stop-when-idle=8s"
_RUNNING = "running; metrics on"
_POLL_S = 0.3
_SETTINGS: Mapping[str, object] = MappingProxyType(
    {
        "candidates": f'[{{"name": "{MODEL}", "endpoint": "recorded", "model": "{MODEL}"}}]',
        "scorers": '[{"kind": "contains"}]',
        "comparisons": "[]",
        "segments": "{}",
        # What a sample meets is final, and no batch ends before its last call.
        "batches.max_tries": 1,
        "batches.straggler_share": 0,
        "spark.master": "local[2,4]",
        "spark.driver_memory": "1g",
    }
)


@dataclass(frozen=True, slots=True)
class Verdict:
    """The last that was said of one sample's only call.

    Attributes:
        error: the reason; None where the call was answered.
    """

    status: str
    error: str | None


class FedJob:
    """The place of such a job and its topic.

    Args:
        site: where it runs.
        name: of its topic and place.
        endpoint: what it asks.
        settings: above those of the class.
        endpoint_name: of the endpoint's place; the same name unless given.
    """

    def __init__(
        self,
        site: Site,
        name: str,
        endpoint: RecordedEndpoint,
        settings: Mapping[str, object],
        *,
        endpoint_name: str = "",
    ) -> None:
        self._site, self._name = site, name
        self._topic = site.topic(f"faults.{name}")
        self._fed = 0
        self.place: Place = site.place(
            name, self._topic, endpoint, {**_SETTINGS, **settings}, endpoint_name=endpoint_name
        )

    def start(self) -> JobProcess:
        """Starts the job, which ends when it has had nothing to do for some seconds."""
        return self.place.job(ENDS_WHEN_IDLE)

    def feed(self, count: int) -> list[str]:
        """Puts so many new questions into the topic; the ids of their samples."""
        first, self._fed = self._fed, self._fed + count
        return self.ask([f"What is {self._name} {n}?" for n in range(first, self._fed)])

    def ask(self, prompts: Sequence[str]) -> list[str]:
        """Puts these questions into the topic, each once; the ids of their samples."""
        self._site.produce(self._topic, [_record(f"{self._name}: {p}", p) for p in prompts])
        return [f"{self._name}: {p}" for p in prompts]

    def verdicts(self, ids: Collection[str]) -> dict[str, Verdict]:
        """What was said of these samples so far."""
        columns = ["sample_id", "status", "error", "batch_id"]
        rows = self.place.tables().read("scores", columns).sort_by("batch_id").to_pylist()
        wanted = set(ids)
        return {
            row["sample_id"]: Verdict(row["status"], row["error"])
            for row in rows
            if row["sample_id"] in wanted
        }

    def wait_running(self, job: JobProcess, limit_s: float) -> None:
        """Returns when both queries run."""
        wait_until(lambda: _RUNNING in job.output, job, limit_s, poll_s=_POLL_S)

    def wait_for(self, job: JobProcess, ids: Collection[str], limit_s: float) -> None:
        """Returns when there is a verdict on each of these samples."""
        wait_until(lambda: len(self.verdicts(ids)) == len(ids), job, limit_s, poll_s=_POLL_S)


def _record(sample_id: str, prompt: str) -> TopicRecord:
    sample = {
        "id": sample_id,
        "time": "2025-06-01T00:00:00Z",
        "model": PRODUCTION_MODEL,
        "prompt": prompt,
        "target": ["Paris"],
    }
    return TopicRecord(sample_id.encode(), orjson.dumps(sample))
