"""The doctor's checks against real sockets, files and HTTP servers on this machine."""

import http.server
import socket
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from streaming_eval.adapters.kafka_admin import KafkaAdmin
from streaming_eval.configuration import load_settings
from streaming_eval.local.doctor import Finding, Status, examine, machine, place, services
from streaming_eval.settings import Settings

EVERYTHING = Path(__file__).parent / "configurations" / "everything.yaml"
MODELS = b'{"data": [{"id": "org/small"}, {"id": "org/large"}]}'


def settings(**changes: str) -> Settings:
    dotted = {key.replace("__", "."): value for key, value in changes.items()}
    return load_settings(EVERYTHING, {"endpoints.judges.api_key_file": "absent"} | dotted, {})


def only(findings: list[Finding], check: str) -> Finding:
    [found] = [finding for finding in findings if finding.check == check]
    return found


class Endpoint(http.server.ThreadingHTTPServer):
    """A model endpoint on a free port that answers as told and notes what it was asked."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.status, self.body = 200, MODELS
        self.asked: list[tuple[str, str | None]] = []
        self.headers: dict[str, str] = {}


class Handler(http.server.BaseHTTPRequestHandler):
    """Its one verb."""

    server: Endpoint

    def do_GET(self) -> None:
        self.server.asked.append((self.path, self.headers["Authorization"]))
        self.server.headers = {name.lower(): value for name, value in self.headers.items()}
        self.send_response(self.server.status)
        self.send_header("Location", "/elsewhere")
        self.end_headers()
        self.wfile.write(self.server.body)

    def log_message(self, *_: object) -> None:
        """Tests stay quiet."""


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    """Serves until the test ends."""
    with Endpoint() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def check_endpoint(port: int) -> Finding:
    url = f"http://127.0.0.1:{port}/v1"
    found = services.endpoints(
        settings(**{"endpoints__my-vLLM__base_url": url}), {"VLLM_KEY": "canary"}
    )
    return only(found, "endpoint my-vLLM")


def test_an_endpoint_with_its_models_is_ok_and_was_sent_its_key(endpoint: Endpoint) -> None:
    assert check_endpoint(endpoint.server_port).status is Status.OK
    assert endpoint.asked == [("/v1/models", "Bearer canary")]


@pytest.mark.parametrize(
    ("status", "body", "verdict", "detail"),
    [
        (401, b"", Status.FAIL, "refuses the key"),
        (404, b"", Status.WARN, "lists no models"),
        (429, b"", Status.WARN, "busy"),
        (500, b"", Status.FAIL, "answers 500"),
        (302, b"", Status.FAIL, "answers 302"),
        (200, b"<html>", Status.WARN, "no list of models"),
        (200, b'{"data": [{"id": "org/small"}]}', Status.WARN, "does not list org/large"),
    ],
)
def test_an_endpoint_that_is_not_as_it_should_be(
    endpoint: Endpoint, status: int, body: bytes, verdict: Status, detail: str
) -> None:
    endpoint.status, endpoint.body = status, body
    found = check_endpoint(endpoint.server_port)
    assert (found.status, detail in found.detail) == (verdict, True), found
    assert found.remedy
    assert "canary" not in f"{found}"
    assert len(endpoint.asked) == 1, "a redirect is not followed: it would carry the key along"


@pytest.mark.parametrize(
    ("changes", "asked"),
    [
        ({"api": "anthropic_messages"}, ("/v1/models", "x-api-key")),
        ({"api": "gemini"}, ("/v1/models", "x-goog-api-key")),
        (
            {"key_header": "api-key", "query": '{"api-version": "1"}'},
            ("/v1/models?api-version=1", "api-key"),
        ),
    ],
)
def test_the_key_goes_where_the_api_wants_it(
    endpoint: Endpoint, changes: dict[str, str], asked: tuple[str, str]
) -> None:
    endpoint.body = b'{"models": [{"name": "models/org/small"}, {"name": "org/large"}]}'
    url = f"http://127.0.0.1:{endpoint.server_port}/v1"
    dotted = {f"endpoints__my-vLLM__{key}": value for key, value in changes.items()}
    found = services.endpoints(
        settings(**{"endpoints__my-vLLM__base_url": url}, **dotted), {"VLLM_KEY": "canary"}
    )
    assert only(found, "endpoint my-vLLM").status is Status.OK
    assert endpoint.asked == [(asked[0], None)]
    assert endpoint.headers[asked[1]] == "canary"


def test_an_embedding_model_is_wanted_too(endpoint: Endpoint) -> None:
    url = f"http://127.0.0.1:{endpoint.server_port}/v1"
    findings = services.endpoints(settings(endpoints__vectors__base_url=url), {})
    assert only(findings, "endpoint vectors").detail == f"{url} does not list e"


def test_an_endpoint_that_is_not_there_and_a_key_that_is_missing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    assert "does not answer" in check_endpoint(port).detail
    found = only(services.endpoints(settings(), {}), "endpoint my-vLLM")
    assert found.detail == "environment variable VLLM_KEY is not set"


class Cluster(KafkaAdmin):
    """A cluster with these topics, or a silent one."""

    def __init__(self, topics: dict[str, int] | None) -> None:
        self._topics = topics

    def answers(self, timeout_s: float) -> bool:
        return self._topics is not None

    def partitions(self, timeout_s: float = 0) -> dict[str, int]:
        return self._topics or {}


def check_kafka(topics: dict[str, int] | None) -> list[Finding]:
    seen: list[Mapping[str, str]] = []

    def connect(servers: str, security: Mapping[str, str]) -> Cluster:
        seen.append(security)
        return Cluster(topics)

    found = services.kafka(settings(), {"KAFKA_PASSWORD": "canary"}, connect)
    assert seen[0]["sasl.password"] == "canary"
    assert "canary" not in f"{found}"
    return found


def test_kafka_is_there_with_both_topics_or_the_missing_one_is_named() -> None:
    found = check_kafka({"other.samples": 3, "other.dlq": 1})
    assert {finding.status for finding in found} == {Status.OK}
    assert only(found, "topic other.samples").detail == "3 partitions"
    missing = only(check_kafka({"other.dlq": 1}), "topic other.samples")
    assert (missing.status, missing.detail) == (Status.FAIL, "does not exist")


def test_a_dead_letter_topic_that_the_job_will_make_is_no_failure() -> None:
    found = check_kafka({"other.samples": 3})
    assert only(found, "topic other.samples").status is Status.OK
    missing = only(found, "topic other.dlq")
    assert (missing.status, missing.detail) == (Status.WARN, "does not exist; run makes it")


def test_a_silent_kafka_fails_and_says_what_to_do() -> None:
    [found] = check_kafka(None)
    assert found.status is Status.FAIL
    assert "kafka.bootstrap_servers" in found.remedy


def test_a_taken_port_fails_and_a_free_one_does_not() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        changed = settings(exporter__host="127.0.0.1", exporter__port=port)
        assert place.exporter(changed, {})[0].status is Status.FAIL
    assert place.exporter(changed, {})[0].status is Status.OK


def test_storage_is_tried_where_it_is_or_will_be_and_left_as_it_was(tmp_path: Path) -> None:
    root = tmp_path / "a" / "b"
    found = place.storage(settings(storage__root=str(root)), {})
    assert found[0].status in (Status.OK, Status.WARN)
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "a").write_text("a file, not a directory")
    assert place.storage(settings(storage__root=str(root)), {})[0].status is Status.FAIL


def test_missing_secrets_are_named() -> None:
    found = place.secrets(settings(), {})
    assert {finding.status for finding in found} == {Status.FAIL}
    assert len(found) == 3


def test_this_machine_has_what_the_tests_need() -> None:
    environ = {"PATH": "/usr/bin:/bin"}
    for check in (machine.java, machine.packages):
        assert {finding.status for finding in check(settings(), environ)} == {Status.OK}


def test_no_java_and_no_prometheus_are_found_where_there_are_none(tmp_path: Path) -> None:
    [found] = machine.prometheus(settings(), {"PATH": str(tmp_path)})
    assert (found.status, found.check) == (Status.WARN, "prometheus")


def test_jars_that_are_not_cached_are_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    found = machine.jars(settings(), {})
    assert {finding.status for finding in found} == {Status.WARN}


def test_a_check_that_breaks_does_not_hide_the_others() -> None:
    def broken(settings: Settings, environ: Mapping[str, str]) -> list[Finding]:
        raise RuntimeError("surprise")

    found = examine(settings(), {}, (broken, place.series))
    assert [finding.status for finding in found] == [Status.FAIL, Status.OK]
    assert "surprise" in found[0].detail
