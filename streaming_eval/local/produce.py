"""The sample producer as a process of its own.

    python -m streaming_eval.local.produce --bootstrap-servers localhost:9092 --rate 200

SIGTERM and SIGINT end it in good order, SIGUSR1 swaps the production model. At the end it prints
one line of JSON: run id, samples made and acknowledged, and when the swap was.
"""

from __future__ import annotations

import argparse
import secrets
import signal
import sys
from dataclasses import asdict

import orjson

from streaming_eval.errors import StreamingEvalError
from streaming_eval.local.producer import SampleProducer
from streaming_eval.local.questions import load_questions
from streaming_eval.local.sample_replay import SampleReplay
from streaming_eval.local.topic_writer import TopicWriter


def new_run_id() -> str:
    """Eight characters that no other run is likely to have."""
    return secrets.token_hex(4)


def main(arguments: list[str] | None = None) -> int:
    """Sends samples as the command line says; the exit status is 1 when some were refused."""
    options = _parser().parse_args(arguments)
    run_id = options.run_id or new_run_id()
    try:
        replay = SampleReplay(
            load_questions(), run_id=run_id, seed=options.seed, swap_after=options.swap_after
        )
        producer = SampleProducer(TopicWriter(options.bootstrap_servers, options.topic), replay)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: producer.request_stop())
        signal.signal(signal.SIGUSR1, lambda *_: replay.request_swap())
        producer.run(options.rate, options.samples)
        producer.stop()
    except StreamingEvalError as error:
        sys.stderr.write(f"produce: {error}\n")
        return 1
    swap = asdict(replay.swapped) if replay.swapped else None
    summary = {"run_id": run_id, "produced": producer.produced}
    sys.stdout.buffer.write(
        orjson.dumps({**summary, "acknowledged": producer.acknowledged, "swap": swap}) + b"\n"
    )
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="produce", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--bootstrap-servers", required=True)
    parser.add_argument("--topic", default="llm.samples.v1")
    parser.add_argument("--rate", type=float, default=200.0, help="samples per second")
    parser.add_argument("--samples", type=int, help="stop after so many; else on a signal")
    parser.add_argument("--swap-after", type=int, help="swap the production model after so many")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--run-id", help="start of the sample ids; random when not given")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
