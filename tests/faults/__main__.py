"""Breaks the job on purpose and says whether it kept its promises: `make faults`."""

from __future__ import annotations

import argparse
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

from rich.console import Console
from rich.table import Table

from streaming_eval.errors import StreamingEvalError
from streaming_eval.local.kafka_broker import KafkaBroker
from tests.faults.checks import Checks
from tests.faults.fault_endpoint_errors import endpoint_errors
from tests.faults.fault_hostile import hostile
from tests.faults.fault_kill import kill
from tests.faults.fault_memory import memory
from tests.faults.fault_repeated_tasks import repeated_tasks
from tests.faults.fault_replies import replies
from tests.faults.fault_second_job import second_job
from tests.faults.fault_shared_cache import shared_cache
from tests.faults.fault_sigterm import sigterm
from tests.faults.fault_stuck import stuck
from tests.faults.fault_workers import hanging_workers, workers
from tests.faults.job import JobError
from tests.faults.options import Options
from tests.faults.site import LARGEST_MESSAGE_BYTES, Site

FAULTS: Mapping[str, Callable[[Site, Options, Checks], None]] = MappingProxyType(
    {
        "second-job": second_job,
        "sigterm": sigterm,
        "hostile": hostile,
        "workers": workers,
        "hanging-workers": hanging_workers,
        "memory": memory,
        "endpoint-errors": endpoint_errors,
        "stuck": stuck,
        "replies": replies,
        "repeated-tasks": repeated_tasks,
        "shared-cache": shared_cache,
        "kill": kill,
    }
)


def main(arguments: list[str] | None = None) -> int:
    """Runs the faults; 1 when one of them failed."""
    given = _parser().parse_args(arguments)
    console = Console()
    options = Options(
        given.samples,
        given.kills,
        given.seed,
        given.scale,
        lambda text: console.print(f"  {text}", soft_wrap=True),
    )
    directory = Path(tempfile.mkdtemp(prefix="streaming-eval-faults-"))
    table = Table("fault", "", "seconds")
    failed = 0
    with KafkaBroker(directory / "kafka", message_max_bytes=LARGEST_MESSAGE_BYTES) as broker:
        site = Site(directory, broker)
        for name in given.only or FAULTS:
            console.print(f"{name}, seed {options.seed}")
            began, checks = time.monotonic(), _run(name, site, options)
            failed += bool(checks.failures)
            verdict = "[bold red]FAIL[/]" if checks.failures else "[green]PASS[/]"
            for text in [*checks.figures, *(f"! {text}" for text in checks.failures)]:
                console.print(f"  {text}", soft_wrap=True, markup=False)
            console.print(f"{name}: {verdict}")
            table.add_row(name, verdict, f"{time.monotonic() - began:.0f}")
    console.print(table)
    console.print(f"seed {options.seed}, {options.samples:,} samples, {options.kills} kills")
    if failed or given.keep:
        console.print(f"everything is in {directory}")
    else:
        shutil.rmtree(directory)
    return 1 if failed else 0


def _run(name: str, site: Site, options: Options) -> Checks:
    checks = Checks()
    try:
        FAULTS[name](site, options, checks)
    except (JobError, StreamingEvalError, TimeoutError) as error:
        checks.expect(False, str(error))
    return checks


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--samples", type=int, default=20_000, help="of the killed run")
    parser.add_argument("--kills", type=int, default=8, help="of the killed run")
    parser.add_argument(
        "--seed", type=int, default=random.randrange(1_000_000), help="of all draws"
    )
    parser.add_argument("--scale", type=float, default=1.0, help="size of the other runs")
    parser.add_argument("--only", choices=FAULTS, action="append", help="one fault; repeatable")
    parser.add_argument("--keep", action="store_true", help="leave tables and logs behind")
    return parser


if __name__ == "__main__":
    sys.exit(main())
