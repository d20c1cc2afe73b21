import gzip
import http.client
import socket
import threading
import time
from collections.abc import Iterator

import pytest
from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client.parser import text_string_to_metric_families

from streaming_eval.adapters import exporter_server
from streaming_eval.adapters.exporter import Exporter, exported_metrics
from streaming_eval.errors import EnvironmentProblem
from streaming_eval.records import SeriesKey
from streaming_eval.snapshot import Snapshot
from tests.exporter_data import PROMISES, fleet, serving, view

OPEN_METRICS = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"


@pytest.fixture
def exporter() -> Iterator[Exporter]:
    started = serving(fleet(), 1_700_000_000.0)
    yield started
    started.stop()


def get(
    exporter: Exporter, path: str, method: str = "GET", **headers: str
) -> tuple[int, bytes, http.client.HTTPMessage]:
    connection = http.client.HTTPConnection("127.0.0.1", exporter.port, timeout=5)
    try:
        connection.request(
            method, path, headers={k.replace("_", "-"): v for k, v in headers.items()}
        )
        response = connection.getresponse()
        return response.status, response.read(), response.headers
    finally:
        connection.close()


def test_a_scrape_holds_every_metric(exporter: Exporter) -> None:
    status, body, headers = get(exporter, "/metrics")
    typed = {line.split()[2] for line in body.decode().splitlines() if line.startswith("# TYPE")}
    assert status == 200
    assert headers["Content-Type"].startswith("text/plain")
    assert typed == {metric.name for metric in exported_metrics()}


def test_open_metrics_is_served_to_those_who_ask(exporter: Exporter) -> None:
    _, body, headers = get(exporter, "/metrics", Accept=OPEN_METRICS)
    assert headers["Content-Type"].startswith("application/openmetrics-text")
    families = openmetrics.text_string_to_metric_families(  # type: ignore[no-untyped-call]
        body.decode()
    )
    assert {"streaming_eval_samples", "streaming_eval_score_mean"} <= {f.name for f in families}


def test_compressed_is_the_same_page(exporter: Exporter) -> None:
    _, plain, _ = get(exporter, "/metrics")
    for _ in range(2):
        _, zipped, headers = get(exporter, "/metrics", Accept_Encoding="deflate, gzip")
        assert headers["Content-Encoding"] == "gzip"
        assert gzip.decompress(zipped) == plain


def test_a_compressed_page_keeps_up_with_the_counters(exporter: Exporter) -> None:
    for n in (1, 2):
        exporter.metrics.count_late_samples(1)
        _, zipped, _ = get(exporter, "/metrics", Accept_Encoding="gzip")
        assert f"streaming_eval_late_samples_total {n + 1}.0" in gzip.decompress(zipped).decode()


def test_a_quiet_series_disappears(exporter: Exporter) -> None:
    assert b'model="assistant"' in get(exporter, "/metrics")[1]
    exporter.publish(Snapshot(PROMISES))
    assert b'model="assistant"' not in get(exporter, "/metrics")[1]


@pytest.mark.parametrize("path", ["/metrics", "/-/ready"])
def test_not_ready_until_restored(path: str) -> None:
    exporter = Exporter("127.0.0.1", 0)
    exporter.start()
    try:
        assert get(exporter, path)[0] == 503
        exporter.mark_ready()
        assert get(exporter, path)[0] == 503, "ready without a snapshot would be a false recovery"
        exporter.publish(fleet())
        assert get(exporter, path)[0] == 200
        exporter.mark_unready()
        assert get(exporter, path)[0] == 503
    finally:
        exporter.stop()


def test_healthy_even_while_restoring() -> None:
    exporter = Exporter("127.0.0.1", 0)
    exporter.start()
    try:
        assert get(exporter, "/-/healthy")[:2] == (200, b"healthy\n")
        assert b"not ready" in get(exporter, "/")[1]
    finally:
        exporter.stop()


def test_other_paths_and_methods_are_refused(exporter: Exporter) -> None:
    assert get(exporter, "/metrics/../secret")[0] == 404
    assert get(exporter, "/metrics", method="POST")[0] == 501
    assert get(exporter, "/metrics?name[]=up")[0] == 200
    status, body, headers = get(exporter, "/metrics", method="HEAD")
    assert (status, body) == (200, b"")
    assert int(headers["Content-Length"]) > 1_000


def test_a_taken_port_is_one_clear_sentence(exporter: Exporter) -> None:
    second = Exporter("127.0.0.1", exporter.port)
    with pytest.raises(EnvironmentProblem, match=rf"127\.0\.0\.1:{exporter.port} is in use.*port"):
        second.start()
    second.stop()
    assert get(exporter, "/-/ready")[0] == 200


def test_an_impossible_address_is_one_clear_sentence() -> None:
    with pytest.raises(EnvironmentProblem, match=r"cannot listen on 192\.0\.2\.1:0"):
        Exporter("192.0.2.1", 0).start()


def test_a_stopped_exporter_frees_its_port(exporter: Exporter) -> None:
    exporter.stop()
    again = Exporter("127.0.0.1", exporter.port)
    again.start()
    again.stop()


@pytest.mark.parametrize("clients", [100, exporter_server.MAX_CONNECTIONS + 20])
def test_slow_clients_do_not_stop_scrapes(exporter: Exporter, clients: int) -> None:
    slow = [socket.create_connection(("127.0.0.1", exporter.port)) for _ in range(clients)]
    try:
        for number, client in enumerate(slow):
            client.sendall(b"GET /metrics HTTP/1.1\r\n" if number % 2 else b"G")
        begun = time.monotonic()
        for _ in range(20):
            assert get(exporter, "/metrics")[0] == 200
        assert time.monotonic() - begun < 5
    finally:
        for client in slow:
            client.close()


def test_slow_readers_do_not_stop_scrapes(exporter: Exporter) -> None:
    keys = [SeriesKey(f"model-{n}", "__all__", "contains", "0f3a") for n in range(2_000)]
    exporter.publish(Snapshot(PROMISES, tuple(view(key) for key in keys)))
    slow = [socket.create_connection(("127.0.0.1", exporter.port)) for _ in range(100)]
    try:
        for client in slow:
            client.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
        assert get(exporter, "/metrics")[0] == 200
    finally:
        for client in slow:
            client.close()


def test_a_client_that_dribbles_is_dropped(
    exporter: Exporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exporter_server, "CONNECTION_SECONDS", 0.3)
    client = socket.create_connection(("127.0.0.1", exporter.port), timeout=5)
    with client, pytest.raises(OSError):
        for _ in range(100):
            client.sendall(b"x")
            time.sleep(0.05)


def test_a_scrape_during_swaps_sees_one_whole_snapshot(exporter: Exporter) -> None:
    keys = [SeriesKey(f"model-{n}", "__all__", "contains", "0f3a") for n in range(100)]
    snapshots = [Snapshot(PROMISES, tuple(view(k, n=n) for k in keys)) for n in (1, 2)]
    stop = threading.Event()

    def swap() -> None:
        while not stop.is_set():
            for snapshot in snapshots:
                exporter.publish(snapshot)

    swapping = threading.Thread(target=swap)
    exporter.publish(snapshots[0])
    swapping.start()
    try:
        for _ in range(20):
            assert len(_sizes(get(exporter, "/metrics")[1])) == 1
    finally:
        stop.set()
        swapping.join()


def _sizes(page: bytes) -> set[float]:
    families = text_string_to_metric_families(page.decode())
    counts = next(f for f in families if f.name == "streaming_eval_score_samples")
    return {sample.value for sample in counts.samples}
