"""A whole run with API keys, whose endpoint repeats them: nothing that it leaves or shows has them.

Each search is also made for words that must be there, so that it cannot pass by seeing nothing.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import orjson
import pytest

from streaming_eval.adapters.schemas import SCHEMAS
from streaming_eval.local.endpoint_process import RecordedEndpoint
from streaming_eval.local.ports import free_ports
from tests.faults.fed_job import FedJob
from tests.faults.job import JobProcess
from tests.faults.site import Site
from tests.faults.waiting import wait_until
from tests.pipeline.echoing_endpoint import REFUSED, EchoingEndpoint, echoing
from tests.pipeline.metrics_page import get

pytestmark = [pytest.mark.slow, pytest.mark.spark, pytest.mark.timeout(300)]

_VARIABLE = "CANARY_KEY"
_IN_VARIABLE, _IN_FILE = "sk-canary-variable-5151", "sk-canary-file-6262"
_CANARY = b"canary-"
_LIMIT_S = 120.0
_UI_PAGES = ("jobs", "stages", "storage", "environment", "executors", "SQL", "StreamingQuery")
_REST = ("jobs", "stages", "environment", "allexecutors", "sql?details=true&planDescription=true")


@dataclass(slots=True)
class Run:
    """What a run has left, and what it showed while it lasted.

    Attributes:
        files: all below its directory, and the event log.
        spool: contents of the spool's files, seen while they existed.
        pages: of Spark's interface and the exporter, by address.
        rows: all rows of all Delta tables, as text.
    """

    files: list[Path]
    output: str
    keys: set[str]
    spool: dict[str, bytes] = field(default_factory=dict)
    pages: dict[str, str] = field(default_factory=dict)
    rows: str = ""


@pytest.fixture(scope="module")
def run(site: Site, endpoint: RecordedEndpoint, tmp_path_factory: pytest.TempPathFactory) -> Run:
    keys = tmp_path_factory.mktemp("keys")
    (keys / "key").write_text(_IN_FILE)
    spark = tmp_path_factory.mktemp("spark")
    ui_port, exporter_port = free_ports(2)
    _write_defaults(spark, ui_port)
    with echoing() as server:
        settings = _settings(server, keys / "key", exporter_port)
        fed = FedJob(site, "secrets", endpoint, settings)
        environment = {_VARIABLE: _IN_VARIABLE, "SPARK_CONF_DIR": str(spark)}
        with fed.place.job("--verbose", environment=environment) as job:
            seen = _watched(fed, job, server)
            seen.pages = _pages(ui_port, exporter_port)
            job.terminate()
            assert job.wait(_LIMIT_S) == 0
            seen.output = job.output
    seen.files = [p for d in (fed.place.directory, spark) for p in d.rglob("*") if p.is_file()]
    seen.rows = str([fed.place.read(table).to_pylist() for table in SCHEMAS])
    return seen


def test_the_endpoint_was_given_both_keys(run: Run) -> None:
    assert run.keys == {_IN_VARIABLE, _IN_FILE}


def test_no_file_holds_a_key(run: Run) -> None:
    contents = dict(_contents(run.files))
    kinds = {kind for kind in _KINDS if any(kind in name for name in contents)}
    assert kinds == _KINDS
    assert any(b"SparkListenerApplicationStart" in content for content in contents.values())
    assert [name for name, content in contents.items() if _CANARY in content] == []


def test_no_row_of_any_table_holds_a_key(run: Run) -> None:
    assert "http_401" in run.rows
    assert "What is secrets 1?" in run.rows
    assert "canary-" not in run.rows


def test_the_spool_holds_answers_and_no_key(run: Run) -> None:
    assert any(b"Paris" in content for content in run.spool.values())
    assert [name for name, content in run.spool.items() if _CANARY in content] == []


def test_no_page_shows_a_key(run: Run) -> None:
    assert all(run.pages.values()), [page for page, text in run.pages.items() if not text]
    assert any("http_401" in text for text in run.pages.values())
    assert [page for page, text in run.pages.items() if "canary-" in text] == []


def test_the_output_holds_no_key(run: Run) -> None:
    assert "running; metrics on" in run.output
    assert "canary-" not in run.output


_KINDS = {"job.log", "/checkpoints/", "/tables/", "/index/", "/events/"}


def _settings(server: EchoingEndpoint, key: Path, exporter_port: int) -> Mapping[str, object]:
    source = {"variable": {"api_key_env": _VARIABLE}, "file": {"api_key_file": str(key)}}
    endpoints = {name: {"base_url": server.base_url, **of} for name, of in source.items()}
    candidates = [
        # Else what one endpoint answers would serve for both: their address is the same.
        {"name": f"{name}-{model}", "endpoint": name, "model": model, "revision": name}
        for name in endpoints
        for model in (REFUSED, "answering")
    ]
    return {
        "endpoints": orjson.dumps(endpoints).decode(),
        "candidates": orjson.dumps(candidates).decode(),
        "spark.ui": "true",
        "exporter.port": exporter_port,
        "kafka.max_records_per_trigger": 20,
    }


def _write_defaults(directory: Path, ui_port: int) -> None:
    """The event log, as an operator switches it on."""
    events = directory / "events"
    events.mkdir()
    lines = {
        "spark.eventLog.enabled": "true",
        "spark.eventLog.compress": "false",
        "spark.eventLog.dir": events.as_uri(),
        "spark.ui.port": str(ui_port),
    }
    text = "".join(f"{name} {value}\n" for name, value in lines.items())
    (directory / "spark-defaults.conf").write_text(text)


def _watched(fed: FedJob, job: JobProcess, server: EchoingEndpoint) -> Run:
    """Feeds the job, and looks into its spool until all is scored."""
    seen = Run([], "", server.keys)
    ids = fed.feed(100)

    def over() -> bool:
        for path in (fed.place.root / "spool").rglob("*.spool"):
            seen.spool[path.name] = _read(path)
        return len(fed.verdicts(ids)) == len(ids)

    wait_until(over, job, _LIMIT_S)
    return seen


def _pages(ui_port: int, exporter_port: int) -> dict[str, str]:
    found = {page: get(exporter_port, page)[1] for page in ("/", "/metrics")}
    applications = get(ui_port, "/api/v1/applications")[1]
    (application,) = orjson.loads(applications)
    rest = f"/api/v1/applications/{application['id']}"
    addresses = [f"/{page}/" for page in _UI_PAGES] + [f"{rest}/{part}" for part in _REST]
    queries = get(ui_port, "/StreamingQuery/")[1]
    addresses += sorted(set(re.findall(r"/StreamingQuery/statistics/?\?id=[0-9a-f-]+", queries)))
    return found | {address: get(ui_port, address)[1] for address in addresses}


def _contents(files: list[Path]) -> Iterator[tuple[str, bytes]]:
    """Each file's, and those of the members of archives, which hold state."""
    for path in files:
        yield str(path), _read(path)
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                for member in archive.namelist():
                    yield f"{path}!{member}", archive.read(member)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""
