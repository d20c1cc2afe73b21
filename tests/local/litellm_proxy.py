"""The LiteLLM proxy, a server of these APIs by other makers, for the length of a `with` block."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException
from pathlib import Path

import yaml

from streaming_eval.local.ports import LOOPBACK, free_ports
from streaming_eval.local.process import ServerProcess
from tests.local.foreign_environment import environment

REQUIREMENT = "litellm[proxy]==1.100.0"
KEY = "sk-proxy-canary"
RPM = 5

_LIMIT_S = 90
_OFFLINE = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_TELEMETRY": "False"}


def models(recorded_url: str) -> dict[str, dict[str, object]]:
    """Model name to what it stands for: mock answers, or calls to the recorded endpoint."""
    mock: dict[str, object] = {"model": "openai/gpt-4o-mini"}
    return {
        "mocked": {**mock, "mock_response": "Because."},
        "limited": {**mock, "mock_response": "Because.", "rpm": RPM},
        "broken": {**mock, "mock_response": "litellm.InternalServerError"},
        "as-openai": {"model": "openai/llama-2-7b", "api_base": f"{recorded_url}/v1"},
        "as-anthropic": {"model": "anthropic/llama-2-7b", "api_base": recorded_url},
        "as-gemini": {"model": "gemini/llama-2-7b", "api_base": f"{recorded_url}/v1beta"},
        "base": {
            "model": "text-completion-openai/llama-2-7b",
            "api_base": f"{recorded_url}/v1",
        },
        "vectors": {"model": "openai/hashed-words", "api_base": f"{recorded_url}/v1"},
    }


@contextmanager
def proxy(recorded_url: str, directory: Path) -> Iterator[str]:
    """Where the proxy serves its APIs."""
    [port] = free_ports(1)
    program = environment(REQUIREMENT) / "bin" / "litellm"
    configuration = _written(recorded_url, directory / "litellm.yaml")
    options = [f"--config={configuration}", f"--host={LOOPBACK}", f"--port={port}"]
    process = ServerProcess("litellm", [program, *options], directory / "litellm.log", _OFFLINE)
    try:
        process.wait_until(lambda: _alive(port), _LIMIT_S)
        yield f"http://{LOOPBACK}:{port}"
    finally:
        process.stop(10)


def _written(recorded_url: str, path: Path) -> Path:
    document = {
        "model_list": [
            {"model_name": name, "litellm_params": {"api_key": "none", **parameters}}
            for name, parameters in models(recorded_url).items()
        ],
        "router_settings": {
            "optional_pre_call_checks": ["enforce_model_rate_limits"],
            "disable_cooldowns": True,
            "num_retries": 0,
        },
        "general_settings": {"master_key": KEY},
        "litellm_settings": {"num_retries": 0},
    }
    path.write_text(yaml.safe_dump(document))
    return path


def _alive(port: int) -> bool:
    connection = HTTPConnection(LOOPBACK, port, timeout=5)
    try:
        connection.request("GET", "/health/liveliness")
        return connection.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()
