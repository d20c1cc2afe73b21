"""The demo: the whole product on this machine, on real answers, with a real regression.

Production answers with GPT-4 until the monitor has a baseline and says `ok`; then, without any
announcement, it answers with Llama-2-7B under the same name. The demo shows when that is noticed.
"""

from __future__ import annotations

import json
import signal
import sys
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from streaming_eval.local.demo_stage import Stage
from streaming_eval.local.demo_state import DemoState
from streaming_eval.local.demo_story import PROMETHEUS_ALERT, tell
from streaming_eval.local.demo_summary import summarise
from streaming_eval.local.demo_view import DemoView, Reading, read_metrics
from streaming_eval.local.producer import SampleProducer
from streaming_eval.local.prometheus_server import PrometheusServer
from streaming_eval.local.questions import load_questions
from streaming_eval.local.sample_replay import PRODUCTION_MODEL, SampleReplay, Swap
from streaming_eval.local.topic_writer import TopicWriter
from streaming_eval.settings import KafkaSettings

DEFAULT_RATE = 200.0
_WATCHED = (PRODUCTION_MODEL, "", "contains")
_LONGEST_CLEAN_SAMPLES = 20_000
_SWAP_WITHIN_S = 120.0
_DETECT_WITHIN_S = 130.0
_AFTERMATH_S = 4.0
_REPEAT_RUN_S = 45.0
_CATCH_UP_S = 30.0
_POLL_S = 0.5
_INTERRUPTED = 130


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """What may be chosen.

    Attributes:
        rate: samples per second.
        state_dir: kept and continued from; a new one below `streaming-eval-state` when None.
        summary: file for the summary as JSON.
        keep_running: go on until interrupted.
        seed: of the replayed samples.
    """

    rate: float | None = None
    state_dir: Path | None = None
    summary: Path | None = None
    keep_running: bool = False
    seed: int = 0


def run_demo(options: DemoOptions, console: Console | None = None) -> int:
    """Runs the demo to its end.

    Returns:
        0 when the regression was detected and nothing else raised an alert, 1 when not, 130 when
        interrupted before that was known.
    """
    # Into a file or a pipe, lines go whole, however long.
    console = console or Console(soft_wrap=not sys.stdout.isatty())
    for number in (signal.SIGINT, signal.SIGTERM):  # also where a shell has them ignored
        signal.signal(number, signal.default_int_handler)
    directory = options.state_dir or _new_directory()
    state = DemoState.load(directory)
    with Stage(directory) as stage:
        run = _Run(options, state, stage, console)
        try:
            run.prepare()
            run.play()
        except KeyboardInterrupt:
            console.print("\nInterrupted; stopping.")
        finally:
            run.finish()
        return run.report()


class _Run:
    """One run of the demo over a stage that it fills."""

    def __init__(
        self, options: DemoOptions, state: DemoState, stage: Stage, console: Console
    ) -> None:
        self._options, self._before, self._stage, self._console = options, state, stage, console
        self._view = DemoView(console)
        self._producer: SampleProducer | None = None
        self._fired: bool | None = None
        self._complete = False
        self._address = ""

    def prepare(self) -> None:
        """Starts everything, with a line for each step."""
        say = self._console.print
        say(f"State and logs: {self._stage.directory}")
        questions = load_questions()
        say(f"{len(questions):,} questions with recorded answers of GPT-4, Llama-2-7B and -13B")
        bootstrap = self._stage.start_kafka()
        say(f"Kafka broker at {bootstrap}")
        base_url = self._stage.start_endpoint()
        say(f"Recorded model endpoint at {base_url}; its judge is a script and says so")
        self._producer = self._make_producer(bootstrap)
        say("Starting the job (Spark, both queries) ...")
        self._address = self._stage.start_job(base_url)
        say(f"Job ready; metrics at http://{self._address}/metrics, status page at /")
        prometheus = self._stage.start_prometheus(self._address)
        if prometheus is None:
            say("Prometheus is not installed: the rules are not evaluated, alerts are read from "
                "the alerts table only")  # fmt: skip
        else:
            say(f"Prometheus with our alert rules at {prometheus.url}")

    def play(self) -> None:
        """Sends samples, swaps the model, waits for what follows."""
        assert self._producer is not None
        rate = self._options.rate or DEFAULT_RATE
        self._producer.start(rate)
        with self._view.open():
            if self._before.swap is None:
                self._until_swap(self._producer)
                self._until_detected()
            else:
                self._watch("continuing", lambda r: False, _REPEAT_RUN_S)
            self._fired = self._prometheus_fired()
            self._complete = True
            if self._options.keep_running:
                self._watch("running until Ctrl-C", lambda r: False, float("inf"))
            self._producer.stop()
            self._watch("catching up", lambda r: r.lag == 0, _CATCH_UP_S)

    def finish(self) -> None:
        """Stops producer and job in good order and remembers how far this run came."""
        producer = self._producer
        if producer is None:
            return
        producer.stop()
        self._stage.stop_job()
        DemoState(
            self._before.runs + 1, self._before.produced + producer.produced, self._swap()
        ).save(self._stage.directory)

    def report(self) -> int:
        """Prints and writes the summary."""
        if self._producer is None:
            return _INTERRUPTED
        produced = self._before.produced + self._producer.produced
        summary = summarise(
            self._stage.root, self._stage.call_log, produced, self._swap(), self._fired
        )
        if self._options.summary is not None:
            self._options.summary.write_text(json.dumps(summary.as_json(), indent=2) + "\n")
        good = tell(summary, self._console, complete=self._complete)
        if not self._complete:
            return _INTERRUPTED
        return 0 if good else 1

    def _make_producer(self, bootstrap: str) -> SampleProducer:
        writer = TopicWriter(bootstrap, KafkaSettings().topic)
        replay = SampleReplay(
            load_questions(),
            run_id=f"demo-{uuid.uuid4().hex[:8]}",
            seed=self._options.seed + self._before.runs,
            swap_after=None if self._before.swap is None else 0,
        )
        return SampleProducer(writer, replay)

    def _swap(self) -> Swap | None:
        if self._before.swap is not None or self._producer is None:
            return self._before.swap
        return self._producer.swapped

    def _until_swap(self, producer: SampleProducer) -> None:
        def settled(reading: Reading) -> bool:
            line = reading.series.get(_WATCHED)
            calm = line is not None and line.state == "ok"
            return calm or reading.scored >= _LONGEST_CLEAN_SAMPLES

        self._watch("production is GPT-4", settled, _SWAP_WITHIN_S)
        swap = producer.swap()
        self._console.print(
            "[bold]Production now answers with Llama-2-7B[/] "
            f"(after {swap.after_samples:,} samples)"
        )

    def _until_detected(self) -> None:
        def noticed(reading: Reading) -> bool:
            line = reading.series.get(_WATCHED)
            regressed = line is not None and line.state == "regressed"
            return regressed and self._prometheus_fired() is not False

        self._watch("production is Llama-2-7B", noticed, _DETECT_WITHIN_S)
        self._watch("alert is firing", lambda r: False, _AFTERMATH_S)

    def _watch(self, stage: str, over: Callable[[Reading], bool], limit_s: float) -> None:
        ends_at = time.monotonic() + limit_s
        while time.monotonic() < ends_at:
            if not self._stage.job.running:
                raise self._stage.job_failed()
            try:
                reading = read_metrics(self._address)
            except OSError:
                reading = None
            if reading is not None:
                self._view.show(reading, stage)
                if over(reading):
                    return
            time.sleep(_POLL_S)

    def _prometheus_fired(self) -> bool | None:
        prometheus: PrometheusServer | None = self._stage.prometheus
        return None if prometheus is None else bool(prometheus.api.query(PROMETHEUS_ALERT))


def _new_directory() -> Path:
    return Path("streaming-eval-state") / time.strftime("demo-%Y%m%d-%H%M%S")
