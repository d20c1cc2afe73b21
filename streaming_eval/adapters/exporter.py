"""The driver's Prometheus endpoint: metrics, liveness, readiness and a page for people."""

from __future__ import annotations

import errno
import threading
import time
import zlib
from dataclasses import dataclass
from http import HTTPStatus

from streaming_eval.adapters.exporter_server import Page, PageServer, Query
from streaming_eval.adapters.exposition import quality_metrics, render
from streaming_eval.adapters.model_exposition import model_metrics, render_models
from streaming_eval.adapters.prometheus import PipelineMetrics
from streaming_eval.adapters.prometheus_text import MetricInfo
from streaming_eval.adapters.status_page import status_page
from streaming_eval.errors import EnvironmentProblem
from streaming_eval.snapshot import Snapshot

_GZIP = 16 + zlib.MAX_WBITS
_HTML_HEADERS = (("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'"),)


class Exporter:
    """Answers scrapes from the last published snapshot; all methods are thread-safe.

    Until a snapshot has been published and `mark_ready` called, `/metrics` and `/-/ready` answer
    503: after a restart, empty metrics would look as if every alarm had been resolved.

    Args:
        host: address to listen on.
        port: 0 takes a free one.
        currency: of the price table, ISO 4217.
    """

    def __init__(self, host: str, port: int, currency: str = "USD") -> None:
        self.metrics = PipelineMetrics(currency)
        self._host = host
        self._wanted_port = port
        self._server: PageServer | None = None
        self._snapshot: Snapshot | None = None
        self._quality: _Quality | None = None
        self._rendering = threading.Lock()
        self._marked_ready = False

    def start(self) -> None:
        """Begin to answer.

        Raises:
            EnvironmentProblem: the address cannot be used; says what to change.
        """
        try:
            self._server = PageServer(self._host, self._wanted_port, self._respond)
        except OSError as error:
            raise EnvironmentProblem(self._unusable(error)) from error
        self._server.start()

    def stop(self) -> None:
        """Close the port; a stopped or never started exporter stays stopped."""
        server, self._server = self._server, None
        if server is not None:
            server.stop()

    @property
    def port(self) -> int:
        """The port that is listened on, or the wanted one while not started."""
        return self._wanted_port if self._server is None else int(self._server.server_address[1])

    @property
    def ready(self) -> bool:
        return self._marked_ready and self._snapshot is not None

    def publish(self, snapshot: Snapshot) -> None:
        """Show this from now on, and nothing of what was shown before."""
        self._snapshot = snapshot

    def mark_ready(self) -> None:
        self._marked_ready = True

    def mark_unready(self) -> None:
        self._marked_ready = False

    def _respond(self, query: Query) -> Page:
        if query.path == "/metrics":
            return self._metrics_page(query)
        if query.path == "/":
            page = status_page(self._snapshot, self.metrics, self.ready, time.time())
            return Page(
                (page.encode("utf-8", "replace"),),
                "text/html; charset=utf-8",
                headers=_HTML_HEADERS,
            )
        if query.path == "/-/healthy":
            return Page((b"healthy\n",))
        if query.path == "/-/ready":
            return Page((b"ready\n",)) if self.ready else _not_ready()
        return Page((b"not found\n",), status=HTTPStatus.NOT_FOUND)

    def _metrics_page(self, query: Query) -> Page:
        if not self.ready:
            return _not_ready()
        pipeline, content_type = self.metrics.render(query.headers.get("accept", ""))
        quality = self._rendered()
        if "gzip" in query.headers.get("accept-encoding", ""):
            body = (quality.zipped, quality.zipped_with(pipeline))
            return Page(body, content_type, headers=(("Content-Encoding", "gzip"),))
        return Page((quality.text, pipeline), content_type)

    def _rendered(self) -> _Quality:
        """The snapshot's text, made at most once per snapshot and only when someone asks."""
        with self._rendering:
            snapshot = self._snapshot
            assert snapshot is not None
            if self._quality is None or self._quality.snapshot is not snapshot:
                self._quality = _Quality.of(snapshot)
            return self._quality

    def _unusable(self, error: OSError) -> str:
        where = f"{self._host}:{self._wanted_port}"
        if error.errno == errno.EADDRINUSE:
            return f"the exporter's address {where} is in use; free it or set exporter.port"
        return f"the exporter cannot listen on {where} ({error}); set exporter.host and .port"


@dataclass(frozen=True, slots=True)
class _Quality:
    """A rendered snapshot: as text, and as the first part of one gzip stream."""

    snapshot: Snapshot
    text: bytes
    zipped: bytes
    _compressor: zlib._Compress

    @classmethod
    def of(cls, snapshot: Snapshot) -> _Quality:
        text = render(snapshot) + render_models(snapshot)
        compressor = zlib.compressobj(level=1, wbits=_GZIP)
        zipped = compressor.compress(text) + compressor.flush(zlib.Z_SYNC_FLUSH)
        return cls(snapshot, text, zipped, compressor)

    def zipped_with(self, rest: bytes) -> bytes:
        """The stream's second and last part, which holds `rest`."""
        compressor = self._compressor.copy()
        return compressor.compress(rest) + compressor.flush()


def exported_metrics() -> list[MetricInfo]:
    """Every metric that an exporter can show, in the order of docs/metrics.md."""
    return [*quality_metrics(), *model_metrics(), *PipelineMetrics().described()]


def _not_ready() -> Page:
    return Page((b"not ready: restoring\n",), status=HTTPStatus.SERVICE_UNAVAILABLE)
