"""The control: whether the synthetic endpoint is fast enough to measure clients with.

Everything else is void when the endpoint itself is what the faster side waits for.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import uuid
from pathlib import Path

from benchmarks.bare_client import bare_rate
from benchmarks.bench_job import MODEL, bench_endpoint
from benchmarks.report import Report
from streaming_eval.local.behaviour import Behaviour

_LEAST = 5.0
_IN_FLIGHT = 256
_REQUEST = f"""
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.body = '{{"model":"{MODEL}","messages":[{{"role":"user","content":"control"}}]}}'
"""


def run(directory: Path, report: Report, *, quick: bool) -> None:
    """`wrk`, a load generator in C, beside two bare processes, both at 0 ms."""
    wrk = shutil.which("wrk")
    if wrk is None:
        report.add("control", "not measured: there is no wrk on the path", "unknown")
        return
    seconds, requests = (2, 2_000) if quick else (10, 40_000)
    script = directory / "request.lua"
    script.write_text(_REQUEST)
    with bench_endpoint(directory, Behaviour()) as endpoint:
        command = [wrk, "-t1", f"-c{_IN_FLIGHT}", f"-d{seconds}s", f"-s{script}"]
        printed = subprocess.run(
            [*command, f"{endpoint.base_url}/chat/completions"],
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        if "Non-2xx" in printed:
            raise RuntimeError(f"the endpoint refused the control's requests:\n{printed}")
        endpoint_rate = float(re.findall(r"Requests/sec:\s+([\d.]+)", printed)[0])
        prompts = [f"{uuid.uuid4()}" for _ in range(requests)]
        bare = bare_rate(endpoint.base_url, MODEL, prompts, _IN_FLIGHT)
    report.add(
        "control",
        "load generator in C against the endpoint at 0 ms / two bare processes",
        f"{endpoint_rate / bare:.1f}; {endpoint_rate:,.0f}/s against {bare:,.0f}/s",
        f">= {_LEAST:g}",
        met=endpoint_rate >= _LEAST * bare,
    )
