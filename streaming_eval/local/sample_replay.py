"""Production samples made of real questions and real answers, drawn at random by seed."""

from __future__ import annotations

import math
import random
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import orjson

from streaming_eval.local.questions import GPT_4, LLAMA_2_7B, Question

PRODUCTION_MODEL = "assistant"
_MEDIAN_LATENCY_MS = 800.0
_LATENCY_SIGMA = 0.5  # of its logarithm: 95% of the draws lie between 300 ms and 2.1 s


def wall_ms() -> int:
    """Now, epoch milliseconds."""
    return time.time_ns() // 1_000_000


def rfc3339(epoch_ms: int) -> str:
    """The UTC time with milliseconds.

    >>> rfc3339(1_700_000_000_001)
    '2023-11-14T22:13:20.001Z'
    """
    moment = datetime.fromtimestamp(epoch_ms / 1000, UTC)
    return moment.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


@dataclass(frozen=True, slots=True)
class TopicRecord:
    """A record to be written to a topic."""

    key: bytes | None
    value: bytes | None


@dataclass(frozen=True, slots=True)
class Swap:
    """The moment at which production began to answer with another model.

    Attributes:
        at_ms: epoch milliseconds, on the replay's clock.
        after_samples: how many samples were made before; all later ones have the new answers.
    """

    at_ms: int
    after_samples: int


class SampleReplay:
    """An endless supply of native sample records; safe to share between threads.

    The prompt, the targets and the response are recorded ones. The latency is not: nothing of the
    kind was recorded, so it is drawn from a log-normal distribution (median 800 ms) that knows
    nothing of the swap, and a latency series over it must stay calm.

    Args:
        questions: what users ask, each equally often in the long run.
        run_id: start of every sample's id; unique among the runs that share a topic.
        seed: equal seeds give equal samples, but for the run id and the clock.
        swap_after: swap by itself after this many samples; None leaves it to `swap`.
        clock_ms: event time of the next sample, epoch milliseconds.
    """

    def __init__(
        self,
        questions: Sequence[Question],
        *,
        run_id: str,
        seed: int = 0,
        swap_after: int | None = None,
        clock_ms: Callable[[], int] = wall_ms,
    ) -> None:
        self._questions = questions
        self._run_id = run_id
        self._random = random.Random(seed)
        self._swap_after = swap_after
        self._clock_ms = clock_ms
        self._answers_of = GPT_4
        self._lock = threading.Lock()
        self.made = 0
        self.swapped: Swap | None = None

    def swap(self) -> Swap:
        """Has production answer with `llama-2-7b` from the next sample on; once is for ever."""
        with self._lock:
            return self._swap()

    def request_swap(self) -> None:
        """The same from a signal handler, which must not wait for the lock."""
        self._swap_after = 0

    def next(self) -> TopicRecord:
        """The next sample, keyed by its id."""
        with self._lock:
            if self._swap_after is not None and self.made >= self._swap_after:
                self._swap()
            question = self._random.choice(self._questions)
            latency_ms = self._random.lognormvariate(math.log(_MEDIAN_LATENCY_MS), _LATENCY_SIGMA)
            sample_id = f"{self._run_id}-{self.made:08d}"
            self.made += 1
            answers_of, event_time_ms = self._answers_of, self._clock_ms()
        sample = {
            "id": sample_id,
            "time": rfc3339(event_time_ms),
            "model": PRODUCTION_MODEL,
            "prompt": question.prompt,
            "response": question.answers[answers_of],
            "target": question.targets,
            "segments": _segments(question),
            "latency_ms": round(latency_ms, 1),
        }
        return TopicRecord(sample_id.encode(), orjson.dumps(sample))

    def _swap(self) -> Swap:
        if self.swapped is None:
            self._answers_of = LLAMA_2_7B
            self.swapped = Swap(self._clock_ms(), self.made)
        return self.swapped


def _segments(question: Question) -> dict[str, str]:
    segments = {"source": question.source, "domain": question.domain}
    return {name: value for name, value in segments.items() if value}
